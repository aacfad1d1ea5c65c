-- Cycle 4: materialized views that need a key, through others, with indexes and rows.
CREATE TABLE base(id int PRIMARY KEY, a text); INSERT INTO base VALUES (1, 'x'), (2, 'y');
CREATE MATERIALIZED VIEW postponed AS SELECT id, a FROM base GROUP BY id;
CREATE MATERIALIZED VIEW above AS SELECT count(*) AS n FROM postponed;
CREATE VIEW between_them AS SELECT n FROM above;
CREATE MATERIALIZED VIEW top AS SELECT n + 1 AS m FROM between_them WITH NO DATA;
CREATE UNIQUE INDEX one_id ON postponed(id); CREATE INDEX on_above ON above(n);
COMMENT ON MATERIALIZED VIEW above IS 'm'; COMMENT ON COLUMN postponed.a IS 'c'; GRANT SELECT ON postponed TO reader;
ALTER MATERIALIZED VIEW postponed CLUSTER ON one_id; ALTER MATERIALIZED VIEW postponed ALTER COLUMN a SET STATISTICS 7;
CREATE STATISTICS s ON id, a FROM postponed;
