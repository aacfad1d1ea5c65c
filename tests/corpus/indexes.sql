-- Index methods, expressions, options.
CREATE TABLE docs(id int, t text, j jsonb, v tsvector, r int4range, a int[]);
INSERT INTO docs SELECT n, md5(n::text), jsonb_build_object('n', n), to_tsvector('simple', md5(n::text)), int4range(n, n + 2), ARRAY[n] FROM generate_series(1, 500) n;
CREATE INDEX plain ON docs(id DESC NULLS LAST, t COLLATE "C" text_pattern_ops);
CREATE UNIQUE INDEX partial ON docs(lower(t)) WHERE id > 10 AND t IS NOT NULL;
CREATE INDEX covering ON docs(id) INCLUDE (t) WITH (fillfactor = 60);
CREATE INDEX hashed ON docs USING hash (t);
CREATE INDEX gin_json ON docs USING gin (j jsonb_path_ops) WITH (fastupdate = off);
CREATE INDEX gin_words ON docs USING gin (v);
CREATE INDEX gist_range ON docs USING gist (r);
CREATE INDEX brin_id ON docs USING brin (id) WITH (pages_per_range = 16);
CREATE INDEX expressed ON docs(((j ->> 'n')::int), (a[1]));
ALTER INDEX expressed ALTER COLUMN 1 SET STATISTICS 700;
COMMENT ON INDEX plain IS 'ordinary';
