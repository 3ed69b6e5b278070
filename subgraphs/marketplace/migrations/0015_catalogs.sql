-- Private catalogues: what an organization has picked out of the catalogue, for its administrators, its people or its partners.

create table catalog (
  id uuid primary key default uuidv7(),
  organization_id text not null check (organization_id <> ''),
  name text not null,
  description text not null,
  audience text not null check (audience in ('ADMINISTRATORS', 'ORGANIZATION', 'PARTNERS')),
  -- Grows by one with every change, of its entries too.
  version integer not null default 1,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  constraint catalog_name unique (organization_id, name)
);

create table catalog_entry (
  catalog_id uuid not null references catalog (id) on delete cascade,
  listing_id text not null references listing (agent_id),
  added_at timestamptz(3) not null default now(),
  primary key (catalog_id, listing_id)
);

create index catalog_entry_latest on catalog_entry (catalog_id, added_at desc, listing_id desc);
create index catalog_entry_listing on catalog_entry (listing_id);

alter table catalog enable row level security;
alter table catalog force row level security;
alter table catalog_entry enable row level security;
alter table catalog_entry force row level security;

create policy internal on catalog using ((select current_setting('app.internal', true)) = 'on');
create policy administer on catalog using (
  organization_id = (select current_setting('app.organization', true))
  and (select current_setting('app.administrator', true)) = 'on'
);
create policy read_own on catalog for select using (
  organization_id = (select current_setting('app.organization', true)) and audience <> 'ADMINISTRATORS'
);
create policy read_of_partners on catalog for select using (
  audience = 'PARTNERS' and organization_id in (
    select p.organization_id from partner as p
    where p.partner_id = (select current_setting('app.organization', true))
  )
);

create policy internal on catalog_entry using ((select current_setting('app.internal', true)) = 'on');
create policy administer on catalog_entry using (
  (select current_setting('app.administrator', true)) = 'on'
  and exists (
    select from catalog as c
    where c.id = catalog_id and c.organization_id = (select current_setting('app.organization', true))
  )
);
-- Of what a catalogue has, each sees what it may see anyway.
create policy read_with_catalog on catalog_entry for select using (
  exists (select from catalog as c where c.id = catalog_id)
  and exists (select from listing as l where l.agent_id = listing_id)
);
