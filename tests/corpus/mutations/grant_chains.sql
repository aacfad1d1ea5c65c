-- Single changes of tests/corpus/grant_chains.sql; `diff` must report each.
-- change: a grant passed on
SET LOCAL ROLE reader; REVOKE SELECT ON s.t FROM PUBLIC; RESET ROLE;
-- change: the same grant by the owner
SET LOCAL ROLE reader; REVOKE EXECUTE ON FUNCTION s.f() FROM postgres; RESET ROLE; SET LOCAL ROLE app; GRANT EXECUTE ON FUNCTION s.f() TO postgres; RESET ROLE;
-- change: a grant option passed on
SET LOCAL ROLE reader; REVOKE GRANT OPTION FOR INSERT ON s.t FROM postgres; RESET ROLE;
-- change: a column passed on
SET LOCAL ROLE reader; REVOKE UPDATE (b) ON s.t FROM PUBLIC; RESET ROLE;
-- change: what was passed on to the owner
REVOKE ALL (a) ON s.back FROM reader CASCADE;
-- change: the owner's own grant to itself
REVOKE SELECT ON s.lent FROM reader CASCADE; GRANT SELECT ON s.lent TO app;
