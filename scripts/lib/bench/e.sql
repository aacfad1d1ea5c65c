-- E: a partitioned table with 200 partitions. psql variable: scale.
CREATE TABLE readings (sensor integer NOT NULL, at timestamptz NOT NULL, value double precision, state text) PARTITION BY RANGE (sensor);
SELECT format('CREATE TABLE readings_%1$s PARTITION OF readings FOR VALUES FROM (%1$s) TO (%2$s)', n, n + 1)
  FROM generate_series(0, 199) n
\gexec
INSERT INTO readings
SELECT n % 200, timestamptz '2024-01-01' + n * interval '1 second', sqrt(n), 'state ' || n % 9
  FROM generate_series(1, (4000000 * :scale)::integer) n;
CREATE INDEX ON readings (sensor, at);
