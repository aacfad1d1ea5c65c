-- Single changes of tests/corpus/event_trigger_login_17.sql; `diff` must report each.
-- change: state
ALTER EVENT TRIGGER logs_in DISABLE;
-- change: comment
COMMENT ON EVENT TRIGGER logs_in IS NULL;
