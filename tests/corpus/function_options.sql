-- as superuser
-- Everything a function may say about itself: window, support, leakproof, parallel, cost, settings, transforms.
CREATE FUNCTION my_row_number() RETURNS bigint LANGUAGE internal WINDOW IMMUTABLE STRICT AS 'window_row_number';
CREATE FUNCTION all_said(a int, OUT b int, INOUT c text DEFAULT 'x', VARIADIC d int[] DEFAULT '{}') RETURNS SETOF record
  LANGUAGE sql STABLE STRICT LEAKPROOF SECURITY DEFINER PARALLEL RESTRICTED COST 12.5 ROWS 7 AS 'SELECT 1, $2';
CREATE FUNCTION supported(int) RETURNS int LANGUAGE internal IMMUTABLE STRICT SUPPORT generate_series_int4_support AS 'int4abs';
CREATE FUNCTION settings() RETURNS void LANGUAGE plpgsql
  SET search_path = 'We ird', public, pg_temp SET "TimeZone" = 'Europe/Berlin' SET work_mem = '4MB'
  SET temp_tablespaces = '' SET application_name = 'it''s \ me' AS 'BEGIN END';
CREATE FUNCTION pinned() RETURNS int LANGUAGE sql SET search_path = '' AS 'SELECT 1';
CREATE FUNCTION defaults(a int DEFAULT 1 + 2, b text DEFAULT 'it''s', c timestamptz DEFAULT '2026-01-01 00:00:00+00') RETURNS int LANGUAGE sql RETURN a;
CREATE FUNCTION "Mixed Case"("select" int, "A b" "char") RETURNS TABLE("c c" int, d text) LANGUAGE sql AS $x$ SELECT 1, '$$' $x$;
CREATE FUNCTION dollars() RETURNS text LANGUAGE sql AS 'SELECT ''$_$ $function$ $$''::text';
CREATE FUNCTION endings() RETURNS text LANGUAGE plpgsql AS E'BEGIN\r\n  RETURN ''\\\\'';\r\n/* \\.\n\\.\n\\connect postgres\n*/\nEND';
ALTER FUNCTION pinned() OWNER TO app;
COMMENT ON FUNCTION "Mixed Case"(int, "char") IS E'first\n\\! echo second';
GRANT EXECUTE ON FUNCTION pinned() TO reader WITH GRANT OPTION;
