-- C: 10,000 small tables, each with serial key, index, check and a foreign key. psql variable: scale.
SELECT format('CREATE TABLE t%1$s (id serial PRIMARY KEY, a integer NOT NULL CHECK (a >= 0), b text, other integer%2$s);
               CREATE INDEX ON t%1$s (b);
               INSERT INTO t%1$s (a, b, other) SELECT n, md5(n::text), n FROM generate_series(1, 10) n',
              n, CASE WHEN n > 1 THEN ' REFERENCES t' || n - 1 END)
  FROM generate_series(1, (10000 * :scale)::integer) n
\gexec
