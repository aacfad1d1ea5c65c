-- Single changes of tests/corpus/views.sql; `diff` must report each.
-- change: check option
ALTER VIEW big SET (check_option = cascaded);
-- change: no check option
ALTER VIEW big RESET (check_option);
-- change: security barrier
ALTER VIEW by_region SET (security_barrier = false);
-- change: rights of the caller (since 15)
ALTER VIEW by_region SET (security_invoker = true);
-- change: a view's condition
CREATE OR REPLACE VIEW big AS SELECT * FROM sales WHERE amount > 11 WITH LOCAL CHECK OPTION;
-- change: default of a view's column
ALTER VIEW big ALTER COLUMN region DROP DEFAULT;
-- change: name of a view's column
ALTER VIEW by_region RENAME COLUMN total TO sum;
-- change: a materialized view is emptied
REFRESH MATERIALIZED VIEW totals WITH NO DATA;
-- change: a materialized view is filled
REFRESH MATERIALIZED VIEW empty_one;
-- change: a rule is enabled
ALTER TABLE sales ENABLE RULE no_delete;
-- change: a rule's action
CREATE OR REPLACE RULE insert_into_view AS ON INSERT TO by_region DO INSTEAD INSERT INTO sales VALUES (101, new.region, new.total);
-- change: a recursive view's end
CREATE OR REPLACE RECURSIVE VIEW numbers(n) AS VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 6;
-- change: index of a materialized view
DROP INDEX totals_region;
