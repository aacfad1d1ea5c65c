-- Cycle 5: functions whose body needs a primary key, and what needs those functions.
CREATE TABLE base(id int PRIMARY KEY, a text); INSERT INTO base VALUES (1, 'x');
CREATE FUNCTION needs_key() RETURNS SETOF text LANGUAGE sql BEGIN ATOMIC SELECT a FROM base GROUP BY id; END;
CREATE PROCEDURE also_needs() LANGUAGE sql BEGIN ATOMIC INSERT INTO base SELECT id + 1, a FROM base GROUP BY id; END;
CREATE VIEW on_function AS SELECT * FROM needs_key();
CREATE FUNCTION on_view() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM on_function; END;
COMMENT ON FUNCTION needs_key() IS 'f'; REVOKE EXECUTE ON FUNCTION needs_key() FROM PUBLIC; GRANT EXECUTE ON PROCEDURE also_needs() TO reader;
CREATE FUNCTION counts_by_key() RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count(*) FROM (SELECT id, a FROM base GROUP BY id) q; END;
CREATE TABLE defaulted(a bigint DEFAULT counts_by_key(), b int);
INSERT INTO defaulted(b) VALUES (1), (2);
