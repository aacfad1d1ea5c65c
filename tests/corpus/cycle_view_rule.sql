-- Cycles 2 and 3: a view and its own rule; through a function over its row type; by GROUP BY on a key; of several views.
CREATE TABLE base(id int PRIMARY KEY, a text, b text);
INSERT INTO base VALUES (1, 'x', 'y');
CREATE VIEW by_key WITH (security_barrier) AS SELECT id, a, b, count(*) AS n FROM base GROUP BY id;
CREATE VIEW over_key AS SELECT n FROM by_key;
CREATE VIEW rowish AS SELECT 1 AS n, 'x'::text COLLATE "C" AS t;
CREATE FUNCTION of_row(rowish) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE OR REPLACE VIEW rowish AS SELECT of_row(NULL::rowish) AS n, 'x'::text COLLATE "C" AS t;
CREATE VIEW first AS SELECT 1 AS a; CREATE VIEW second AS SELECT 1 AS a;
CREATE FUNCTION of_first(first) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION of_second(second) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE OR REPLACE VIEW first AS SELECT of_second(NULL::second) AS a;
CREATE OR REPLACE VIEW second AS SELECT of_first(NULL::first) AS a;
CREATE VIEW checked AS SELECT id, a, b FROM base GROUP BY id;
COMMENT ON VIEW by_key IS 'v'; COMMENT ON COLUMN by_key.n IS 'c'; GRANT SELECT (n) ON by_key TO reader;
CREATE RULE into_key AS ON INSERT TO by_key DO INSTEAD NOTHING;
ALTER VIEW by_key ALTER COLUMN a SET DEFAULT 'd';
