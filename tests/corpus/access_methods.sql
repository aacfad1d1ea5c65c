-- as superuser
-- Access methods for tables and indexes, and what uses them.
CREATE ACCESS METHOD heap_again TYPE TABLE HANDLER heap_tableam_handler;
CREATE ACCESS METHOD "Tree Again" TYPE INDEX HANDLER bthandler;
COMMENT ON ACCESS METHOD heap_again IS 'a heap';
CREATE TABLE t(a int) USING heap_again;
CREATE TABLE u(a int);
CREATE MATERIALIZED VIEW m USING heap_again AS SELECT 1 AS a;
INSERT INTO t VALUES (1), (2);
CREATE OPERATOR CLASS again DEFAULT FOR TYPE int4 USING "Tree Again" AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int4, int4);
