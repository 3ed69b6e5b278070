-- An agent goes from one organization to another: offered by the one, accepted by the other. Its id stays.

create table agent_offer (
  -- Version 7: grows with time.
  id uuid primary key default uuidv7(),
  agent_id text not null references agent (id),
  -- For who may not see the agent.
  agent_name text not null,
  from_organization text not null,
  to_organization text not null check (to_organization <> from_organization),
  reason text not null,
  status text not null default 'OPEN' check (status in ('OPEN', 'ACCEPTED', 'DECLINED', 'WITHDRAWN', 'EXPIRED')),
  -- Why it was declined or withdrawn.
  why text,
  offered_by text not null,
  decided_by text,
  version integer not null default 1,
  offered_at timestamptz(3) not null default now(),
  expires_at timestamptz(3) not null default now() + interval '14 days',
  decided_at timestamptz(3)
);

create unique index agent_offer_open on agent_offer (agent_id) where status = 'OPEN';
create index agent_offer_given on agent_offer (from_organization, id desc);
create index agent_offer_received on agent_offer (to_organization, id desc);
create index agent_offer_expiring on agent_offer (expires_at) where status = 'OPEN';

alter table agent_offer enable row level security;
alter table agent_offer force row level security;

-- Both sides' administrators.
create policy given on agent_offer using (
  from_organization = (select current_setting('app.organization', true))
  and (select current_setting('app.administrator', true)) = 'on'
);
create policy received on agent_offer for select using (
  to_organization = (select current_setting('app.organization', true))
  and (select current_setting('app.administrator', true)) = 'on'
);
create policy internal on agent_offer using ((select current_setting('app.internal', true)) = 'on');

-- An organization's agents are told apart by their names, whatever organization their ids begin with.
create unique index agent_named on agent (organization_id, name);
