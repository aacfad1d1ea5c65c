-- Single changes of tests/corpus/default_privileges_18.sql; `diff` must report each.
-- change: a grant on large objects
ALTER DEFAULT PRIVILEGES FOR ROLE app REVOKE SELECT ON LARGE OBJECTS FROM reader;
-- change: a byte
SELECT lo_put(4715, 0, 'y');
