-- as superuser
-- Rows that policies hide from their owner: nobody's rows may be lost.
CREATE TABLE t(a int); ALTER TABLE t OWNER TO app;
INSERT INTO t SELECT generate_series(1, 10);
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY few ON t USING (a < 3);
