-- An OpenAPI description has its license elsewhere: an SPDX expression, or in earlier versions a name alone.

alter table agent drop column license;
alter table agent add column license text generated always as (
  nullif(case
    when jsonb_typeof(reading -> 'profile') is distinct from 'object' then manifest #>> '{metadata,license}'
    when jsonb_typeof(reading #> '{profile,info,license,identifier}') = 'string'
      then reading #>> '{profile,info,license,identifier}'
    when jsonb_typeof(reading #> '{profile,info,license,name}') = 'string'
      then reading #>> '{profile,info,license,name}'
    else reading #>> '{profile,metadata,license}'
  end, '')
) stored;
