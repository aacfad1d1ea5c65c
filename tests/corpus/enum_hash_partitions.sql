-- Partitions by the hash of an enum: which one a row is in depends on OIDs, so rows come back by the root.
CREATE TYPE e AS ENUM ('a', 'b', 'c', 'd');
CREATE TABLE by_two(k int, e e) PARTITION BY HASH (k);
CREATE TABLE by_two_0 PARTITION OF by_two FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO by_two VALUES (1, 'a'), (2, 'b');
