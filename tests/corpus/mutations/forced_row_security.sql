-- Single changes of tests/corpus/forced_row_security.sql; `diff` must report each.
-- change: a hidden row
DELETE FROM t WHERE a = 10;
-- change: the policy
ALTER POLICY few ON t USING (a < 4);
-- change: no longer forced
ALTER TABLE t NO FORCE ROW LEVEL SECURITY;
