-- Single changes of tests/corpus/domains.sql; `diff` must report each.
-- change: default
ALTER DOMAIN year SET DEFAULT 2001;
-- change: a check less
ALTER DOMAIN year DROP CONSTRAINT high;
-- change: name of a check
ALTER DOMAIN year RENAME CONSTRAINT low TO lower;
-- change: NOT NULL
ALTER DOMAIN era DROP NOT NULL;
-- change: grant
GRANT USAGE ON TYPE year TO PUBLIC;
-- change: a value
UPDATE t SET ws = '{a,c}' WHERE w = 'x';
