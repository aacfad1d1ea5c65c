-- Values at every edge: unused, used, exhausted, descending, at their limits, owned, unlogged.
CREATE SEQUENCE unused;
CREATE SEQUENCE used START 7;
SELECT nextval('used');
CREATE SEQUENCE set_unused;
SELECT setval('set_unused', 41, false);
CREATE SEQUENCE down INCREMENT -5 MAXVALUE -1 MINVALUE -11 CYCLE;
SELECT nextval('down'), nextval('down'), nextval('down'), nextval('down');
CREATE SEQUENCE lowest MINVALUE -9223372036854775808 START -9223372036854775808;
SELECT nextval('lowest');
CREATE SEQUENCE highest MAXVALUE 9223372036854775807 START 9223372036854775807;
SELECT nextval('highest');
CREATE SEQUENCE small AS smallint MAXVALUE 2 CACHE 10;
SELECT nextval('small'), nextval('small');
CREATE SEQUENCE turning MINVALUE 5 MAXVALUE 6 CYCLE;
SELECT nextval('turning'), nextval('turning'), nextval('turning');
CREATE TABLE owner_of_some(id serial, b bigserial, s smallserial);
INSERT INTO owner_of_some DEFAULT VALUES;
