-- Single changes of tests/corpus/publications_15.sql; `diff` must report each.
-- change: a row filter
ALTER PUBLICATION some_columns SET TABLE "Odd Schema".t (a, "B b") WHERE (a > 4);
-- change: no row filter
ALTER PUBLICATION some_columns SET TABLE "Odd Schema".t (a, "B b");
-- change: a column less
ALTER PUBLICATION some_columns SET TABLE "Odd Schema".t (a) WHERE (a > 3);
-- change: a schema less
ALTER PUBLICATION of_schema DROP TABLES IN SCHEMA public;
-- change: a table less
ALTER PUBLICATION mixed DROP TABLE public.u;
