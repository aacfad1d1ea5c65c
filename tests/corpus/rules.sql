-- Rules: on every event, conditional, of several actions, with NOTIFY, enabled in every way, with comments.
CREATE TABLE t(a int, b text); CREATE TABLE log(a int, what text); CREATE VIEW v AS SELECT a, b FROM t;
CREATE RULE "Insert Into" AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (new.a, new.b) RETURNING t.a, t.b;
CREATE RULE upd AS ON UPDATE TO v WHERE new.a <> old.a DO INSTEAD (UPDATE t SET a = new.a WHERE a = old.a; INSERT INTO log VALUES (new.a, 'it''s; two'));
CREATE RULE upd_rest AS ON UPDATE TO v DO INSTEAD NOTHING;
CREATE RULE del AS ON DELETE TO v DO INSTEAD DELETE FROM t WHERE a = old.a;
CREATE RULE also AS ON INSERT TO t DO ALSO (INSERT INTO log SELECT new.a, 'big' WHERE new.a > 5; NOTIFY "Some Channel");
CREATE RULE kept AS ON DELETE TO log DO INSTEAD NOTHING;
INSERT INTO t VALUES (1, 'x');
ALTER TABLE t DISABLE RULE also; ALTER TABLE log ENABLE ALWAYS RULE kept;
COMMENT ON RULE "Insert Into" ON v IS 'i';
