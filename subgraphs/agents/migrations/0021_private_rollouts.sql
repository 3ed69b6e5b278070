-- What came of a version is for those who may see the version. Restrictive, as the policy `private` of versions.

create policy with_version on rollout as restrictive using (
  exists (
    select from agent_version as v where v.agent_id = rollout.agent_id and v.version = rollout.version
  )
  or (select current_setting('app.internal', true)) = 'on'
);
