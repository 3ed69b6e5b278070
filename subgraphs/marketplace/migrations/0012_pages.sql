-- What an owner says of a listing beside its manifest, its README and media; and its versions, each with a channel and notes.

create table listing_page (
  listing_id text primary key references listing (agent_id),
  readme text,
  -- What it came to, and by which rules.
  readme_html text,
  readme_rules integer,
  -- In their order: { kind, url, alt }.
  media jsonb not null default '[]',
  homepage text,
  repository text,
  documentation text,
  revision integer not null default 0,
  updated_at timestamptz(3) not null default now(),
  check (num_nulls(readme, readme_html, readme_rules) in (0, 3))
);

create table listing_version (
  listing_id text not null references listing (agent_id),
  version text not null,
  -- Its manifest's: whoever sees the listing now need not have seen it then.
  visibility text not null check (visibility in ('PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC')),
  registered_at timestamptz(3) not null,
  certification_level text check (certification_level in ('BRONZE', 'SILVER', 'GOLD')),
  -- By the version's number; build metadata may have hyphens too.
  number_channel text not null generated always as (case
    when split_part(version, '+', 1) !~ '-' then 'STABLE'
    when split_part(version, '+', 1) ~* '-(rc|candidate)' then 'CANDIDATE'
    when split_part(version, '+', 1) ~* '-beta' then 'BETA'
    else 'ALPHA'
  end) stored,
  -- By its owner.
  owner_channel text check (owner_channel in ('STABLE', 'CANDIDATE', 'BETA', 'ALPHA', 'YANKED')),
  yanked_because text,
  notes text,
  notes_html text,
  notes_rules integer,
  primary key (listing_id, version),
  check ((owner_channel is not distinct from 'YANKED') = (yanked_because is not null)),
  check (num_nulls(notes, notes_html, notes_rules) in (0, 3))
);

create index listing_version_newest on listing_version (listing_id, registered_at desc, version desc);

alter table certification add column agent_version text;

alter table listing_page enable row level security;
alter table listing_page force row level security;
alter table listing_version enable row level security;
alter table listing_version force row level security;

-- A page shows where its listing does, and is written by its owner.
create policy internal on listing_page using ((select current_setting('app.internal', true)) = 'on');
create policy read_visible on listing_page for select
  using (exists (select from listing as l where l.agent_id = listing_page.listing_id));
create policy own on listing_page using (exists (
  select from listing as l where l.agent_id = listing_page.listing_id
    and l.organization_id = (select current_setting('app.organization', true))
));

-- A version shows where its listing does to those whom its own manifest let see it.
create policy internal on listing_version using ((select current_setting('app.internal', true)) = 'on');
create policy own on listing_version using (exists (
  select from listing as l where l.agent_id = listing_version.listing_id
    and l.organization_id = (select current_setting('app.organization', true))
));
create policy read_visible on listing_version for select using (
  (visibility = 'PUBLIC' and exists (select from listing as l where l.agent_id = listing_version.listing_id))
  or (visibility = 'PARTNERS' and exists (
    select from listing as l join partner as p on p.organization_id = l.organization_id
    where l.agent_id = listing_version.listing_id
      and p.partner_id = (select current_setting('app.organization', true))
  ))
);
create policy private on listing_version as restrictive using (
  visibility <> 'PRIVATE'
  or (select current_setting('app.administrator', true)) = 'on'
  or (select current_setting('app.internal', true)) = 'on'
);

-- Of what was there before, the version in force is known, and no other.
select set_config('app.internal', 'on', true);

insert into listing_version (listing_id, version, visibility, registered_at)
select agent_id, agent_version, visibility, agent_changed_at from listing where agent_version is not null;
