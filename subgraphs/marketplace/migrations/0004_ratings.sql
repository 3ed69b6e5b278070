-- Ratings that can not be bought: verified by use, weighed by organization, held where they come in a burst, moderated.

-- Its first number is the version line that a rating is given to.
alter table listing
  add column agent_version text,
  add column verified_stars integer[] not null default '{0,0,0,0,0}',
  add column rating_weight double precision not null default 0,
  add column rating_points double precision not null default 0;

-- Whoever owns an agent, or has owned it, does not rate it.
create table listing_owner (
  listing_id text not null references listing (agent_id),
  organization_id text not null,
  primary key (listing_id, organization_id)
);

alter table rating
  add column version_line integer not null default 0,
  add column verified boolean not null default false,
  add column state text not null default 'COUNTED' check (state in ('COUNTED', 'HELD', 'REJECTED')),
  add column held_because text check (held_because in ('BURST', 'REPORTS', 'CHANGED')),
  -- Since when it waits for a moderator; what is verified counts meanwhile, where those who reported it are not.
  add column held_at timestamptz(3),
  -- A moderator has approved it: neither bursts nor reports hold it again.
  add column approved boolean not null default false,
  -- The same principal has rated another version line since.
  add column superseded boolean not null default false,
  -- When it last came to weigh something else: it was given, its stars were changed, it was verified.
  add column arrived_at timestamptz(3) not null default now(),
  -- Organizations, not principals.
  add column helpful integer not null default 0,
  add column reply text,
  add column replied_by text,
  add column replied_at timestamptz(3),
  add check ((state = 'HELD') = (held_because is not null)),
  add check (case state when 'HELD' then held_at is not null when 'REJECTED' then held_at is null else true end),
  drop constraint rating_listing_id_organization_id_subject_key,
  add unique (listing_id, organization_id, subject, version_line);

create index rating_helpful on rating (listing_id, helpful desc, rated_at desc, id desc);
create index rating_arrived on rating (listing_id, arrived_at);
create index rating_held on rating (held_at, id) where held_at is not null;

-- Of every listing's ratings all that ever became of them.
create table rating_act (
  id bigint generated always as identity primary key,
  rating_id bigint not null references rating (id),
  kind text not null check (
    kind in ('GIVEN', 'CHANGED', 'VERIFIED', 'HELD', 'APPROVED', 'REJECTED', 'REPORTED', 'REPLIED')
  ),
  stars integer,
  text text,
  organization_id text,
  subject text,
  at timestamptz(3) not null default now()
);

create index rating_act_rating on rating_act (rating_id, id desc);

create table rating_vote (
  rating_id bigint not null references rating (id),
  organization_id text not null,
  subject text not null,
  primary key (rating_id, organization_id, subject)
);

create table rating_report (
  rating_id bigint not null references rating (id),
  organization_id text not null,
  subject text not null,
  primary key (rating_id, organization_id, subject)
);

alter table listing_owner enable row level security;
alter table listing_owner force row level security;
alter table rating_act enable row level security;
alter table rating_act force row level security;
alter table rating_vote enable row level security;
alter table rating_vote force row level security;
alter table rating_report enable row level security;
alter table rating_report force row level security;

create policy internal on listing_owner using ((select current_setting('app.internal', true)) = 'on');
create policy internal on rating using ((select current_setting('app.internal', true)) = 'on');
create policy internal on rating_act using ((select current_setting('app.internal', true)) = 'on');
create policy internal on rating_vote using ((select current_setting('app.internal', true)) = 'on');
create policy internal on rating_report using ((select current_setting('app.internal', true)) = 'on');

-- What does not count is for its rater and for moderators, who see it with its listing as all do. What is written of a
-- rating changes its listing too, and is written with app.internal on.
drop policy own on rating;
alter policy read_visible on rating using (
  state = 'COUNTED' and exists (select from listing as l where l.agent_id = rating.listing_id)
);
create policy read_own on rating for select using (
  organization_id = (select current_setting('app.organization', true))
  and subject = (select current_setting('app.subject', true))
);
create policy moderate on rating for select using (
  (select 'marketplace:moderate' = any(string_to_array(current_setting('app.scopes', true), ' ')))
  and exists (select from listing as l where l.agent_id = rating.listing_id)
);

create policy read_own on rating_act for select using (
  kind <> 'REPORTED' and exists (
    select from rating as r where r.id = rating_act.rating_id
      and r.organization_id = (select current_setting('app.organization', true))
      and r.subject = (select current_setting('app.subject', true))
  )
);
create policy moderate on rating_act for select using (
  (select 'marketplace:moderate' = any(string_to_array(current_setting('app.scopes', true), ' ')))
  and exists (select from rating as r where r.id = rating_act.rating_id)
);

-- The ratings so far: nobody's use was known, and each weighs as one that is not verified.
select set_config('app.internal', 'on', true);

insert into listing_owner (listing_id, organization_id) select agent_id, organization_id from listing;

update rating set arrived_at = rated_at;

insert into rating_act (rating_id, kind, stars, text, organization_id, subject, at)
select id, 'GIVEN', stars, comment, organization_id, subject, rated_at from rating;

-- An organization weighs 0.2, all of them together no more than 1.
with voice as (
  select listing_id, avg(stars)::float8 as mean, 0.2 as weight
  from rating group by listing_id, organization_id
), score as (
  select listing_id, least(sum(weight), 1) as weight, sum(weight * mean) / sum(weight) as mean
  from voice group by listing_id
)
update listing as l set rating_weight = round(score.weight::numeric, 6),
  rating_points = round((score.weight * score.mean)::numeric, 6)
from score where score.listing_id = l.agent_id;

-- What the prior mean is made of.
drop index listing_rated;
create index listing_weighed on listing (agent_id) include (rating_weight, rating_points)
  where published_at is not null and rating_weight > 0 and visibility = 'PUBLIC';
