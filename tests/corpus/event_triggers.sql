-- as superuser
-- Event triggers of every event, filtered, disabled, always, replica; they must not fire while restoring.
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no % here', tg_tag; END$$;
CREATE FUNCTION nothing() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE TABLE t(a int); CREATE MATERIALIZED VIEW m AS SELECT 1 AS a WITH NO DATA;
CREATE EVENT TRIGGER starts ON ddl_command_start WHEN TAG IN ('CREATE TABLE', 'DROP TABLE', 'CREATE INDEX') EXECUTE FUNCTION nothing();
CREATE EVENT TRIGGER "Ends" ON ddl_command_end EXECUTE FUNCTION nothing();
CREATE EVENT TRIGGER drops ON sql_drop EXECUTE FUNCTION nothing();
CREATE EVENT TRIGGER rewrites ON table_rewrite WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION nothing();
CREATE EVENT TRIGGER refuses ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA', 'COMMENT', 'CREATE VIEW') EXECUTE FUNCTION refuse();
ALTER EVENT TRIGGER drops ENABLE ALWAYS;
ALTER EVENT TRIGGER "Ends" ENABLE REPLICA;
ALTER EVENT TRIGGER starts DISABLE;
