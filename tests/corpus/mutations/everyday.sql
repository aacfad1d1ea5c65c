-- Single changes of tests/corpus/everyday.sql; `diff` must report each.
-- change: one row more
INSERT INTO shop.users (id, email) VALUES (99, 'z@x');
-- change: one of two equal rows less
DELETE FROM shop.fast WHERE ctid = (SELECT min(ctid) FROM shop.fast WHERE n = 1);
-- change: a tab becomes a space
UPDATE shop.users SET name = replace(name, E'\t', ' ') WHERE id = 1;
-- change: NULL becomes the empty string
UPDATE shop.users SET name = '' WHERE name IS NULL;
-- change: one byte of a picture
UPDATE shop.listings SET picture = set_byte(picture, 1, 254) WHERE id = 7;
-- change: two rows exchange a value
UPDATE shop.listings SET owner = CASE id WHEN 1 THEN 3 ELSE 2 END WHERE id IN (1, 2);
-- change: a row moves to another partition
UPDATE shop.events SET at = '2025-05-06' WHERE what = 'outside';
-- change: scale of a numeric
ALTER TABLE shop.users ALTER COLUMN score TYPE numeric(10, 3);
-- change: name of a composite type's attribute
ALTER TYPE shop.address RENAME ATTRIBUTE zip TO code;
-- change: expression of a CHECK
ALTER TABLE shop.users DROP CONSTRAINT users_score_check, ADD CONSTRAINT users_score_check CHECK (score > -1);
-- change: expression of a generated column
ALTER TABLE shop.users DROP COLUMN initial, ADD COLUMN initial text GENERATED ALWAYS AS (lower("left"(name, 1))) STORED;
-- change: action of a foreign key
ALTER TABLE shop.listings DROP CONSTRAINT listings_owner_fkey, ADD CONSTRAINT listings_owner_fkey FOREIGN KEY (owner) REFERENCES shop.users (id) ON DELETE SET NULL;
-- change: predicate of an index
DROP INDEX shop.listings_status; CREATE INDEX listings_status ON shop.listings (status, lower(id::text)) WHERE owner IS NULL;
-- change: order of an index column
DROP INDEX shop."Listings Unique"; CREATE UNIQUE INDEX "Listings Unique" ON shop.listings (id DESC) INCLUDE (owner);
-- change: query of a view
CREATE OR REPLACE VIEW shop.active WITH (security_barrier = true) AS SELECT u.id, u.email, count(l.id) AS listings FROM shop.users AS u JOIN shop.listings AS l ON l.owner = u.id GROUP BY u.id;
-- change: body of a trigger function
CREATE OR REPLACE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
-- change: default of an argument
CREATE OR REPLACE FUNCTION shop.add(a integer, b integer DEFAULT 3) RETURNS integer LANGUAGE sql IMMUTABLE STRICT RETURN a + b;
-- change: a trigger's condition
DROP TRIGGER touch ON shop.users; CREATE TRIGGER touch BEFORE UPDATE OF name ON shop.users FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION shop.touch(); ALTER TABLE shop.users DISABLE TRIGGER touch;
-- change: a policy's expression
ALTER POLICY own ON shop.listings USING (owner = 2);
-- change: a policy loses its check
DROP POLICY strict ON shop.listings; CREATE POLICY strict ON shop.listings AS RESTRICTIVE USING (status <> 'gone');
-- change: a grant of a column less
REVOKE UPDATE (email) ON shop.users FROM reader;
-- change: the version row
UPDATE public.alembic_version SET version_num = '3c4e4feca861';
-- change: a second version row
INSERT INTO public.alembic_version VALUES ('another');
