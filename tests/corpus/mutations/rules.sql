-- Single changes of tests/corpus/rules.sql; `diff` must report each.
-- change: action of a rule
CREATE OR REPLACE RULE del AS ON DELETE TO v DO INSTEAD NOTHING;
-- change: condition of a rule
CREATE OR REPLACE RULE upd AS ON UPDATE TO v WHERE new.a > old.a DO INSTEAD (UPDATE t SET a = new.a WHERE a = old.a; INSERT INTO log VALUES (new.a, 'it''s; two'));
-- change: state of a rule
ALTER TABLE t ENABLE RULE also;
-- change: state of a rule that is always on
ALTER TABLE log ENABLE RULE kept;
-- change: name of a rule
ALTER RULE upd_rest ON v RENAME TO upd_others;
