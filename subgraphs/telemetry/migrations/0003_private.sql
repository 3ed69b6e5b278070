-- PRIVATE is for the owner's administrators, not for all of the organization. Restrictive: whatever else lets a row
-- through, it must pass here too; usage is seen with its agent.

create policy private on agent as restrictive using (
  visibility <> 'PRIVATE'
  or (select current_setting('app.administrator', true)) = 'on'
  or (select current_setting('app.internal', true)) = 'on'
);
