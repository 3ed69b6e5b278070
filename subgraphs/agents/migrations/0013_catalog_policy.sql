-- What organizations let be called in their name, as the marketplace's events told, and what they have used of their limits.

create table catalog_policy (
  organization_id text primary key check (organization_id <> ''),
  policy jsonb not null,
  version bigint not null
);

create table installation (
  id text primary key,
  organization_id text not null check (organization_id <> ''),
  agent_id text not null,
  state text not null,
  pinned_version text,
  update_policy text not null,
  version bigint not null,
  at timestamptz(3) not null
);

create index installation_in_force on installation (organization_id, agent_id, at desc) where state = 'INSTALLED';

-- Every certificate that was told of: an agent may have several in force. `certificate` has the last of each agent.
create table held_certificate (
  certification_id text primary key,
  agent_id text not null,
  level text not null,
  in_force boolean not null,
  expires_at timestamptz(3),
  at timestamptz(3) not null
);

create index held_certificate_in_force on held_certificate (agent_id) where in_force;

insert into held_certificate (certification_id, agent_id, level, in_force, expires_at, at)
select certification_id, agent_id, level, status = 'CERTIFIED', expires_at, at from certificate;

-- Calls, and tokens sent, received and set aside, within a day (UTC); of organizations that have a limit.
create table organization_use (
  organization_id text not null check (organization_id <> ''),
  day date not null,
  calls bigint not null,
  tokens bigint not null,
  primary key (organization_id, day)
);

alter table catalog_policy enable row level security;
alter table catalog_policy force row level security;
alter table installation enable row level security;
alter table installation force row level security;
alter table held_certificate enable row level security;
alter table held_certificate force row level security;
alter table organization_use enable row level security;
alter table organization_use force row level security;

create policy internal on catalog_policy using ((select current_setting('app.internal', true)) = 'on');
create policy read_own on catalog_policy for select
  using (organization_id = (select current_setting('app.organization', true)));
create policy internal on installation using ((select current_setting('app.internal', true)) = 'on');
create policy read_own on installation for select
  using (organization_id = (select current_setting('app.organization', true)));
create policy internal on held_certificate using ((select current_setting('app.internal', true)) = 'on');
create policy read_with_agent on held_certificate for select
  using (exists (select from agent where agent.id = agent_id));
create policy internal on organization_use using ((select current_setting('app.internal', true)) = 'on');
create policy read_own on organization_use for select
  using (organization_id = (select current_setting('app.organization', true)));
