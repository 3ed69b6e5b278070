-- What changed between two versions is for all who may see both: a version has the visibility that its manifest gave it.

alter table agent_version add column visibility text not null default 'ORGANIZATION'
  check (visibility in ('PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC'));

select set_config('app.internal', 'on', true);

-- Of foreign documents only the one in force is known to be for others.
update agent_version as v set visibility = coalesce(
  (select a.visibility from agent as a where a.id = v.agent_id and a.version = v.version),
  case when v.manifest ->> 'apiVersion' = 'ossa/v0.5'
      and v.manifest #>> '{spec,visibility}' in ('PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC')
    then v.manifest #>> '{spec,visibility}' end,
  'ORGANIZATION'
);

create policy read_visible on agent_version for select using (
  (visibility = 'PUBLIC' and exists (select from agent where agent.id = agent_id))
  or (visibility = 'PARTNERS' and exists (
    select from agent join partner as p on p.organization_id = agent.organization_id
    where agent.id = agent_id and p.partner_id = (select current_setting('app.organization', true))
  ))
);
