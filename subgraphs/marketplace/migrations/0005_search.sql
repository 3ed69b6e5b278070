-- Search ranks in the process, as discovery does: Postgres keeps the vectors, tells what changed, and decides who may see what.
-- Beside it how much each listing is used, to sort by, and what was looked for in vain.

create index listing_updated on listing (updated_at, agent_id);

-- Calls by others than the owner in 30 days, and how they grow; null while there are none. Written every minute.
alter table listing add column calls_lately bigint, add column trend double precision;

-- A vector belongs to a text, whoever said it and however often: it never changes, and nobody but the index reads it.
create table embedding (
  model text not null,
  digest text not null,
  vector bytea not null,
  made_at timestamptz not null default now(),
  primary key (model, digest)
);

alter table embedding enable row level security;
alter table embedding force row level security;
create policy internal on embedding using ((select current_setting('app.internal', true)) = 'on');

-- Each owner and visibility that listings have had. Its policies are those of `listing`: who may see its row may see these.
create table audience (
  organization_id text not null,
  visibility text not null,
  primary key (organization_id, visibility)
);

select set_config('app.internal', 'on', true);
insert into audience (organization_id, visibility) select distinct organization_id, visibility from listing;

create index audience_visibility on audience (visibility, organization_id);

alter table audience enable row level security;
alter table audience force row level security;

create policy internal on audience using ((select current_setting('app.internal', true)) = 'on');
create policy own on audience using (organization_id = (select current_setting('app.organization', true)));
create policy read_visible on audience for select using (
  visibility = 'PUBLIC'
  or (visibility = 'PARTNERS' and organization_id in (
    select p.organization_id from partner as p
    where p.partner_id = (select current_setting('app.organization', true))
  ))
);
create policy private on audience as restrictive using (
  visibility <> 'PRIVATE'
  or (select current_setting('app.administrator', true)) = 'on'
  or (select current_setting('app.internal', true)) = 'on'
);

create function note_audience() returns trigger language plpgsql set search_path from current as $$
begin
  insert into audience (organization_id, visibility) values (new.organization_id, new.visibility)
  on conflict do nothing;
  return null;
end $$;

create trigger listing_audience after insert or update of organization_id, visibility on listing
for each row execute function note_audience();

-- A question that the catalogue did not answer. Who asked it is nobody's to know: it shows once three organizations have.
create table need (
  question text primary key,
  asked integer not null,
  organizations integer not null,
  last_asked_at timestamptz(3) not null
);

-- No organization: anonymous callers, all of them together.
create table need_asker (
  question text not null,
  organization_id text not null,
  asked integer not null,
  last_asked_at timestamptz(3) not null,
  primary key (question, organization_id)
);

create index need_asker_latest on need_asker (organization_id, last_asked_at desc);
create index need_asker_oldest on need_asker (last_asked_at);

alter table need enable row level security;
alter table need force row level security;
alter table need_asker enable row level security;
alter table need_asker force row level security;

create policy read_emerging on need for select using (organizations >= 3);
create policy internal on need using ((select current_setting('app.internal', true)) = 'on');
create policy internal on need_asker using ((select current_setting('app.internal', true)) = 'on');
