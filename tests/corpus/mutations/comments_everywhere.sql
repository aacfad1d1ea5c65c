-- Single changes of tests/corpus/comments_everywhere.sql; `diff` must report each.
-- change: a line of a comment
COMMENT ON TABLE t IS E'\\connect template1\n\\! touch y\n\\.\n$$ $_$ '' " \\ :a :''b''';
-- change: a carriage return less
COMMENT ON COLUMN t.a IS E'\n\t';
-- change: a space becomes nothing
COMMENT ON COLUMN v.a IS NULL;
-- change: comment on an index of a key
COMMENT ON INDEX k IS NULL;
-- change: comment on a large object
COMMENT ON LARGE OBJECT 4716 IS E'\\';
