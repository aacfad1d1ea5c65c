-- Single changes of tests/corpus/event_triggers.sql; `diff` must report each.
-- change: a tag less
DROP EVENT TRIGGER starts; CREATE EVENT TRIGGER starts ON ddl_command_start WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION nothing(); ALTER EVENT TRIGGER starts DISABLE;
-- change: function
DROP EVENT TRIGGER drops; CREATE EVENT TRIGGER drops ON sql_drop EXECUTE FUNCTION refuse(); ALTER EVENT TRIGGER drops ENABLE ALWAYS;
-- change: state
ALTER EVENT TRIGGER "Ends" ENABLE;
-- change: an event trigger less
DROP EVENT TRIGGER rewrites;
