-- A version that was PRIVATE stays its administrators', whatever a later one is. Restrictive, as the policy `private` of agents.

create policy private on agent_version as restrictive using (
  manifest #>> '{spec,visibility}' is distinct from 'PRIVATE'
  or (select current_setting('app.administrator', true)) = 'on'
  or (select current_setting('app.internal', true)) = 'on'
);
