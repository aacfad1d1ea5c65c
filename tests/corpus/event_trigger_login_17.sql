-- as superuser
-- since 17
-- An event trigger at login, from 17 on.
CREATE FUNCTION at_login() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1; END';
CREATE EVENT TRIGGER logs_in ON login EXECUTE FUNCTION at_login();
COMMENT ON EVENT TRIGGER logs_in IS 'on every connection';
ALTER EVENT TRIGGER logs_in ENABLE ALWAYS;
