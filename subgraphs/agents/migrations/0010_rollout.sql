-- Every version of an agent that was to be put in force, what came of it and why; what to roll back to.

create table rollout (
  id bigint generated always as identity primary key,
  agent_id text not null references agent (id),
  version text not null,
  -- Where: in a pool or at an endpoint of its own.
  pool text references pool (name),
  endpoint text,
  outcome text not null check (outcome in ('SERVING', 'REPLACED', 'ROLLED_BACK', 'REFUSED')),
  -- What the health gate looked at, in words.
  checked text not null,
  reason text,
  started_at timestamptz(3) not null,
  ended_at timestamptz(3),
  foreign key (agent_id, version) references agent_version (agent_id, version)
);

create index rollout_newest on rollout (agent_id, id desc);
create unique index rollout_serving on rollout (agent_id) where outcome = 'SERVING';

alter table rollout enable row level security;
alter table rollout force row level security;

create policy internal on rollout using ((select current_setting('app.internal', true)) = 'on');
-- As versions are: reasons may tell how an agent works.
create policy own on rollout using (exists (
  select from agent
  where agent.id = agent_id and organization_id = (select current_setting('app.organization', true))
));
