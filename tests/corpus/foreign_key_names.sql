-- Foreign keys that partitions have of their parent's, under names of their own.
CREATE TABLE target(id int PRIMARY KEY);
CREATE TABLE keyed(a int, f int, CONSTRAINT main FOREIGN KEY (f) REFERENCES target) PARTITION BY LIST (a);
CREATE TABLE keyed_same PARTITION OF keyed FOR VALUES IN (0);
-- There before its table was attached, and renamed afterwards.
CREATE TABLE keyed_before(a int, f int, CONSTRAINT "own 100%" FOREIGN KEY (f) REFERENCES target);
ALTER TABLE keyed ATTACH PARTITION keyed_before FOR VALUES IN (1);
COMMENT ON CONSTRAINT "own 100%" ON keyed_before IS 'own';
CREATE TABLE keyed_after PARTITION OF keyed FOR VALUES IN (2);
ALTER TABLE keyed_after RENAME CONSTRAINT main TO "re'named";
-- The parent's name is taken by something else, and by another foreign key.
CREATE TABLE keyed_check(a int, f int, CONSTRAINT main CHECK (a > 0));
ALTER TABLE keyed ATTACH PARTITION keyed_check FOR VALUES IN (3);
CREATE TABLE keyed_other PARTITION OF keyed FOR VALUES IN (4);
ALTER TABLE keyed_other RENAME CONSTRAINT main TO z;
ALTER TABLE keyed_other ADD CONSTRAINT main FOREIGN KEY (a) REFERENCES target;
-- Twins: one of them became the parent's.
CREATE TABLE keyed_twins(a int, f int, CONSTRAINT y FOREIGN KEY (f) REFERENCES target, CONSTRAINT x FOREIGN KEY (f) REFERENCES target);
ALTER TABLE keyed ATTACH PARTITION keyed_twins FOR VALUES IN (5);
-- Below each other: the upper one is renamed, and so is what comes later.
CREATE TABLE keyed_sub PARTITION OF keyed FOR VALUES IN (6, 7, 8, 9) PARTITION BY LIST (a);
CREATE TABLE keyed_sub_old PARTITION OF keyed_sub FOR VALUES IN (6);
ALTER TABLE keyed_sub RENAME CONSTRAINT main TO sub;
CREATE TABLE keyed_sub_new PARTITION OF keyed_sub FOR VALUES IN (7);
CREATE TABLE keyed_sub_own PARTITION OF keyed_sub FOR VALUES IN (8);
ALTER TABLE keyed_sub_own RENAME CONSTRAINT sub TO main_own;
-- Two keys that changed names.
CREATE TABLE two(a int, CONSTRAINT one_fk FOREIGN KEY (a) REFERENCES target, b int, CONSTRAINT two_fk FOREIGN KEY (b) REFERENCES target) PARTITION BY LIST (a);
CREATE TABLE two_swapped PARTITION OF two FOR VALUES IN (1);
ALTER TABLE two_swapped RENAME CONSTRAINT one_fk TO away;
ALTER TABLE two_swapped RENAME CONSTRAINT two_fk TO one_fk;
ALTER TABLE two_swapped RENAME CONSTRAINT away TO two_fk;
COMMENT ON CONSTRAINT one_fk ON two_swapped IS 'of b';
-- Not valid at the top, valid below.
CREATE TABLE loose(a int, b int) PARTITION BY LIST (a);
CREATE TABLE loose_valid PARTITION OF loose FOR VALUES IN (1);
ALTER TABLE loose_valid ADD CONSTRAINT mine FOREIGN KEY (b) REFERENCES target;
ALTER TABLE loose ADD CONSTRAINT theirs FOREIGN KEY (b) REFERENCES target;
-- To partitions, and of partitions to partitions.
CREATE TABLE split(id int PRIMARY KEY) PARTITION BY LIST (id);
CREATE TABLE split1 PARTITION OF split FOR VALUES IN (1);
CREATE TABLE split2 PARTITION OF split FOR VALUES IN (2);
CREATE TABLE to_split(id int, CONSTRAINT to_split_fk FOREIGN KEY (id) REFERENCES split) PARTITION BY LIST (id);
CREATE TABLE to_split1 PARTITION OF to_split FOR VALUES IN (1);
ALTER TABLE to_split1 RENAME CONSTRAINT to_split_fk TO of_first;
INSERT INTO target SELECT generate_series(0, 9);
INSERT INTO keyed SELECT n, n FROM generate_series(0, 8) n;
INSERT INTO split VALUES (1), (2);
INSERT INTO to_split VALUES (1);
