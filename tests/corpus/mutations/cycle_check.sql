-- Single changes of tests/corpus/cycle_check.sql; `diff` must report each.
-- change: function of a check
CREATE OR REPLACE FUNCTION whole_row(t) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.a < 101';
-- change: check through the row less
ALTER TABLE t DROP CONSTRAINT through_row;
-- change: comment on it
COMMENT ON CONSTRAINT through_row ON t IS NULL;
