-- What an organization lets be installed and called in its name, and what of agents such a policy asks after.

create table catalog_policy (
  organization_id text primary key check (organization_id <> ''),
  -- As `kit/catalog-policy.ts` has it; a field that a later release adds may be lacking.
  policy jsonb not null,
  version integer not null,
  updated_at timestamptz(3) not null default now()
);

alter table catalog_policy enable row level security;
alter table catalog_policy force row level security;

-- Whoever may install may know why something can't be.
create policy read_own on catalog_policy for select
  using (organization_id = (select current_setting('app.organization', true)));
create policy administer on catalog_policy using (
  organization_id = (select current_setting('app.organization', true))
  and (select current_setting('app.administrator', true)) = 'on'
);
create policy internal on catalog_policy using ((select current_setting('app.internal', true)) = 'on');

-- Null until the agent's next event tells it.
alter table listing add column license text, add column region text;
