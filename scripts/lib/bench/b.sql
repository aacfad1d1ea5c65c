-- B: one table of 1 GB. psql variable: scale.
CREATE TABLE large (id bigint PRIMARY KEY, grp integer NOT NULL, body text NOT NULL, amount numeric NOT NULL, at timestamptz NOT NULL);
INSERT INTO large
SELECT n, n % 1000, md5(n::text) || ' ' || repeat(md5((n % 1000)::text), 2) || ' row ' || n, n * 37 % 100000 / 100.0, timestamptz '2024-01-01' + n * interval '3 seconds'
  FROM generate_series(1, (6000000 * :scale)::integer) n;
