-- Of a listing that is out of the catalogue, since when it had been in it: whoever saw it is told that it is gone.

alter table listing add column withdrawn_published_at timestamptz;
