-- Single changes of tests/corpus/function_options.sql; `diff` must report each.
-- change: leakproof
ALTER FUNCTION all_said NOT LEAKPROOF;
-- change: support function
UPDATE pg_catalog.pg_proc SET prosupport = 0 WHERE proname = 'supported';
-- change: window
UPDATE pg_catalog.pg_proc SET prokind = 'f' WHERE proname = 'my_row_number';
-- change: an element of search_path
ALTER FUNCTION settings SET search_path = 'We ird', public;
-- change: order of settings
ALTER FUNCTION settings RESET work_mem; ALTER FUNCTION settings SET work_mem = '8MB';
-- change: a quoted setting
ALTER FUNCTION settings SET application_name = 'its \ me';
-- change: a default
CREATE OR REPLACE FUNCTION defaults(a int DEFAULT 1 + 3, b text DEFAULT 'it''s', c timestamptz DEFAULT '2026-01-01 00:00:00+00') RETURNS int LANGUAGE sql RETURN a;
-- change: line ends of a body
UPDATE pg_catalog.pg_proc SET prosrc = replace(prosrc, E'\r\n', E'\n') WHERE proname = 'endings';
-- change: a grant option
REVOKE GRANT OPTION FOR EXECUTE ON FUNCTION pinned() FROM reader;
