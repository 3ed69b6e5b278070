-- A listing that is not to be chosen any more says why, and which one to take instead.

alter table listing
  add column deprecated_at timestamptz(3),
  add column deprecation_reason text,
  add column successor_id text references listing (agent_id),
  add check ((deprecated_at is null) = (deprecation_reason is null)),
  add check (successor_id is null or (deprecated_at is not null and successor_id <> agent_id));

create index listing_successor on listing (successor_id) where successor_id is not null;
