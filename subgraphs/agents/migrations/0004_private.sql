-- PRIVATE is for the owner's administrators, not for all of the organization. Restrictive: whatever else lets a row
-- through, it must pass here too; what belongs to an agent or a run is seen and written through it.

create policy private on agent as restrictive using (
  visibility <> 'PRIVATE'
  or (select current_setting('app.administrator', true)) = 'on'
  or (select current_setting('app.internal', true)) = 'on'
);

create policy private on run as restrictive using (
  visibility <> 'PRIVATE'
  or (select current_setting('app.administrator', true)) = 'on'
  or (select current_setting('app.internal', true)) = 'on'
);
