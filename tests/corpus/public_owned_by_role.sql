-- as superuser
-- public belongs to a role.
ALTER SCHEMA public OWNER TO reader;
GRANT CREATE ON SCHEMA public TO app;
CREATE TABLE public.t(a int);
