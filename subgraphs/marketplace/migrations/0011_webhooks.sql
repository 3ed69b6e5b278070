-- Webhooks: addresses at which organizations are told of what happens in the catalogue, what each is told, and what came of it.

create table webhook (
  -- Version 7: grows with time.
  id uuid primary key default uuidv7(),
  organization_id text not null check (organization_id <> ''),
  url text not null,
  kinds text[] not null check (cardinality(kinds) > 0),
  -- Of any where null.
  listing_ids text[],
  categories text[],
  include_private boolean not null,
  -- Sealed with a key of the installation.
  secret text not null,
  -- The one before, which signs too until then.
  previous_secret text,
  previous_until timestamptz(3),
  -- Null while it is told.
  disabled_because text,
  -- Since when all that was tried has failed.
  failing_since timestamptz(3),
  -- When something to it was last taken to be sent: the others have their turn first.
  taken_at timestamptz,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  check ((previous_secret is null) = (previous_until is null))
);

create index webhook_of on webhook (organization_id, id);

-- What webhooks are told of, once for all of them.
create table webhook_event (
  id text primary key,
  -- When it happened.
  at timestamptz(3) not null,
  data jsonb not null,
  noted_at timestamptz not null default now()
);

create index webhook_event_noted on webhook_event (noted_at);

create table webhook_delivery (
  id uuid primary key default uuidv7(),
  webhook_id uuid not null references webhook (id) on delete cascade,
  organization_id text not null,
  event_id text not null references webhook_event (id) on delete cascade,
  kind text not null,
  -- Whoever does not see these is not told. Null of a ping, and of another's agent that is installed.
  listing_id text,
  submission_id uuid,
  state text not null default 'PENDING' check (state in ('PENDING', 'DELIVERED', 'DEAD')),
  -- Why it is DEAD.
  reason text,
  -- Since it was last handed in.
  tries integer not null default 0,
  -- When it is sent; while it is under way, when whoever took it is taken for dead.
  due_at timestamptz not null default now(),
  -- Of who sends it just now.
  lease uuid,
  created_at timestamptz(3) not null default now(),
  unique (webhook_id, event_id),
  check ((state = 'DEAD') = (reason is not null))
);

create index webhook_delivery_newest on webhook_delivery (webhook_id, id desc);
create index webhook_delivery_due on webhook_delivery (due_at) where state = 'PENDING';
create index webhook_delivery_next on webhook_delivery (webhook_id, due_at, id) where state = 'PENDING';
create index webhook_delivery_under_way on webhook_delivery (webhook_id) where lease is not null;
create index webhook_delivery_event on webhook_delivery (event_id);

create table webhook_attempt (
  delivery_id uuid not null references webhook_delivery (id) on delete cascade,
  number integer not null,
  at timestamptz(3) not null,
  status_code integer,
  duration_ms integer not null,
  error text,
  primary key (delivery_id, number)
);

alter table webhook enable row level security;
alter table webhook force row level security;
alter table webhook_event enable row level security;
alter table webhook_event force row level security;
alter table webhook_delivery enable row level security;
alter table webhook_delivery force row level security;
alter table webhook_attempt enable row level security;
alter table webhook_attempt force row level security;

create policy own on webhook using (
  organization_id = (select current_setting('app.organization', true))
  and (select current_setting('app.administrator', true)) = 'on'
);
create policy internal on webhook using ((select current_setting('app.internal', true)) = 'on');

create policy internal on webhook_event using ((select current_setting('app.internal', true)) = 'on');

-- Seen where what it tells of is seen: what has been hidden since shows in no count.
create policy read_own on webhook_delivery for select using (
  organization_id = (select current_setting('app.organization', true))
  and (select current_setting('app.administrator', true)) = 'on'
  and (listing_id is null or exists (select from listing as l where l.agent_id = webhook_delivery.listing_id))
  and (submission_id is null or exists (select from submission as s where s.id = webhook_delivery.submission_id))
);
create policy internal on webhook_delivery using ((select current_setting('app.internal', true)) = 'on');

create policy with_delivery on webhook_attempt for select
  using (exists (select from webhook_delivery as d where d.id = webhook_attempt.delivery_id));
create policy internal on webhook_attempt using ((select current_setting('app.internal', true)) = 'on');
