-- Discovery ranks in the process: Postgres keeps the vectors, tells what changed, and decides who may see what, for all
-- agents of an owner and a visibility at once.

create index agent_updated on agent (updated_at, id);

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

-- Each owner and visibility that agents have had. Its policies are those of `agent`: who may see its row may see these agents.
create table audience (
  organization_id text not null,
  visibility text not null,
  primary key (organization_id, visibility)
);

select set_config('app.internal', 'on', true);
insert into audience (organization_id, visibility) select distinct organization_id, visibility from agent;

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

create trigger agent_audience after insert or update of organization_id, visibility on agent
for each row execute function note_audience();
