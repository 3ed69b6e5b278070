-- What the ratings of all public listings weigh and give together, of which the prior mean is made. Rows that add up: one for each
-- change, so that nobody who rates waits for another, put together once a minute.

create table rated (
  weight numeric not null,
  points numeric not null
);

alter table rated enable row level security;
alter table rated force row level security;

create policy read on rated for select using (true);
create policy note on rated for insert with check (true);
create policy internal on rated using ((select current_setting('app.internal', true)) = 'on');

create function note_rated() returns trigger language plpgsql set search_path from current as $$
declare
  weight numeric := 0;
  points numeric := 0;
begin
  if new.published_at is not null and new.visibility = 'PUBLIC' then
    weight := new.rating_weight;
    points := new.rating_points;
  end if;
  if old.published_at is not null and old.visibility = 'PUBLIC' then
    weight := weight - old.rating_weight::numeric;
    points := points - old.rating_points::numeric;
  end if;
  if weight <> 0 or points <> 0 then
    insert into rated (weight, points) values (weight, points);
  end if;
  return null;
end $$;

create trigger listing_rated_new after insert on listing
for each row when (new.rating_weight > 0) execute function note_rated();
create trigger listing_rated_gone after delete on listing
for each row when (old.rating_weight > 0) execute function note_rated();
create trigger listing_rated after update of rating_weight, rating_points, visibility, published_at on listing
for each row when (old.rating_weight > 0 or new.rating_weight > 0) execute function note_rated();

select set_config('app.internal', 'on', true);

insert into rated (weight, points)
select coalesce(sum(rating_weight::numeric), 0), coalesce(sum(rating_points::numeric), 0)
from listing where published_at is not null and visibility = 'PUBLIC';

drop index listing_weighed;

-- Of 100,000 listings those whose use is counted anew once a minute.
create index listing_used on listing (agent_id) where calls_lately is not null or trend is not null;
