-- Triggers of every kind, disabled ones included; none may fire while rows are loaded.
CREATE TABLE logged(id int PRIMARY KEY, a text, changed int DEFAULT 0);
CREATE TABLE log(n serial, what text);
CREATE FUNCTION write_log() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO log(what) VALUES (TG_NAME); RETURN NEW; END$$;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no'; END$$;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OF a ON logged FOR EACH ROW WHEN (NEW.a <> 'quiet') EXECUTE FUNCTION write_log('arg', 'it''s');
CREATE TRIGGER after_statement AFTER DELETE OR TRUNCATE ON logged FOR EACH STATEMENT EXECUTE FUNCTION write_log();
CREATE TRIGGER with_transition AFTER UPDATE ON logged REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION write_log();
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON logged DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION write_log();
INSERT INTO logged VALUES (1, 'x'), (2, 'quiet');
CREATE TRIGGER refuses BEFORE INSERT ON logged FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE logged DISABLE TRIGGER before_row;
ALTER TABLE logged ENABLE ALWAYS TRIGGER refuses;
ALTER TABLE logged ENABLE REPLICA TRIGGER at_commit;
CREATE VIEW logged_view AS SELECT * FROM logged;
CREATE TRIGGER instead INSTEAD OF UPDATE ON logged_view FOR EACH ROW EXECUTE FUNCTION write_log();
COMMENT ON TRIGGER refuses ON logged IS 'never';
