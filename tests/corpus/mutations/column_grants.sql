-- Single changes of tests/corpus/column_grants.sql; `diff` must report each.
-- change: a column less
REVOKE SELECT ("B b") ON t FROM reader;
-- change: a grant option
REVOKE GRANT OPTION FOR SELECT (c) ON t FROM app;
-- change: a system column
REVOKE SELECT (ctid) ON t FROM reader;
-- change: a column of a view
REVOKE UPDATE (a) ON v FROM PUBLIC;
-- change: a column of a partition
GRANT SELECT (b) ON p1 TO reader;
