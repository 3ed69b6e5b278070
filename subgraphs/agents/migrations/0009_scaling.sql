-- How many replicas each pool was given, when and why, and when a new one of them first answered.

create table pool_scaling (
  id bigint generated always as identity primary key,
  pool text not null references pool (name),
  replicas_before integer not null check (replicas_before > 0),
  replicas_after integer not null check (replicas_after > 0),
  reason text not null,
  decided_at timestamptz(3) not null,
  served_at timestamptz(3)
);

create index pool_scaling_newest on pool_scaling (pool, id desc);

alter table pool_scaling enable row level security;
alter table pool_scaling force row level security;

create policy internal on pool_scaling using ((select current_setting('app.internal', true)) = 'on');
-- Of pools everybody may know, as of their names and sizes.
create policy read on pool_scaling for select using (true);
