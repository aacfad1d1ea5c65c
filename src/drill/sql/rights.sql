-- Whether the connected role may make a database, and what it is called.
SELECT r.rolname AS role,
       r.rolcreatedb OR r.rolsuper AS may_create
FROM pg_catalog.pg_roles r
WHERE r.rolname = current_user;
