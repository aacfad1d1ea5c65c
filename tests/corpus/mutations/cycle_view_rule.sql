-- Single changes of tests/corpus/cycle_view_rule.sql; `diff` must report each.
-- change: query of a view
CREATE OR REPLACE VIEW by_key WITH (security_barrier) AS SELECT id, a, b, count(*) + 0 AS n FROM base GROUP BY id;
-- change: option of a view
ALTER VIEW by_key RESET (security_barrier);
-- change: default of a column
ALTER VIEW by_key ALTER COLUMN a DROP DEFAULT;
-- change: rule
DROP RULE into_key ON by_key;
-- change: grant of a column
REVOKE SELECT (n) ON by_key FROM reader;
-- change: a view of two
CREATE OR REPLACE VIEW second AS SELECT of_first(NULL::first) + 0 AS a;
