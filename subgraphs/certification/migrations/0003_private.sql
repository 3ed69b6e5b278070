-- PRIVATE is for the owner's administrators, not for all of the organization. Restrictive: whatever else lets a row
-- through, it must pass here too; gate results are seen with their certification.

create policy private on certification as restrictive using (
  visibility <> 'PRIVATE'
  or (select current_setting('app.administrator', true)) = 'on'
  or (select current_setting('app.internal', true)) = 'on'
);
