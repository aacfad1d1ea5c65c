-- accepting column-order
-- Children of inheritance that were made as tables of their own and joined their parent later: their
-- columns stand in an order that INHERITS cannot make again.
CREATE TABLE measure (unit text, amount integer, noted date DEFAULT '2026-01-01');
CREATE TABLE own_order (noted date, extra boolean, amount integer NOT NULL, unit text COLLATE "C");
ALTER TABLE own_order ALTER unit TYPE text COLLATE "default";
ALTER TABLE own_order INHERIT measure;
CREATE TABLE later (zeta integer, alpha integer) INHERITS (measure);
ALTER TABLE measure ADD COLUMN alpha integer, ADD COLUMN mid text DEFAULT 'm';
ALTER TABLE own_order ADD COLUMN last text;
CREATE TABLE other_parent (mid text, zeta integer);
CREATE TABLE two_parents (zeta integer, own text) INHERITS (measure, other_parent);
CREATE TABLE grandchild (mid text, amount integer) INHERITS (later);
ALTER TABLE other_parent ADD COLUMN own text;

INSERT INTO measure VALUES ('m', 1, '2026-02-01', 7, 'x');
INSERT INTO own_order (noted, extra, amount, unit, alpha, mid, last) VALUES ('2026-03-01', true, 2, 'kg', 8, 'y', 'l');
INSERT INTO later (unit, amount, noted, zeta, alpha, mid) VALUES ('s', 3, '2026-04-01', 9, 10, 'z');
INSERT INTO two_parents (unit, amount, zeta, own, alpha, mid) VALUES ('A', 4, 11, 'o', 12, 'w');
INSERT INTO grandchild (unit, amount, zeta, alpha, mid) VALUES ('K', 5, 13, 14, 'v');
