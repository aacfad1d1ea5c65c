-- since 18
-- NOT NULL as a constraint, from 18 on: named, NOT VALID, NO INHERIT, inherited, with comments; NOT ENFORCED checks and keys.
CREATE TABLE t(a int CONSTRAINT must NOT NULL, b int NOT NULL NO INHERIT, c int, d text, CONSTRAINT "Quoted One" NOT NULL d);
INSERT INTO t VALUES (1, 2, NULL, 'x');
CREATE TABLE child(e int) INHERITS (t); CREATE TABLE local(a int CONSTRAINT mine NOT NULL) INHERITS (t);
ALTER TABLE t ADD CONSTRAINT later NOT NULL c NOT VALID;
COMMENT ON CONSTRAINT must ON t IS 'it must'; COMMENT ON CONSTRAINT later ON t IS 'some day';
CREATE TABLE keyed(id int PRIMARY KEY, a int, CONSTRAINT loose CHECK (a > 0) NOT ENFORCED, CONSTRAINT tight CHECK (a < 100) ENFORCED);
CREATE TABLE refers(id int, CONSTRAINT loose_key FOREIGN KEY (id) REFERENCES keyed NOT ENFORCED);
INSERT INTO keyed VALUES (1, -5); INSERT INTO refers VALUES (77);
CREATE TABLE p(a int NOT NULL, b int CONSTRAINT named NOT NULL) PARTITION BY LIST (a);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2(b int CONSTRAINT named NOT NULL, a int CONSTRAINT other NOT NULL); ALTER TABLE p ATTACH PARTITION p2 FOR VALUES IN (2);
-- Default names that other tables have, too: of a detached partition, of a copy by LIKE, of a child no more, of a person's choice.
CREATE TABLE events(id int NOT NULL, k int) PARTITION BY LIST (k);
CREATE TABLE e2024 PARTITION OF events FOR VALUES IN (1); ALTER TABLE events DETACH PARTITION e2024;
CREATE TABLE ids(a int NOT NULL); CREATE TABLE "T"(LIKE ids); INSERT INTO ids VALUES (1);
CREATE TABLE zp(a int NOT NULL); CREATE TABLE ac() INHERITS (zp); ALTER TABLE ac NO INHERIT zp;
CREATE TABLE users(id int NOT NULL); CREATE TABLE accounts(id int CONSTRAINT users_id_not_null NOT NULL);
