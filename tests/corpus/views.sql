-- Views upon views, a cycle through a rule, materialized views with and without data.
CREATE TABLE sales(id int PRIMARY KEY, region text, amount numeric);
INSERT INTO sales SELECT n, 'r' || n % 3, n * 1.10 FROM generate_series(1, 30) n;
CREATE VIEW big AS SELECT * FROM sales WHERE amount > 10 WITH LOCAL CHECK OPTION;
CREATE VIEW by_region(region, total) WITH (security_barrier = true) AS SELECT region, sum(amount) FROM big GROUP BY 1;
CREATE VIEW grouped_by_key AS SELECT id, region, amount FROM sales GROUP BY id;
CREATE RECURSIVE VIEW numbers(n) AS VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 5;
ALTER VIEW big ALTER COLUMN region SET DEFAULT 'unknown';
COMMENT ON COLUMN by_region.total IS 'sum';
CREATE MATERIALIZED VIEW totals AS SELECT region, total FROM by_region WITH DATA;
CREATE UNIQUE INDEX totals_region ON totals(region);
CREATE MATERIALIZED VIEW of_totals AS SELECT count(*) AS n FROM totals;
CREATE MATERIALIZED VIEW empty_one AS SELECT * FROM sales WITH NO DATA;
CREATE VIEW over_materialized AS SELECT * FROM of_totals;
COMMENT ON MATERIALIZED VIEW totals IS 'refreshed by hand';
CREATE RULE no_delete AS ON DELETE TO sales WHERE old.id = 1 DO INSTEAD NOTHING;
CREATE RULE insert_into_view AS ON INSERT TO by_region DO INSTEAD INSERT INTO sales VALUES (100, new.region, new.total);
ALTER TABLE sales DISABLE RULE no_delete;
