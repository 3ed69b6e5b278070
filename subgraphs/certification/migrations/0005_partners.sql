-- Which event of an organization its partners are known from: an older one changes nothing.

alter table organization add column version bigint not null default 0;
