-- Single changes of tests/corpus/rights_order.sql; `diff` must report each.
-- change: a language for all less
REVOKE USAGE ON LANGUAGE sql FROM PUBLIC;
-- change: the owner's right less
REVOKE TRUNCATE ON kept FROM postgres;
-- change: a column of a system catalog
REVOKE SELECT (proname) ON pg_catalog.pg_proc FROM PUBLIC;
-- change: a system column
REVOKE SELECT (ctid) ON kept FROM app;
