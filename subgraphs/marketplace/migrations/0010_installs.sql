-- Agents in organizations: in which version, updated how, each step with who and why; and what their owners may know of it.

create table installation (
  -- Version 7: grows with time.
  id uuid primary key default uuidv7(),
  agent_id text not null references listing (agent_id),
  organization_id text not null check (organization_id <> ''),
  -- The agent's owner: what is PRIVATE to the own organization is not for all of it.
  owner_id text not null,
  state text not null check (state in ('REQUESTED', 'INSTALLED', 'DENIED', 'REMOVED')),
  pinned_version text not null,
  update_policy text not null check (update_policy in ('PINNED', 'PATCH', 'MINOR', 'LATEST')),
  -- The version that the agent had when the pinned one was last chosen: only one that comes after it is gone over to.
  settled_version text,
  availability text not null default 'AVAILABLE' check (availability in ('AVAILABLE', 'RETIRED', 'HIDDEN')),
  requested_by text not null,
  version integer not null default 1,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now()
);

create unique index installation_open on installation (organization_id, agent_id)
  where state in ('REQUESTED', 'INSTALLED');
create index installation_of on installation (organization_id, id desc);
create index installation_in_force on installation (agent_id, id) where state in ('REQUESTED', 'INSTALLED');

create table installation_step (
  installation_id uuid not null references installation (id),
  version integer not null,
  state text not null,
  pinned_version text not null,
  update_policy text not null,
  by text not null,
  why text,
  at timestamptz(3) not null default now(),
  primary key (installation_id, version)
);

-- Agents of which something is otherwise that their installations have to follow, and how far these have been gone through.
create table installation_turn (
  agent_id text primary key references listing (agent_id),
  after uuid,
  -- When it is to be taken: later than now for whoever has taken it, should that fail.
  at timestamptz not null default now()
);

-- Counts, for owners: who has installed and who has called is not theirs to know.
create table installed_version (
  agent_id text not null references listing (agent_id),
  version text not null,
  count integer not null,
  primary key (agent_id, version)
);

create table listing_use (
  agent_id text primary key references listing (agent_id),
  week_calls bigint not null,
  week_organizations integer not null,
  month_calls bigint not null,
  month_organizations integer not null
);

-- By organizations other than the owner.
alter table listing add column install_count integer not null default 0;

alter table installation enable row level security;
alter table installation force row level security;
alter table installation_step enable row level security;
alter table installation_step force row level security;
alter table installation_turn enable row level security;
alter table installation_turn force row level security;
alter table installed_version enable row level security;
alter table installed_version force row level security;
alter table listing_use enable row level security;
alter table listing_use force row level security;

-- What another organization has hidden since stays installed; what the own one keeps PRIVATE is for its administrators.
create policy own on installation using (
  organization_id = (select current_setting('app.organization', true))
  and (
    owner_id <> organization_id
    or exists (select from listing as l where l.agent_id = installation.agent_id)
  )
);
create policy internal on installation using ((select current_setting('app.internal', true)) = 'on');
create policy with_installation on installation_step
  using (exists (select from installation as i where i.id = installation_step.installation_id));
create policy internal on installation_step using ((select current_setting('app.internal', true)) = 'on');
create policy internal on installation_turn using ((select current_setting('app.internal', true)) = 'on');

create policy read_own on installed_version for select using (
  exists (
    select from listing as l where l.agent_id = installed_version.agent_id
      and l.organization_id = (select current_setting('app.organization', true))
  )
);
create policy internal on installed_version using ((select current_setting('app.internal', true)) = 'on');
create policy read_own on listing_use for select using (
  exists (
    select from listing as l where l.agent_id = listing_use.agent_id
      and l.organization_id = (select current_setting('app.organization', true))
  )
);
create policy internal on listing_use using ((select current_setting('app.internal', true)) = 'on');
