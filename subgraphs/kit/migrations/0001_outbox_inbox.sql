-- What a subgraph tells others (outbox) and what it has heard of them (inbox), each in the transaction of its effect.

create table outbox (
  id bigint generated always as identity primary key,
  event_id uuid not null default uuidv7(),
  aggregate_id text not null,
  type text not null,
  version bigint not null,
  value jsonb not null,
  traceparent text,
  created_at timestamptz not null default now()
);

create table inbox (
  event_id text primary key,
  at timestamptz not null default now()
);

create index inbox_at on inbox using brin (at);

create table inbox_position (
  topic text not null,
  partition integer not null,
  next_offset bigint not null,
  primary key (topic, partition)
);
