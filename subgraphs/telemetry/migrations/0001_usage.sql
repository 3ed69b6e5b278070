-- Every measured call of an agent, with what decides who may read it: the agent's owner and visibility at the time.

create table usage_sample (
  id bigint generated always as identity primary key,
  agent_id text not null,
  pool text,
  organization_id text not null,
  visibility text not null check (visibility in ('PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC')),
  capability text not null,
  caller text not null,
  outcome text not null check (outcome in ('OK', 'ERROR', 'TIMEOUT')),
  latency_ms double precision not null,
  tokens_in bigint not null,
  tokens_out bigint not null,
  at timestamptz not null
);

create index usage_sample_agent on usage_sample (agent_id, at);
create index usage_sample_pool on usage_sample (pool, at);
create index usage_sample_at on usage_sample (at);

-- A source numbers its batches from 1 and sends them in order: what is not above the last one was seen.
create table usage_source (
  source text primary key,
  sequence bigint not null,
  at timestamptz not null default now()
);

alter table usage_sample enable row level security;
alter table usage_sample force row level security;
alter table usage_source enable row level security;
alter table usage_source force row level security;

-- Subselects, so that the settings are read once a statement and not once a row.
create policy usage_sample_read on usage_sample for select using (
  visibility = 'PUBLIC'
  or organization_id = (select nullif(current_setting('app.organization', true), ''))
);

create policy usage_sample_internal on usage_sample
  using ((select current_setting('app.internal', true)) = 'on')
  with check ((select current_setting('app.internal', true)) = 'on');

create policy usage_source_internal on usage_source
  using ((select current_setting('app.internal', true)) = 'on')
  with check ((select current_setting('app.internal', true)) = 'on');
