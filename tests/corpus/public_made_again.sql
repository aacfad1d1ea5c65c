-- as superuser
-- public was dropped and made again, as resetting a database often does: nobody else has any use of it,
-- and nothing says so, its list of grants being empty.
DROP SCHEMA public;
CREATE SCHEMA public;
CREATE TABLE public.t(a int);
