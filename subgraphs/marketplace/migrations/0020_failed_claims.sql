-- An accepted claim ends where the agent could not be handed over, as its subgraph tells.

alter table agent_claim drop constraint agent_claim_status_check;
alter table agent_claim add constraint agent_claim_status_check
  check (status in ('OPEN', 'ACCEPTED', 'REFUSED', 'WITHDRAWN', 'FAILED'));
