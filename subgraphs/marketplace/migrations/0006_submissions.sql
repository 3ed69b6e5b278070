-- An agent's way into the catalogue: certified, reviewed where its level wants that, published; each step with who and why.

create table submission (
  -- Version 7: grows with time.
  id uuid primary key default uuidv7(),
  agent_id text not null references listing (agent_id),
  organization_id text not null,
  level text not null check (level in ('BRONZE', 'SILVER', 'GOLD')),
  status text not null default 'DRAFT' check (status in
    ('DRAFT', 'SUBMITTED', 'CERTIFYING', 'IN_REVIEW', 'PUBLISHED', 'CHANGES_REQUESTED', 'REJECTED', 'WITHDRAWN')),
  certification_id text,
  certification_version integer not null default 0,
  version integer not null default 0,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  -- When its certification is asked for, or after.
  ask_at timestamptz not null default now(),
  tries integer not null default 0
);

create unique index submission_open on submission (agent_id)
  where status in ('DRAFT', 'SUBMITTED', 'CERTIFYING', 'IN_REVIEW', 'CHANGES_REQUESTED');
create index submission_of on submission (organization_id, id desc);
create index submission_to_ask on submission (ask_at) where status in ('SUBMITTED', 'CERTIFYING', 'IN_REVIEW');

create table submission_step (
  submission_id uuid not null references submission (id),
  version integer not null,
  status text not null,
  by text not null,
  why text,
  at timestamptz(3) not null default now(),
  primary key (submission_id, version)
);

alter table submission enable row level security;
alter table submission force row level security;
alter table submission_step enable row level security;
alter table submission_step force row level security;

-- The owner's, and of a PRIVATE agent its administrators' only: they see its listing.
create policy own on submission using (
  organization_id = (select current_setting('app.organization', true))
  and exists (select from listing as l where l.agent_id = submission.agent_id)
);
create policy internal on submission using ((select current_setting('app.internal', true)) = 'on');
create policy with_submission on submission_step
  using (exists (select from submission as s where s.id = submission_step.submission_id));
create policy internal on submission_step using ((select current_setting('app.internal', true)) = 'on');
