-- Publishers prove that they control domains, once and again; and what events of others tell of an organization's acts waits
-- for its audit log.

create table publisher_domain (
  -- Version 7: grows with time.
  id uuid primary key default uuidv7(),
  organization_id text not null check (organization_id <> ''),
  -- As ASCII, in small letters.
  domain text not null,
  method text not null check (method in ('DNS', 'WELL_KNOWN')),
  -- Belongs to this row, so to this organization and domain: another's proves nothing.
  token text not null,
  status text not null default 'PENDING' check (status in ('PENDING', 'VERIFIED', 'LAPSED', 'REVOKED', 'EXPIRED')),
  -- What the last check found instead of the token; or why it was revoked.
  problem text,
  -- A moderator has revoked it: the organization does not begin anew.
  barred boolean not null default false,
  failures integer not null default 0,
  failing_since timestamptz(3),
  created_at timestamptz(3) not null default now(),
  verified_at timestamptz(3),
  checked_at timestamptz(3),
  -- When one that is proven is to be checked again.
  check_at timestamptz(3),
  version integer not null default 0,
  updated_at timestamptz(3) not null default now()
);

create unique index publisher_domain_going on publisher_domain (organization_id, domain, method)
  where status in ('PENDING', 'VERIFIED', 'LAPSED');
create index publisher_domain_of on publisher_domain (organization_id, id desc);
create index publisher_domain_to_check on publisher_domain (check_at) where status = 'VERIFIED';
create index publisher_domain_pending on publisher_domain (created_at) where status = 'PENDING';

alter table publisher_domain enable row level security;
alter table publisher_domain force row level security;

-- What is proven is for all to know; the way there, and what failed, for administrators.
create policy own on publisher_domain using (
  organization_id = (select current_setting('app.organization', true))
  and (select current_setting('app.administrator', true)) = 'on'
);
create policy read_proven on publisher_domain for select using (status = 'VERIFIED');
create policy internal on publisher_domain using ((select current_setting('app.internal', true)) = 'on');

-- Written with the event that tells of it; entries of an organization wait for each other, and an inbox shall not.
create table audit_due (
  id bigint generated always as identity primary key,
  organization_id text not null,
  actor text not null,
  action text not null,
  subject text not null,
  details jsonb not null
);

alter table audit_due enable row level security;
alter table audit_due force row level security;
create policy internal on audit_due using ((select current_setting('app.internal', true)) = 'on');

-- An organization says that an agent which another one listed comes from a domain of its own.
create table agent_claim (
  -- Version 7: grows with time.
  id uuid primary key default uuidv7(),
  agent_id text not null references listing (agent_id),
  -- Who claims, and from whom.
  organization_id text not null check (organization_id <> owner_id),
  owner_id text not null,
  reason text not null,
  -- Where the agent's document names which proven domain.
  evidence jsonb not null,
  status text not null default 'OPEN' check (status in ('OPEN', 'ACCEPTED', 'REFUSED', 'WITHDRAWN')),
  why text,
  version integer not null default 1,
  claimed_at timestamptz(3) not null default now(),
  decided_at timestamptz(3)
);

create unique index agent_claim_open on agent_claim (agent_id, organization_id) where status = 'OPEN';
create index agent_claim_of_agent on agent_claim (agent_id, id desc);
create index agent_claim_by on agent_claim (organization_id, id desc);
create index agent_claim_from on agent_claim (owner_id, id desc);

alter table agent_claim enable row level security;
alter table agent_claim force row level security;

-- Both sides' administrators, and moderators: those of which organization is for the statements that read to say.
create policy claimant on agent_claim using (
  organization_id = (select current_setting('app.organization', true))
  and (select current_setting('app.administrator', true)) = 'on'
);
create policy owner on agent_claim for select using (
  owner_id = (select current_setting('app.organization', true))
  and (select current_setting('app.administrator', true)) = 'on'
);
create policy moderate on agent_claim for select using (
  (select 'marketplace:moderate' = any(string_to_array(current_setting('app.scopes', true), ' ')))
);
create policy internal on agent_claim using ((select current_setting('app.internal', true)) = 'on');
