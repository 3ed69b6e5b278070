-- Peer review: who may be drawn, who was drawn, what they said; certificates that are made anew, or taken back.

-- Organizations heard of, from federation's events.
create table organization (
  id text primary key
);

-- Every organization that has owned an agent, from agents' events: none of them reviews it.
create table ownership (
  agent_id text not null,
  organization_id text not null,
  primary key (agent_id, organization_id)
);

alter table certification drop constraint certification_status_check;
alter table certification add constraint certification_status_check
  check (status in ('REQUESTED', 'RUNNING', 'IN_REVIEW', 'CERTIFIED', 'REJECTED', 'EXPIRED', 'REVOKED'));
alter table certification
  -- The certification whose certificate this one makes anew.
  add column renews uuid references certification (id),
  -- While IN_REVIEW: when it goes on whether or not all have answered.
  add column review_due timestamptz(3),
  add column revoked_at timestamptz(3);

drop index certification_going;
create unique index certification_going on certification (agent_id, level)
  where status in ('REQUESTED', 'RUNNING', 'IN_REVIEW');
create index certification_renews on certification (renews) where renews is not null;
create index certification_revoked on certification (revoked_at) where status = 'REVOKED';
create index certification_review_due on certification (review_due) where status = 'IN_REVIEW';

-- A seat on the panel of a certification. Nobody is drawn twice for the same.
create table review (
  id bigint generated always as identity unique,
  certification_id uuid not null references certification (id),
  organization_id text not null,
  weight double precision not null check (weight between 1 and 2),
  drawn_at timestamptz(3) not null default now(),
  verdict text check (verdict in ('APPROVE', 'REJECT')),
  comment text,
  declined text,
  subject text,
  answered_at timestamptz(3),
  primary key (certification_id, organization_id),
  check (num_nonnulls(verdict, declined) <= 1),
  check ((answered_at is null) = (verdict is null and declined is null))
);

create index review_asked on review (organization_id, id);

-- What was heard of before; events tell the rest.
select set_config('app.internal', 'on', true);
insert into organization (id)
  select organization_id from partner union select partner_id from partner union select organization_id from certification;
insert into ownership (agent_id, organization_id) select distinct agent_id, organization_id from certification;

alter table organization enable row level security;
alter table organization force row level security;
alter table ownership enable row level security;
alter table ownership force row level security;
alter table review enable row level security;
alter table review force row level security;

create policy internal on organization using ((select current_setting('app.internal', true)) = 'on');
create policy internal on ownership using ((select current_setting('app.internal', true)) = 'on');
create policy internal on review using ((select current_setting('app.internal', true)) = 'on');

-- Seats show with their certification; what is on them the statements decide, until the review is over.
create policy read_with_certification on review for select
  using (exists (select from certification as c where c.id = review.certification_id));

-- Whoever checks certificates offline needs to know which were taken back, and no more of them than that.
create function revoked_certificates() returns table (id uuid, revoked_at timestamptz)
language sql stable set "app.internal" = 'on'
as $$
  select c.id, c.revoked_at from certification as c
  where c.status = 'REVOKED' and c.expires_at > now() order by c.revoked_at desc limit 10000
$$;
