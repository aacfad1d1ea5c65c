-- Single changes of tests/corpus/sequences_15.sql; `diff` must report each.
-- change: a logged sequence
ALTER SEQUENCE u SET LOGGED;
-- change: an unlogged sequence of a column
ALTER SEQUENCE t_b_seq SET UNLOGGED;
-- change: sequence of an identity column
ALTER SEQUENCE t_a_seq SET LOGGED;
