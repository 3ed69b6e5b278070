-- Requests for certification, what their gates found, and who works on them just now.

-- Partners of organizations, from federation's events.
create table partner (
  organization_id text not null,
  partner_id text not null,
  primary key (organization_id, partner_id)
);

create index partner_named on partner (partner_id);

create table certification (
  -- Version 7: grows with time, so that the order of ids is the order of requests.
  id uuid primary key default uuidv7(),
  agent_id text not null,
  -- Of the agent, kept up to date by its events.
  organization_id text not null,
  visibility text not null check (visibility in ('PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC')),
  agent_version text,
  level text not null check (level in ('BRONZE', 'SILVER', 'GOLD')),
  status text not null default 'REQUESTED'
    check (status in ('REQUESTED', 'RUNNING', 'CERTIFIED', 'REJECTED', 'EXPIRED', 'REVOKED')),
  reasons text[] not null default '{}',
  certificate text,
  requested_by text not null,
  requested_at timestamptz(3) not null default now(),
  finished_at timestamptz(3),
  expires_at timestamptz(3),
  version integer not null default 1,
  updated_at timestamptz(3) not null default now(),
  -- Whoever works on it holds a lease; once it has lapsed another takes over.
  claimed_by uuid,
  lease_until timestamptz,
  tries integer not null default 0,
  check ((status = 'CERTIFIED') <= (certificate is not null and expires_at is not null))
);

create unique index certification_going on certification (agent_id, level) where status in ('REQUESTED', 'RUNNING');
create index certification_agent on certification (agent_id, id desc);
create index certification_due on certification (expires_at) where status = 'CERTIFIED';

create table gate_result (
  certification_id uuid not null references certification (id),
  name text not null,
  verdict text not null check (verdict in ('PASS', 'FAIL', 'NOT_EVALUATED')),
  duration_ms double precision not null,
  evidence jsonb not null,
  ended_at timestamptz not null default clock_timestamp(),
  primary key (certification_id, name)
);

alter table partner enable row level security;
alter table partner force row level security;
alter table certification enable row level security;
alter table certification force row level security;
alter table gate_result enable row level security;
alter table gate_result force row level security;

create policy read_own on partner for select using (
  organization_id = (select current_setting('app.organization', true))
  or partner_id = (select current_setting('app.organization', true))
);
create policy internal on partner using ((select current_setting('app.internal', true)) = 'on');

create policy read_visible on certification for select using (
  visibility = 'PUBLIC'
  or organization_id = (select current_setting('app.organization', true))
  or (visibility = 'PARTNERS' and organization_id in (
    select p.organization_id from partner as p
    where p.partner_id = (select current_setting('app.organization', true))
  ))
);
-- The owner asks; what becomes of it is not the owner's to write.
create policy request_own on certification for insert with check (
  organization_id = (select current_setting('app.organization', true)) and status = 'REQUESTED'
);
create policy internal on certification using ((select current_setting('app.internal', true)) = 'on');

create policy read_with_certification on gate_result for select
  using (exists (select from certification as c where c.id = gate_result.certification_id));
create policy internal on gate_result using ((select current_setting('app.internal', true)) = 'on');
