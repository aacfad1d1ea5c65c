-- Single changes of tests/corpus/cycle_domain.sql; `diff` must report each.
-- change: check through a function less
ALTER DOMAIN d DROP CONSTRAINT through_function;
-- change: default of the domain above
ALTER DOMAIN over_it SET DEFAULT 6;
-- change: comment
COMMENT ON CONSTRAINT through_function ON DOMAIN d IS NULL;
