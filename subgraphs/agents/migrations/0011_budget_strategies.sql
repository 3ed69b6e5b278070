-- Steps wait for tokens, and persons grant them to runs.

-- How many have to be left before it goes on; null of one that waits for none.
alter table step add column awaits_tokens integer check (awaits_tokens > 0);

-- Who may have been sent the call already, and alone may be sent it again; null while nobody was, or that one has answered.
alter table step add column sent_to text;

create table token_grant (
  id bigint generated always as identity primary key,
  run_id text not null references run (id),
  tokens integer not null check (tokens > 0),
  reason text not null,
  granted_by text not null,
  granted_at timestamptz(3) not null default now(),
  -- Whether the run's budget has them: who holds its lease takes them in, with a transition.
  taken boolean not null default false
);

create index token_grant_of_run on token_grant (run_id, id);

alter table token_grant enable row level security;
alter table token_grant force row level security;

create policy internal on token_grant using ((select current_setting('app.internal', true)) = 'on');
create policy read_own on token_grant for select using (exists (
  select from run
  where run.id = run_id and organization_id = (select current_setting('app.organization', true))
));
