-- since 15
-- Unlogged sequences, and identity columns whose sequence is logged otherwise than the table, from 15 on.
CREATE UNLOGGED SEQUENCE u; SELECT nextval('u');
CREATE UNLOGGED TABLE t(a int GENERATED ALWAYS AS IDENTITY, b serial);
ALTER SEQUENCE t_b_seq SET LOGGED;
INSERT INTO t DEFAULT VALUES;
