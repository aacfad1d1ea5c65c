-- as superuser
-- Schemas: owners, comments, grants, one that nobody uses, public with a comment of its own.
CREATE SCHEMA plain;
CREATE SCHEMA owned AUTHORIZATION app;
CREATE SCHEMA "With Upper" AUTHORIZATION reader;
COMMENT ON SCHEMA owned IS 'of app';
GRANT USAGE, CREATE ON SCHEMA owned TO reader WITH GRANT OPTION;
GRANT USAGE ON SCHEMA plain TO PUBLIC;
REVOKE CREATE ON SCHEMA "With Upper" FROM reader;
COMMENT ON SCHEMA public IS NULL;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO app, reader;
