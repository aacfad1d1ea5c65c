-- since 18
-- Foreign keys of partitioned tables that are validated partition by partition.
CREATE TABLE referenced(id int PRIMARY KEY);
CREATE TABLE whole(id int, r int) PARTITION BY RANGE (id);
CREATE TABLE first PARTITION OF whole FOR VALUES FROM (0) TO (10);
CREATE TABLE second PARTITION OF whole FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);
CREATE TABLE second_part PARTITION OF second FOR VALUES FROM (10) TO (15);
INSERT INTO referenced VALUES (1); INSERT INTO whole VALUES (1, 1), (11, 1);
ALTER TABLE whole ADD CONSTRAINT fk FOREIGN KEY (r) REFERENCES referenced NOT VALID;
ALTER TABLE first VALIDATE CONSTRAINT fk;
ALTER TABLE second_part VALIDATE CONSTRAINT fk;
