-- as superuser
-- Aggregates: plain, of nothing, moving, parallel, ordered-set, hypothetical, polymorphic, with a sort operator.
CREATE FUNCTION add_up(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT coalesce($1, 0) + $2';
CREATE FUNCTION finish(int, int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1::text';
CREATE AGGREGATE total(int) (SFUNC = add_up, STYPE = int, INITCOND = '0', FINALFUNC = finish, FINALFUNC_EXTRA, FINALFUNC_MODIFY = SHAREABLE);
CREATE AGGREGATE everything(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0');
CREATE AGGREGATE moving("value" int) (SFUNC = int4pl, STYPE = int, MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = int, MINITCOND = '0', MFINALFUNC = int4abs, MFINALFUNC_MODIFY = READ_WRITE);
CREATE AGGREGATE together(numeric) (SFUNC = numeric_avg_accum, STYPE = internal, SSPACE = 128, FINALFUNC = numeric_avg, COMBINEFUNC = numeric_avg_combine, SERIALFUNC = numeric_avg_serialize, DESERIALFUNC = numeric_avg_deserialize, PARALLEL = SAFE);
CREATE AGGREGATE smallest(int) (SFUNC = int4smaller, STYPE = int, SORTOP = <);
CREATE AGGREGATE percentile(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE AGGREGATE my_rank(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
CREATE AGGREGATE collect(anycompatible) (SFUNC = array_append, STYPE = anycompatiblearray, INITCOND = '{}');
COMMENT ON AGGREGATE everything(*) IS 'all';
COMMENT ON AGGREGATE percentile(float8 ORDER BY anyelement) IS 'p';
REVOKE EXECUTE ON FUNCTION everything() FROM PUBLIC;
ALTER AGGREGATE total(int) OWNER TO app;
CREATE VIEW uses AS SELECT total(x), everything(*), percentile(0.5) WITHIN GROUP (ORDER BY x) FROM generate_series(1, 3) x;
