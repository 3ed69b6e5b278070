-- A run tells of its agents wherever it says something: it is for those alone who may see all that it names.

create table run_agent (
  run_id text not null references run (id),
  -- Of the fleet perhaps, and not yet registered.
  agent_id text not null,
  primary key (run_id, agent_id)
);

create index run_agent_agent on run_agent (agent_id);

alter table run_agent enable row level security;
alter table run_agent force row level security;

create policy internal on run_agent using ((select current_setting('app.internal', true)) = 'on');

create function reach(visibility text) returns integer language sql immutable as $$
  select array_position(array['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC'], visibility)
$$;

-- Of a run that names the agent, at most. Partners differ from one organization to the next: what another does not show to
-- everybody is for the run's own organization.
create function reach_of_runs(named agent, organization text) returns integer language sql stable set search_path from current as $$
  select case when named.visibility = 'PUBLIC' or named.organization_id = organization then reach(named.visibility)
    else reach('ORGANIZATION') end
$$;

create function narrow_runs(run_ids text[]) returns void language sql set search_path from current as $$
  update run set visibility = case narrow.most when 1 then 'PRIVATE' when 2 then 'ORGANIZATION' else 'PARTNERS' end
  from (
    select its.id, min(reach_of_runs(agent, its.organization_id)) as most
    from run as its join run_agent on run_id = its.id join agent on agent.id = agent_id
    where its.id = any(run_ids) group by its.id
  ) as narrow
  where run.id = narrow.id and reach(run.visibility) > narrow.most
$$;

-- Whoever changes an agent need not see its runs, and whoever starts a run not each of its agents.
create function narrow_runs_of_agent() returns trigger language plpgsql set search_path from current as $$
declare
  before constant text := current_setting('app.internal', true);
begin
  perform set_config('app.internal', 'on', true);
  perform narrow_runs(array(select run_id from run_agent where agent_id = new.id));
  perform set_config('app.internal', coalesce(before, 'off'), true);
  return null;
end $$;

create function narrow_named_runs() returns trigger language plpgsql set search_path from current as $$
declare
  before constant text := current_setting('app.internal', true);
begin
  perform set_config('app.internal', 'on', true);
  -- A visibility that is being changed is waited for; who changes it later finds what is added here.
  perform from agent where id in (select agent_id from added) order by id for share;
  perform narrow_runs(array(select distinct run_id from added));
  perform set_config('app.internal', coalesce(before, 'off'), true);
  return null;
end $$;

create trigger run_agent_narrows after insert on run_agent referencing new table as added
for each statement execute function narrow_named_runs();

create trigger agent_narrows_on_insert after insert on agent
for each row execute function narrow_runs_of_agent();

create trigger agent_narrows after update of organization_id, visibility on agent
for each row when (old.organization_id <> new.organization_id or old.visibility <> new.visibility)
execute function narrow_runs_of_agent();

select set_config('app.internal', 'on', true);

insert into run_agent (run_id, agent_id)
select run_id, agent_id from step where agent_id is not null
union
select run_id, sent_to from step where sent_to is not null
union
select run.id, named #>> '{}' from run
cross join unnest(array['$.agents.*[*].id', '$.phases[*].steps[*].compensate.agent']::jsonpath[]) as place
cross join jsonb_path_query(run.definition, place) as named;

-- What went wrong with a run tells of it.
create policy with_run on incident as restrictive using (
  subject_kind <> 'RUN'
  or exists (select from run where run.id = incident.subject_id)
  or (select current_setting('app.internal', true)) = 'on'
);
