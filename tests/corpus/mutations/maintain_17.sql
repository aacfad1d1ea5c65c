-- Single changes of tests/corpus/maintain_17.sql; `diff` must report each.
-- change: grant option
REVOKE GRANT OPTION FOR MAINTAIN ON t FROM reader;
-- change: all again
GRANT MAINTAIN ON m TO reader;
-- change: the owner's right
GRANT MAINTAIN ON v TO app;
-- change: default
ALTER DEFAULT PRIVILEGES FOR ROLE app REVOKE MAINTAIN ON TABLES FROM reader;
