-- since 18
-- Keys WITHOUT OVERLAPS and foreign keys with PERIOD, from 18 on.
CREATE TABLE t(id int4range, valid daterange, x int, CONSTRAINT t_pk PRIMARY KEY (id, valid WITHOUT OVERLAPS));
CREATE TABLE u(id int4range, valid datemultirange, CONSTRAINT u_uq UNIQUE (id, valid WITHOUT OVERLAPS) DEFERRABLE);
CREATE TABLE f(id int4range, valid daterange, parent int4range, FOREIGN KEY (parent, PERIOD valid) REFERENCES t (id, PERIOD valid));
INSERT INTO t VALUES ('[1,2)', '[2025-01-01,2026-01-01)', 1), ('[1,2)', '[2026-01-01,2027-01-01)', 2);
INSERT INTO u VALUES ('[1,2)', '{[2025-01-01,2026-01-01)}'); INSERT INTO f VALUES ('[5,6)', '[2025-03-01,2026-03-01)', '[1,2)');
COMMENT ON CONSTRAINT t_pk ON t IS 'over time';
