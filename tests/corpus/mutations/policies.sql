-- Single changes of tests/corpus/policies.sql; `diff` must report each.
-- change: permissive instead of restrictive
DROP POLICY "Read Some" ON t; CREATE POLICY "Read Some" ON t FOR SELECT TO reader, app USING (EXISTS (SELECT 1 FROM allowed al WHERE al.a = t.a AND al.who = current_user)); COMMENT ON POLICY "Read Some" ON t IS 'some';
-- change: check of a policy
ALTER POLICY changes ON t WITH CHECK (a < 101);
-- change: roles of a policy
ALTER POLICY removes ON t TO app;
-- change: row security without a policy
ALTER TABLE closed DISABLE ROW LEVEL SECURITY;
-- change: row security that was off
ALTER TABLE off ENABLE ROW LEVEL SECURITY;
-- change: name of a policy
ALTER POLICY unused ON off RENAME TO used;
