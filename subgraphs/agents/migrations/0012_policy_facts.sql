-- What policies of organizations are held against, as the reading of the manifest has it: under one path in every format that has it.

alter table agent
  add column license text generated always as (
    nullif(case when jsonb_typeof(reading -> 'profile') = 'object'
      then reading #>> '{profile,metadata,license}' else manifest #>> '{metadata,license}' end, '')
  ) stored,
  add column region text generated always as (
    nullif(case when jsonb_typeof(reading -> 'profile') = 'object'
      then reading #>> '{profile,metadata,labels,region}' else manifest #>> '{metadata,labels,region}' end, '')
  ) stored;
