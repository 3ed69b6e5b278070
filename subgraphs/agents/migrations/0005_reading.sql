-- What came in another format than ours: its text, and how it was read.

alter table agent
  add column source text,
  add column reading jsonb not null
    default '{"format": "ossa/v0.5", "profile": null, "remarks": [], "notUnderstood": []}';

alter table agent_version add column source text;
