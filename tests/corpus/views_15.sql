-- since 15
-- What views may say from 15 on: security_invoker.
CREATE TABLE t(a int);
CREATE VIEW invoker WITH (security_invoker = true) AS SELECT a FROM t;
CREATE VIEW both_kinds WITH (security_invoker = on, security_barrier = false) AS SELECT a FROM t WHERE a > 0 WITH CASCADED CHECK OPTION;
