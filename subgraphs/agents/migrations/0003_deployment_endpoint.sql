-- Where a deployment runs is its own: a newer manifest may name another place, and is not deployed yet.

alter table deployment add column endpoint text;

select set_config('app.internal', 'on', true);
update deployment set endpoint = agent_version.manifest #>> '{spec,endpoint}' from agent_version
where deployment.pool is null and agent_version.agent_id = deployment.agent_id
  and agent_version.version = deployment.version;
