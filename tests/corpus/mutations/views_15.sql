-- Single changes of tests/corpus/views_15.sql; `diff` must report each.
-- change: rights of the owner
ALTER VIEW invoker RESET (security_invoker);
-- change: an option said differently
ALTER VIEW both_kinds RESET (security_barrier);
-- change: check option
ALTER VIEW both_kinds SET (check_option = local);
