-- as superuser
-- since 18
-- Default privileges of large objects, from 18 on.
ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON LARGE OBJECTS TO reader;
ALTER DEFAULT PRIVILEGES FOR ROLE app REVOKE ALL ON LARGE OBJECTS FROM app;
SELECT lo_from_bytea(4715, 'x');
