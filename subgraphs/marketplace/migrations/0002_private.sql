-- PRIVATE is for the owner's administrators, not for all of the organization. Restrictive: whatever else lets a row
-- through, it must pass here too; ratings are seen with their listing.

create policy private on listing as restrictive using (
  visibility <> 'PRIVATE'
  or (select current_setting('app.administrator', true)) = 'on'
  or (select current_setting('app.internal', true)) = 'on'
);

-- Of its owner's agents a principal knows the certifications of those that it may see.
alter policy read_own on certification using (
  organization_id = (select current_setting('app.organization', true))
  and (
    (select current_setting('app.administrator', true)) = 'on'
    or exists (select from listing as l where l.agent_id = certification.agent_id)
  )
);
