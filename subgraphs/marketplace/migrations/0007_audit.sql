-- What was done in an organization's name in the catalogue: only added to, each entry bound to the one before by its hash.

create table audit_entry (
  organization_id text not null,
  -- From 1, without a hole.
  sequence bigint not null check (sequence > 0),
  at timestamptz(3) not null,
  actor text not null,
  action text not null,
  subject text not null,
  details jsonb not null,
  -- Of the entry before; of the first 64 zeros.
  previous text not null check (previous ~ '^[0-9a-f]{64}$'),
  hash text not null check (hash ~ '^[0-9a-f]{64}$'),
  primary key (organization_id, sequence)
);

alter table audit_entry enable row level security;
alter table audit_entry force row level security;

-- Written by whoever acts for the organization, read by its administrators; nobody changes anything.
create policy add on audit_entry for insert with check (
  organization_id = (select current_setting('app.organization', true))
  or (select current_setting('app.internal', true)) = 'on'
);
create policy read on audit_entry for select using (
  (organization_id = (select current_setting('app.organization', true))
    and (select current_setting('app.administrator', true)) = 'on')
  or (select current_setting('app.internal', true)) = 'on'
);

-- Owners of the table, and policies that somebody adds, are kept from it too.
create function audit_is_only_added_to() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log is only added to' using errcode = 'insufficient_privilege';
end $$;

create trigger only_added_to before update or delete or truncate on audit_entry
  for each statement execute function audit_is_only_added_to();
