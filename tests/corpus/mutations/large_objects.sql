-- Single changes of tests/corpus/large_objects.sql; `diff` must report each.
-- change: one byte
SELECT lo_put(4713, 500000, '\xfe');
-- change: one byte more
SELECT lo_put(4713, 1048576, '\xff');
-- change: an empty one filled
SELECT lo_put(4714, 0, '\x00');
-- change: a hole of zeros at the end
SELECT lo_put(4711, 100, '\x00');
-- change: another owner
ALTER LARGE OBJECT 4711 OWNER TO reader;
-- change: a grant less
REVOKE SELECT ON LARGE OBJECT 4712 FROM reader;
-- change: a comment less
COMMENT ON LARGE OBJECT 4711 IS NULL;
-- change: a large object less
SELECT lo_unlink(4714);
-- change: another number for the same bytes
SELECT lo_from_bytea(4715, lo_get(4711)); SELECT lo_unlink(4711);
