-- Who has really used which agent: calls by organization, subject and day, from the usage topic; 90 days of them.

create table agent_use (
  agent_id text not null,
  organization_id text not null check (organization_id <> ''),
  subject text not null,
  day date not null,
  calls bigint not null,
  ok_calls bigint not null,
  primary key (agent_id, organization_id, subject, day)
);

create index agent_use_day on agent_use (day);

-- A source numbers its batches from 1 and sends them in order: what is not above the last one was counted.
create table usage_source (
  source text primary key,
  sequence bigint not null,
  at timestamptz not null default now()
);

alter table agent_use enable row level security;
alter table agent_use force row level security;
alter table usage_source enable row level security;
alter table usage_source force row level security;

create policy internal on agent_use using ((select current_setting('app.internal', true)) = 'on');
create policy internal on usage_source using ((select current_setting('app.internal', true)) = 'on');
