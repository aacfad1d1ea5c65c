-- as superuser
-- The schema public was dropped and something else took its place.
DROP SCHEMA public;
CREATE SCHEMA ours AUTHORIZATION app;
CREATE TABLE ours.t(a int PRIMARY KEY);
INSERT INTO ours.t VALUES (1);
