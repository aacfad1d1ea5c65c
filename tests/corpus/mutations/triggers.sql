-- Single changes of tests/corpus/triggers.sql; `diff` must report each.
-- change: an argument of a trigger
DROP TRIGGER before_row ON logged; CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OF a ON logged FOR EACH ROW WHEN (NEW.a <> 'quiet') EXECUTE FUNCTION write_log('arg', 'its'); ALTER TABLE logged DISABLE TRIGGER before_row;
-- change: columns of a trigger
DROP TRIGGER before_row ON logged; CREATE TRIGGER before_row BEFORE INSERT OR UPDATE ON logged FOR EACH ROW WHEN (NEW.a <> 'quiet') EXECUTE FUNCTION write_log('arg', 'it''s'); ALTER TABLE logged DISABLE TRIGGER before_row;
-- change: name of a transition table
DROP TRIGGER with_transition ON logged; CREATE TRIGGER with_transition AFTER UPDATE ON logged REFERENCING OLD TABLE AS older NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION write_log();
-- change: an always enabled trigger
ALTER TABLE logged ENABLE TRIGGER refuses;
-- change: a disabled trigger
ALTER TABLE logged ENABLE TRIGGER before_row;
-- change: a trigger of replicas
ALTER TABLE logged DISABLE TRIGGER at_commit;
-- change: all triggers of a table, those of constraints included
ALTER TABLE logged DISABLE TRIGGER ALL;
-- change: name of a trigger
ALTER TRIGGER instead ON logged_view RENAME TO rather;
-- change: what the trigger wrote
UPDATE log SET what = 'x' WHERE n = (SELECT min(n) FROM log);
