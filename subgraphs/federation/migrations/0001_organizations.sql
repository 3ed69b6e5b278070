-- Organizations, who belongs to them and who their partners are; and which agents they own, learned from agents' events.

create table organization (
  id text primary key check (id <> ''),
  name text not null,
  description text not null default '',
  home boolean not null default false,
  version integer not null default 1,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now()
);

create unique index organization_home on organization (home) where home;

create table member (
  organization_id text not null references organization (id),
  subject text not null check (subject <> ''),
  role text not null check (role in ('ADMIN', 'MEMBER')),
  since timestamptz(3) not null default now(),
  primary key (organization_id, subject)
);

create table partner (
  organization_id text not null references organization (id),
  partner_id text not null references organization (id),
  since timestamptz(3) not null default now(),
  primary key (organization_id, partner_id),
  check (organization_id <> partner_id)
);

create index partner_named on partner (partner_id);

create table agent_owner (
  agent_id text primary key,
  organization_id text not null references organization (id),
  visibility text not null check (visibility in ('PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC')),
  version bigint not null
);

create index agent_owner_organization on agent_owner (organization_id, agent_id);

alter table organization enable row level security;
alter table organization force row level security;
alter table member enable row level security;
alter table member force row level security;
alter table partner enable row level security;
alter table partner force row level security;
alter table agent_owner enable row level security;
alter table agent_owner force row level security;

-- That an organization exists is no secret; what it says of itself, it alone changes.
create policy read_all on organization for select using (true);
create policy write_own on organization for all
  using (id = (select current_setting('app.organization', true)))
  with check (id = (select current_setting('app.organization', true)));
create policy internal on organization using ((select current_setting('app.internal', true)) = 'on');

create policy own on member using (organization_id = (select current_setting('app.organization', true)));
create policy internal on member using ((select current_setting('app.internal', true)) = 'on');

-- Whoever is named a partner may know it: the policy of agent_owner asks so in the partner's name.
create policy read_named on partner for select
  using (partner_id = (select current_setting('app.organization', true)));
create policy own on partner using (organization_id = (select current_setting('app.organization', true)));
create policy internal on partner using ((select current_setting('app.internal', true)) = 'on');

create policy read_visible on agent_owner for select using (
  visibility = 'PUBLIC'
  or organization_id = (select current_setting('app.organization', true))
  or (visibility = 'PARTNERS' and organization_id in (
    select p.organization_id from partner as p
    where p.partner_id = (select current_setting('app.organization', true))
  ))
);
create policy internal on agent_owner using ((select current_setting('app.internal', true)) = 'on');
