-- as superuser
-- Languages: with and without inline handler and validator, trusted or not, owner, comment, grants.
CREATE LANGUAGE whole HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler VALIDATOR plpgsql_validator;
CREATE TRUSTED LANGUAGE "Trusted One" HANDLER plpgsql_call_handler;
CREATE FUNCTION own_handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE TRUSTED LANGUAGE own HANDLER own_handler;
COMMENT ON LANGUAGE whole IS 'like plpgsql';
ALTER LANGUAGE own OWNER TO app;
GRANT USAGE ON LANGUAGE "Trusted One" TO reader WITH GRANT OPTION;
REVOKE USAGE ON LANGUAGE own FROM PUBLIC;
CREATE FUNCTION written() RETURNS int LANGUAGE "Trusted One" AS 'BEGIN RETURN 1; END';
