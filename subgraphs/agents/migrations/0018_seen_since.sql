-- An agent's events stay in the log. Those from before it came to be visible to more are for its owner's administrators.

alter table agent add column seen_since bigint not null default 0;

create function note_seen_since() returns trigger language plpgsql set search_path from current as $$
declare
  audiences constant text[] := array['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC'];
begin
  if new.organization_id <> old.organization_id
    or array_position(audiences, new.visibility) > array_position(audiences, old.visibility)
  then
    new.seen_since := old.revision + 1;
  end if;
  return new;
end $$;

create trigger agent_seen_since before update of organization_id, visibility on agent
for each row execute function note_seen_since();
