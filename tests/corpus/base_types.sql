-- as superuser
-- Base types made of internal functions: shell first, all options that need no C code; a shell that stayed one.
CREATE TYPE never_defined;
CREATE TYPE "Upper Base";
CREATE FUNCTION base_in(cstring) RETURNS "Upper Base" LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION base_out("Upper Base") RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE FUNCTION base_receive(internal) RETURNS "Upper Base" LANGUAGE internal STABLE STRICT AS 'textrecv';
CREATE FUNCTION base_send("Upper Base") RETURNS bytea LANGUAGE internal STABLE STRICT AS 'textsend';
CREATE TYPE "Upper Base" (INPUT = base_in, OUTPUT = base_out, RECEIVE = base_receive, SEND = base_send, INTERNALLENGTH = VARIABLE,
  STORAGE = extended, CATEGORY = 'S', PREFERRED = false, DELIMITER = ';', COLLATABLE = true, DEFAULT = 'it''s');
COMMENT ON TYPE "Upper Base" IS 'like text';
ALTER TYPE "Upper Base" OWNER TO app;
CREATE TYPE fixed;
CREATE FUNCTION fixed_in(cstring) RETURNS fixed LANGUAGE internal IMMUTABLE STRICT AS 'point_in';
CREATE FUNCTION fixed_out(fixed) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'point_out';
CREATE TYPE fixed (INPUT = fixed_in, OUTPUT = fixed_out, INTERNALLENGTH = 16, ALIGNMENT = double, ELEMENT = float8);
CREATE TABLE t(a "Upper Base", b "Upper Base"[] DEFAULT NULL, c fixed);
INSERT INTO t VALUES ('x;y', '{"a;b";c}', '(1,2)'), (DEFAULT, NULL, NULL);
COMMENT ON TYPE never_defined IS 'not yet';
