-- Steps of their own in a plan: named, dependent, also without an agent; they wait, keep their output and are undone.

alter table step alter column agent_id drop not null;
alter table step drop constraint step_action_check;
alter table step add constraint step_action_check check (
  action in ('DEPLOY', 'HEALTH', 'CERTIFY', 'LIST', 'ACTIVATE', 'INVOKE', 'WAIT', 'APPROVE', 'GATE')
);
alter table step drop constraint step_status_check;
alter table step add constraint step_status_check check (
  status in ('PENDING', 'RUNNING', 'WAITING', 'SUCCEEDED', 'SKIPPED', 'FAILED', 'CANCELLED', 'COMPENSATED')
);
-- The definition's; null where a phase has actions instead of steps.
alter table step add column name text;
alter table step add column depends_on text[] not null default '{}';
alter table step add column output jsonb;
-- In the iteration that the row tells.
alter table step add column tries integer not null default 0;
-- Number of the call: the same one is sent again until the agent has answered it.
alter table step add column call integer not null default 1;
-- What undoing it takes: while it may come to that, nobody else gets these tokens.
alter table step add column undo_tokens integer not null default 0;
-- When a wait ends, an approval comes too late, or the next try is due.
alter table step add column due_at timestamptz(3);
alter table step add column approved boolean;
alter table step add column decided_by text;
alter table step add column decided_at timestamptz(3);
alter table step add column comment text;

alter table run add column pause_requested boolean not null default false;
-- Nobody needs to work on the run before; null: there is something to do.
alter table run add column asleep_until timestamptz;
-- How the run is about to end, while what succeeded is undone.
alter table run add column ending jsonb;
