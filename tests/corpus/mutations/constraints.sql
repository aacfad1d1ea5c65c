-- Single changes of tests/corpus/constraints.sql; `diff` must report each.
-- change: update action of a foreign key
ALTER TABLE books DROP CONSTRAINT by_author, ADD CONSTRAINT by_author FOREIGN KEY (author) REFERENCES authors ON DELETE CASCADE ON UPDATE CASCADE;
-- change: a foreign key is no longer deferred
ALTER TABLE authors ALTER CONSTRAINT favourite_book DEFERRABLE INITIALLY IMMEDIATE;
-- change: columns of a primary key in another order
ALTER TABLE pairs DROP CONSTRAINT pairs_pkey CASCADE, ADD CONSTRAINT pairs_pkey PRIMARY KEY (a, b);
-- change: an included column less
ALTER TABLE books DROP CONSTRAINT books_pkey CASCADE, ADD CONSTRAINT books_pkey PRIMARY KEY (id); ALTER TABLE authors ADD CONSTRAINT favourite_book FOREIGN KEY (favourite) REFERENCES books DEFERRABLE INITIALLY DEFERRED;
-- change: match type of a foreign key
ALTER TABLE refers DROP CONSTRAINT refers_b_a_fkey, ADD CONSTRAINT refers_b_a_fkey FOREIGN KEY (b, a) REFERENCES pairs (b, a);
-- change: predicate of an exclusion constraint
ALTER TABLE rooms DROP CONSTRAINT rooms_during_excl, ADD CONSTRAINT rooms_during_excl EXCLUDE USING gist (during WITH &&);
-- change: a foreign key is validated
ALTER TABLE refers VALIDATE CONSTRAINT later;
-- change: cluster mark
ALTER TABLE books SET WITHOUT CLUSTER;
-- change: replica identity
ALTER TABLE books REPLICA IDENTITY DEFAULT;
-- change: an element of an array
UPDATE tree SET path = '{1}' WHERE id = 2;
