-- Single changes of tests/corpus/foreign_data.sql; `diff` must report each.
-- change: an option of a wrapper
ALTER FOREIGN DATA WRAPPER "With Options" OPTIONS (SET dbname 'y');
-- change: a validator less
ALTER FOREIGN DATA WRAPPER validated NO VALIDATOR;
-- change: an option of a server
ALTER SERVER s OPTIONS (SET port '2');
-- change: a password
ALTER USER MAPPING FOR PUBLIC SERVER s OPTIONS (SET password 'p');
-- change: a mapping less
DROP USER MAPPING FOR app SERVER s;
-- change: an option of a column
ALTER FOREIGN TABLE f ALTER COLUMN a OPTIONS (DROP "Up");
-- change: an option of a table
ALTER FOREIGN TABLE f OPTIONS (ADD more '1');
-- change: a trigger on a foreign table
DROP TRIGGER on_foreign ON f;
-- change: a grant option
REVOKE GRANT OPTION FOR USAGE ON FOREIGN DATA WRAPPER plain FROM app;
