-- as superuser
-- Operator families and classes: explicit and made by the way, loose members, order-by operators, storage, an empty one.
CREATE OPERATOR FAMILY whole USING btree;
ALTER OPERATOR FAMILY whole USING btree ADD FUNCTION 1 (int8, int4) btint84cmp(int8, int4), OPERATOR 1 <(int8, int4), OPERATOR 5 >(int8, int4);
CREATE OPERATOR CLASS whole_four FOR TYPE int4 USING btree FAMILY whole AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int4, int4), FUNCTION 2 btint4sortsupport(internal);
CREATE OPERATOR CLASS by_the_way FOR TYPE int4 USING hash AS OPERATOR 1 =, FUNCTION 1 hashint4(int4), FUNCTION 2 hashint4extended(int4, int8);
CREATE OPERATOR CLASS near FOR TYPE point USING gist AS OPERATOR 15 <->(point, point) FOR ORDER BY float_ops, OPERATOR 10 <@(point, box),
  FUNCTION 1 gist_point_consistent(internal, point, smallint, oid, internal), FUNCTION 2 gist_box_union(internal, internal), FUNCTION 3 gist_point_compress(internal),
  FUNCTION 5 gist_box_penalty(internal, internal, internal), FUNCTION 6 gist_box_picksplit(internal, internal), FUNCTION 7 gist_box_same(box, box, internal),
  FUNCTION 8 gist_point_distance(internal, point, smallint, oid, internal), STORAGE box;
CREATE OPERATOR CLASS "Empty One" FOR TYPE int4 USING btree AS STORAGE int4;
COMMENT ON OPERATOR CLASS whole_four USING btree IS 'class';
COMMENT ON OPERATOR FAMILY whole USING btree IS 'family';
ALTER OPERATOR FAMILY whole USING btree OWNER TO app;
ALTER OPERATOR CLASS by_the_way USING hash OWNER TO app;
CREATE TABLE t(a int, p point);
INSERT INTO t SELECT n, point(n, n) FROM generate_series(1, 20) n;
CREATE INDEX with_class ON t (a whole_four);
CREATE INDEX with_hash ON t USING hash (a by_the_way);
CREATE INDEX with_gist ON t USING gist (p near);
