-- as superuser
-- since 18
-- Publications that publish generated columns, from 18 on.
CREATE TABLE t(a int PRIMARY KEY, b int GENERATED ALWAYS AS (a * 2) STORED);
CREATE PUBLICATION stored FOR TABLE t WITH (publish_generated_columns = stored);
CREATE PUBLICATION without FOR TABLE t WITH (publish_generated_columns = none);
CREATE PUBLICATION listed FOR TABLE t (a, b);
INSERT INTO t VALUES (1);
