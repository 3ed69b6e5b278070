-- Agents with what they can do, where they run and when they were last heard of; of organizations and partners what
-- their events told.

create table organization (
  id text primary key check (id <> ''),
  version bigint not null default 0
);

create table partner (
  organization_id text not null,
  partner_id text not null,
  primary key (organization_id, partner_id)
);

create index partner_named on partner (partner_id);

create table pool (
  name text primary key,
  description text not null,
  capacity integer not null
);

insert into pool (name, description, capacity) values
  ('foundation', 'Context references and compression (VORTEX), adaptive token pruning (ACTA) and security.', 40),
  ('intelligence', 'Routing of work, optimization and decisions.', 30),
  ('federation', 'Work across organizations: schemas, peers, trust and shared facts.', 25),
  ('community', 'The marketplace, certification and the orchestration of the community.', 30),
  ('analytics', 'Metrics, monitoring, forecasts and reports.', 25);

create table subtype (
  name text primary key,
  type text not null,
  description text not null,
  check (starts_with(name, lower(type) || '.'))
);

create index subtype_type on subtype (type, name);

create table agent (
  id text primary key,
  organization_id text not null check (organization_id <> ''),
  name text not null,
  description text not null,
  type text not null,
  subtype text not null references subtype (name),
  version text not null,
  pool text references pool (name),
  remote_endpoint text,
  status text not null check (
    status in ('PENDING', 'REGISTERED', 'DEPLOYING', 'ACTIVE', 'DEGRADED', 'SUSPENDED', 'RETIRED')
  ),
  visibility text not null check (visibility in ('PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC')),
  manifest jsonb not null,
  search tsvector not null,
  revision bigint not null default 1,
  registered_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now()
);

create index agent_organization on agent (organization_id, id);
create index agent_pool on agent (pool, id);
create index agent_subtype on agent (subtype);
create index agent_search on agent using gin (search);

create table capability (
  agent_id text not null references agent (id),
  ordinal integer not null,
  name text not null,
  description text not null,
  input jsonb not null,
  output jsonb not null,
  examples jsonb not null,
  primary key (agent_id, name)
);

create index capability_name on capability (name, agent_id);

-- What a version says is never changed; a deployment runs one of them.
create table agent_version (
  agent_id text not null references agent (id),
  version text not null,
  manifest jsonb not null,
  registered_at timestamptz(3) not null default now(),
  primary key (agent_id, version)
);

create table deployment (
  agent_id text primary key references agent (id),
  id text not null unique,
  version text not null,
  pool text references pool (name),
  placed_at timestamptz(3) not null default now(),
  foreign key (agent_id, version) references agent_version (agent_id, version)
);

create index deployment_pool on deployment (pool, agent_id);

-- Every few seconds a row for each agent: apart from the agent, and with room to be updated in place.
create table heartbeat (
  agent_id text primary key references agent (id),
  at timestamptz(3) not null
) with (fillfactor = 50);

alter table partner enable row level security;
alter table partner force row level security;
alter table agent enable row level security;
alter table agent force row level security;
alter table capability enable row level security;
alter table capability force row level security;
alter table agent_version enable row level security;
alter table agent_version force row level security;
alter table deployment enable row level security;
alter table deployment force row level security;
alter table heartbeat enable row level security;
alter table heartbeat force row level security;

create policy internal on partner using ((select current_setting('app.internal', true)) = 'on');
create policy read_named on partner for select
  using (partner_id = (select current_setting('app.organization', true)));

-- Subselects, so that the settings are read once a statement and not once a row.
create policy internal on agent using ((select current_setting('app.internal', true)) = 'on');
create policy own on agent using (organization_id = (select current_setting('app.organization', true)));
create policy read_visible on agent for select using (
  visibility = 'PUBLIC'
  or (visibility = 'PARTNERS' and organization_id in (
    select p.organization_id from partner as p
    where p.partner_id = (select current_setting('app.organization', true))
  ))
);

-- What belongs to an agent is seen with it, and written by its owner.
create policy internal on capability using ((select current_setting('app.internal', true)) = 'on');
create policy read_with_agent on capability for select
  using (exists (select from agent where agent.id = agent_id));
create policy own on capability using (exists (
  select from agent
  where agent.id = agent_id and organization_id = (select current_setting('app.organization', true))
));

create policy internal on agent_version using ((select current_setting('app.internal', true)) = 'on');
create policy own on agent_version using (exists (
  select from agent
  where agent.id = agent_id and organization_id = (select current_setting('app.organization', true))
));

create policy internal on deployment using ((select current_setting('app.internal', true)) = 'on');
create policy read_with_agent on deployment for select
  using (exists (select from agent where agent.id = agent_id));
create policy own on deployment using (exists (
  select from agent
  where agent.id = agent_id and organization_id = (select current_setting('app.organization', true))
));

create policy internal on heartbeat using ((select current_setting('app.internal', true)) = 'on');
create policy read_with_agent on heartbeat for select
  using (exists (select from agent where agent.id = agent_id));
create policy own on heartbeat using (exists (
  select from agent
  where agent.id = agent_id and organization_id = (select current_setting('app.organization', true))
));
