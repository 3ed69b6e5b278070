-- The event log where there is no Kafka: partitions as rows whose lock assigns positions, so that a reader who sees
-- one record sees all before it.

create table partition (
  topic text not null,
  partition integer not null,
  next_offset bigint not null default 0,
  primary key (topic, partition)
);

create table record (
  topic text not null,
  partition integer not null,
  "offset" bigint not null,
  key text not null,
  headers jsonb not null,
  value text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (topic, partition, "offset"),
  foreign key (topic, partition) references partition (topic, partition)
);

create index record_at on record using brin (at);
