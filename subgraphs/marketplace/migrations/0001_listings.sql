-- The catalogue: what is known of agents, from their events, and of those that are published, their ratings.

-- Partners of organizations, from federation's events.
create table partner (
  organization_id text not null,
  partner_id text not null,
  primary key (organization_id, partner_id)
);

create index partner_named on partner (partner_id);

-- Generated columns take immutable functions only; array_to_string is not marked so for the sake of other types.
create function search_vector(title text, category text, tags text[], summary text) returns tsvector
language sql immutable parallel safe
return setweight(to_tsvector('pg_catalog.english', translate(title, '-_./', '    ')), 'A')
  || setweight(to_tsvector('pg_catalog.english', translate(category || ' ' || array_to_string(tags, ' '), '-_./', '    ')), 'B')
  || setweight(to_tsvector('pg_catalog.english', summary), 'C');

-- A row for every agent heard of. It is a listing while `published_at` is set.
create table listing (
  agent_id text primary key,
  organization_id text not null,
  visibility text not null check (visibility in ('PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC')),
  title text not null,
  summary text not null,
  type text not null,
  category text not null,
  pool text,
  tags text[] not null,
  -- When the agent last changed: what is older changes nothing here.
  agent_changed_at timestamptz(3) not null,
  certification_level text check (certification_level in ('BRONZE', 'SILVER', 'GOLD')),
  stars integer[] not null default '{0,0,0,0,0}',
  rating_count integer not null default 0,
  rating_sum integer not null default 0,
  version integer not null default 0,
  published_at timestamptz(3),
  updated_at timestamptz(3) not null default now(),
  search tsvector not null generated always as (search_vector(title, category, tags, summary)) stored
);

create index listing_newest on listing (published_at desc, agent_id desc) where published_at is not null;
create index listing_publisher on listing (organization_id, published_at desc, agent_id desc)
  where published_at is not null;
create index listing_rated on listing (agent_id) include (rating_count, rating_sum)
  where published_at is not null and rating_count > 0 and visibility = 'PUBLIC';

create table rating (
  id bigint generated always as identity primary key,
  listing_id text not null references listing (agent_id),
  organization_id text not null check (organization_id <> ''),
  subject text not null,
  stars integer not null check (stars between 1 and 5),
  comment text,
  rated_at timestamptz(3) not null default now(),
  unique (listing_id, organization_id, subject)
);

create index rating_newest on rating (listing_id, rated_at desc, id desc);

-- Certifications in force or not, from their events.
create table certification (
  id text primary key,
  agent_id text not null,
  organization_id text not null,
  level text not null check (level in ('BRONZE', 'SILVER', 'GOLD')),
  in_force boolean not null,
  version bigint not null
);

create index certification_agent on certification (agent_id) where in_force;

alter table partner enable row level security;
alter table partner force row level security;
alter table listing enable row level security;
alter table listing force row level security;
alter table rating enable row level security;
alter table rating force row level security;
alter table certification enable row level security;
alter table certification force row level security;

create policy read_own on partner for select using (
  organization_id = (select current_setting('app.organization', true))
  or partner_id = (select current_setting('app.organization', true))
);
create policy internal on partner using ((select current_setting('app.internal', true)) = 'on');

create policy read_visible on listing for select using (
  visibility = 'PUBLIC'
  or organization_id = (select current_setting('app.organization', true))
  or (visibility = 'PARTNERS' and organization_id in (
    select p.organization_id from partner as p
    where p.partner_id = (select current_setting('app.organization', true))
  ))
);
create policy own on listing using (organization_id = (select current_setting('app.organization', true)));
create policy internal on listing using ((select current_setting('app.internal', true)) = 'on');

-- A rating shows where its listing does; each principal writes its own.
create policy read_visible on rating for select
  using (exists (select from listing as l where l.agent_id = rating.listing_id));
create policy own on rating using (
  organization_id = (select current_setting('app.organization', true))
  and subject = (select current_setting('app.subject', true))
);

create policy read_own on certification for select
  using (organization_id = (select current_setting('app.organization', true)));
create policy internal on certification using ((select current_setting('app.internal', true)) = 'on');
