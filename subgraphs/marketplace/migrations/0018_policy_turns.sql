-- Organizations whose policy is otherwise, and whose installations may have waited for that.

create table policy_turn (
  organization_id text primary key,
  -- The last agent whose installation was asked to be gone through.
  after text,
  at timestamptz not null default now()
);

alter table policy_turn enable row level security;
alter table policy_turn force row level security;
create policy internal on policy_turn using ((select current_setting('app.internal', true)) = 'on');
