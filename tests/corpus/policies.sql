-- Row security: for every command, permissive and restrictive, of several roles, with subqueries, forced, enabled without a policy.
CREATE TABLE t(a int, owner text DEFAULT current_user); CREATE TABLE allowed(a int, who name); CREATE TABLE closed(a int); CREATE TABLE off(a int);
INSERT INTO t VALUES (1, 'app'), (2, 'x'); INSERT INTO allowed VALUES (1, 'app');
CREATE POLICY everything ON t USING (true) WITH CHECK (a > 0);
CREATE POLICY "Read Some" ON t AS RESTRICTIVE FOR SELECT TO reader, app USING (EXISTS (SELECT 1 FROM allowed al WHERE al.a = t.a AND al.who = current_user));
CREATE POLICY adds ON t FOR INSERT TO CURRENT_USER WITH CHECK (owner = current_user);
CREATE POLICY changes ON t FOR UPDATE USING (a < 100) WITH CHECK (a < 100);
CREATE POLICY removes ON t FOR DELETE TO PUBLIC USING (false);
CREATE POLICY unused ON off USING (a = 1);
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE allowed FORCE ROW LEVEL SECURITY; ALTER TABLE closed ENABLE ROW LEVEL SECURITY;
COMMENT ON POLICY "Read Some" ON t IS 'some';
