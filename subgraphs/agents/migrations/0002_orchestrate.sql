-- Runs of plans: what is to be done, how far it is, and every transition on the way there.

create table run (
  id text primary key,
  sequence bigint generated always as identity unique,
  name text not null,
  description text not null,
  organization_id text not null check (organization_id <> ''),
  visibility text not null check (visibility in ('PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC')),
  started_by text not null,
  status text not null default 'PENDING' check (
    status in ('PENDING', 'RUNNING', 'PAUSED', 'CONVERGED', 'EXHAUSTED', 'FAILED', 'CANCELLED')
  ),
  reasons text[] not null default '{}',
  -- As it was when the run was started: a definition may change while a run of it goes on.
  definition jsonb not null,
  criteria jsonb not null,
  iteration integer not null default 0,
  max_iterations integer not null,
  budget_allocated integer not null,
  budget_spent integer not null default 0,
  budget_reserved integer not null default 0,
  version bigint not null default 0,
  cancel_requested boolean not null default false,
  lease_owner text,
  lease_until timestamptz,
  created_at timestamptz(3) not null default now(),
  started_at timestamptz(3),
  finished_at timestamptz(3),
  updated_at timestamptz(3) not null default now(),
  constraint run_budget check (
    budget_spent >= 0 and budget_reserved >= 0 and budget_spent + budget_reserved <= budget_allocated
  )
);

-- Of a definition one run goes at a time.
create unique index run_going on run (name) where status in ('PENDING', 'RUNNING', 'PAUSED');

create table phase (
  run_id text not null references run (id),
  ordinal integer not null,
  name text not null,
  description text not null,
  status text not null default 'PENDING' check (
    status in ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')
  ),
  -- The last iteration that it ended in.
  iteration integer not null default 0,
  started_at timestamptz(3),
  finished_at timestamptz(3),
  primary key (run_id, name)
);

create table step (
  id text primary key,
  run_id text not null references run (id),
  -- In the order of phases, agents and actions.
  ordinal integer not null,
  phase text not null,
  action text not null check (action in ('DEPLOY', 'HEALTH', 'CERTIFY', 'LIST', 'ACTIVATE')),
  agent_id text not null,
  status text not null default 'PENDING' check (
    status in ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')
  ),
  attempts integer not null default 0,
  tokens integer not null default 0,
  reserved integer not null default 0,
  -- Of the last try.
  iteration integer not null default 0,
  error text,
  -- How it came to succeed.
  note text,
  started_at timestamptz(3),
  finished_at timestamptz(3),
  unique (run_id, ordinal),
  foreign key (run_id, phase) references phase (run_id, name)
);

create index step_open on step (run_id, status);

create table transition (
  run_id text not null references run (id),
  version bigint not null,
  transition text not null,
  phase text,
  step_id text references step (id),
  detail text,
  at timestamptz(3) not null,
  primary key (run_id, version)
);

-- How certifications ended, as their events told; the orchestrator waits for them here.
create table certification_outcome (
  certification_id text primary key,
  status text not null,
  reasons text[] not null,
  at timestamptz(3) not null default now()
);

create index certification_outcome_at on certification_outcome (at);

alter table run enable row level security;
alter table run force row level security;
alter table phase enable row level security;
alter table phase force row level security;
alter table step enable row level security;
alter table step force row level security;
alter table transition enable row level security;
alter table transition force row level security;
alter table certification_outcome enable row level security;
alter table certification_outcome force row level security;

create policy internal on run using ((select current_setting('app.internal', true)) = 'on');
create policy own on run using (organization_id = (select current_setting('app.organization', true)));
create policy read_visible on run for select using (
  visibility = 'PUBLIC'
  or (visibility = 'PARTNERS' and organization_id in (
    select p.organization_id from partner as p
    where p.partner_id = (select current_setting('app.organization', true))
  ))
);

create policy internal on phase using ((select current_setting('app.internal', true)) = 'on');
create policy read_with_run on phase for select using (exists (select from run where run.id = run_id));
create policy insert_own on phase for insert with check (exists (
  select from run where run.id = run_id and organization_id = (select current_setting('app.organization', true))
));

create policy internal on step using ((select current_setting('app.internal', true)) = 'on');
create policy read_with_run on step for select using (exists (select from run where run.id = run_id));

create policy internal on transition using ((select current_setting('app.internal', true)) = 'on');
create policy read_with_run on transition for select using (exists (select from run where run.id = run_id));

create policy internal on certification_outcome
  using ((select current_setting('app.internal', true)) = 'on');
