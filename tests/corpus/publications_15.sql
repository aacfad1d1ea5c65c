-- as superuser
-- since 15
-- Publications of columns, of rows, of whole schemas.
CREATE SCHEMA "Odd Schema";
CREATE TABLE "Odd Schema".t(a int PRIMARY KEY, "B b" int, c text);
CREATE PUBLICATION some_columns FOR TABLE "Odd Schema".t (a, "B b") WHERE (a > 3) WITH (publish = 'insert,delete');
CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA "Odd Schema", public;
CREATE TABLE public.u(a int PRIMARY KEY, b text);
CREATE PUBLICATION mixed FOR TABLE public.u, TABLES IN SCHEMA "Odd Schema";
ALTER PUBLICATION mixed OWNER TO postgres;
COMMENT ON PUBLICATION mixed IS 'both';
