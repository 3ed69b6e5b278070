-- What became PRIVATE after an incident of it was detected hides that too. Restrictive, as the policy `private` beside it.

create policy with_agent on incident as restrictive using (
  agent_id is null
  or exists (select from agent where agent.id = incident.agent_id)
  or (select current_setting('app.internal', true)) = 'on'
);
