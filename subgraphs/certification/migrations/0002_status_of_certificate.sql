-- Whoever holds a certificate may know whether it is in force, also of an agent that it may not see: asked as the
-- subgraph itself, on the connection that the request has.

create function status_of_certificate(shown uuid) returns table (status text, certificate text)
language sql stable set "app.internal" = 'on'
as $$ select c.status, c.certificate from certification as c where c.id = shown $$;
