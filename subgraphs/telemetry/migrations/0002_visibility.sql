-- Who may read usage follows what its agent is now, from agents' events, and who is a partner, from federation's.

select set_config('app.internal', 'on', true);

create table organization (
  id text primary key,
  version bigint not null
);

create table partner (
  organization_id text not null references organization (id),
  partner_id text not null,
  primary key (organization_id, partner_id)
);

create index partner_named on partner (partner_id);

-- Version 0: no event of the agent was heard yet, the caller of its first sample tells.
create table agent (
  id text primary key,
  organization_id text not null,
  visibility text not null check (visibility in ('PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC')),
  version bigint not null
);

insert into agent (id, organization_id, visibility, version)
select distinct on (agent_id) agent_id, organization_id, visibility, 0 from usage_sample order by agent_id, at desc;

alter table organization enable row level security;
alter table organization force row level security;
alter table partner enable row level security;
alter table partner force row level security;
alter table agent enable row level security;
alter table agent force row level security;

create policy internal on organization using ((select current_setting('app.internal', true)) = 'on');

create policy internal on partner using ((select current_setting('app.internal', true)) = 'on');
create policy read_named on partner for select
  using (partner_id = (select current_setting('app.organization', true)));

create policy internal on agent using ((select current_setting('app.internal', true)) = 'on');
create policy read_visible on agent for select using (
  visibility = 'PUBLIC'
  or organization_id = (select current_setting('app.organization', true))
  or (visibility = 'PARTNERS' and organization_id in (
    select p.organization_id from partner as p
    where p.partner_id = (select current_setting('app.organization', true))
  ))
);

drop policy usage_sample_read on usage_sample;
create policy read_with_agent on usage_sample for select using (agent_id in (select agent.id from agent));
