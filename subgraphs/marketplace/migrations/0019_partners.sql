-- Which event of an organization its partners are known from: an older one changes nothing.

create table organization (
  id text primary key,
  version bigint not null
);

alter table organization enable row level security;
alter table organization force row level security;

create policy internal on organization using ((select current_setting('app.internal', true)) = 'on');
