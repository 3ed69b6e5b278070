-- Incidents: what went wrong, what was done about it, what is held back meanwhile, and what they are told by.

create table incident (
  id text primary key,
  sequence bigint generated always as identity unique,
  symptom text not null,
  subject_kind text not null,
  subject_id text not null,
  agent_id text,
  pool text,
  status text not null default 'OPEN' check (status in ('OPEN', 'MITIGATING', 'RESOLVED', 'ESCALATED')),
  objective text not null,
  cause text,
  policy text,
  -- Which action is under way since when, and since when the objective holds: whoever takes over goes on there.
  progress jsonb not null default '{"action": -1, "actionAt": null, "isDone": true, "heldSince": null}',
  context jsonb,
  recurrences integer not null default 0,
  organization_id text not null check (organization_id <> ''),
  -- As what it is about was when it was detected.
  visibility text not null check (visibility in ('PRIVATE', 'ORGANIZATION')),
  version bigint not null default 0,
  detected_at timestamptz(3) not null,
  -- Of the last time, where it came back.
  began_at timestamptz(3) not null,
  resolved_at timestamptz(3),
  escalated_at timestamptz(3),
  updated_at timestamptz(3) not null
);

-- One at a time for a symptom of a thing.
create unique index incident_going on incident (symptom, subject_kind, subject_id) where status <> 'RESOLVED';
create index incident_subject on incident (subject_id, sequence);
create index incident_organization on incident (organization_id, sequence);

create table incident_entry (
  incident_id text not null references incident (id),
  number bigint not null,
  at timestamptz(3) not null,
  kind text not null check (
    kind in ('DETECTED', 'CAUSE', 'ACTION', 'OUTCOME', 'RESOLVED', 'ESCALATED', 'RECURRED')
  ),
  text text not null,
  action text,
  succeeded boolean,
  primary key (incident_id, number)
);

-- What calls are refused by: an agent's breaker, a message that is kept back; and agents that a policy has suspended.
create table hold (
  kind text not null check (kind in ('BREAKER', 'MESSAGE', 'QUARANTINE')),
  subject_id text not null,
  incident_id text not null references incident (id),
  reason text not null,
  previous_status text,
  since timestamptz(3) not null default now(),
  primary key (kind, subject_id)
);

create index hold_incident on hold (incident_id);

-- Sendings of a message that nobody answered.
create table unanswered (
  message_id text not null,
  agent_id text not null,
  error text not null,
  at timestamptz(3) not null default now()
);

create index unanswered_message on unanswered (message_id, at);
create index unanswered_at on unanswered (at);

-- Of each agent the certification that was told of last.
create table certificate (
  agent_id text primary key,
  certification_id text not null,
  level text not null,
  status text not null,
  agent_version text,
  expires_at timestamptz(3),
  at timestamptz(3) not null
);

alter table incident enable row level security;
alter table incident force row level security;
alter table incident_entry enable row level security;
alter table incident_entry force row level security;
alter table hold enable row level security;
alter table hold force row level security;
alter table unanswered enable row level security;
alter table unanswered force row level security;
alter table certificate enable row level security;
alter table certificate force row level security;

create policy internal on incident using ((select current_setting('app.internal', true)) = 'on');
create policy own on incident using (organization_id = (select current_setting('app.organization', true)));
create policy private on incident as restrictive using (
  visibility <> 'PRIVATE'
  or (select current_setting('app.administrator', true)) = 'on'
  or (select current_setting('app.internal', true)) = 'on'
);

create policy internal on incident_entry using ((select current_setting('app.internal', true)) = 'on');
create policy read_with_incident on incident_entry for select
  using (exists (select from incident where incident.id = incident_id));

create policy internal on hold using ((select current_setting('app.internal', true)) = 'on');
create policy internal on unanswered using ((select current_setting('app.internal', true)) = 'on');
create policy internal on certificate using ((select current_setting('app.internal', true)) = 'on');
