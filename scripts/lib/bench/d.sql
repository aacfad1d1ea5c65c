-- D, wide rows: 20,000 of 50 kB text and bytea. psql variable: scale.
CREATE TABLE wide (id integer PRIMARY KEY, body text NOT NULL, file bytea NOT NULL);
INSERT INTO wide
SELECT n, (SELECT string_agg(md5(n || 'text' || k), ' ') FROM generate_series(1, 900) k),
       (SELECT string_agg(decode(md5(n || 'file' || k), 'hex'), '') FROM generate_series(1, 1250) k)
  FROM generate_series(1, (20000 * :scale)::integer) n;
