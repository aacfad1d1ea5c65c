-- as superuser
-- Rights whose order matters, and rights whose order does not: what was taken and given again leaves the
-- same grants in another order, which are no grants to carry.
REVOKE USAGE ON LANGUAGE sql FROM PUBLIC;
GRANT USAGE ON LANGUAGE sql TO PUBLIC;
CREATE TABLE kept (id integer PRIMARY KEY);
GRANT SELECT ON kept TO app;
REVOKE ALL ON kept FROM postgres;
GRANT ALL ON kept TO postgres;
-- A column's grant comes after what is revoked from its table, a system column's too.
REVOKE SELECT ON pg_catalog.pg_proc FROM PUBLIC;
GRANT SELECT (tableoid, oid, proname) ON pg_catalog.pg_proc TO PUBLIC;
REVOKE SELECT ON kept FROM app;
GRANT SELECT (ctid, id) ON kept TO app;
INSERT INTO kept VALUES (1);
