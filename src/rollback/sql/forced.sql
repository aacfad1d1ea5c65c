-- Tables whose policies bind even their owner, for a role that policies bind: it could not read the rows.
SELECT namespace.nspname AS schema, class.relname AS name
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relrowsecurity
   AND class.relforcerowsecurity
   AND pg_catalog.pg_has_role(class.relowner, 'USAGE')
   AND NOT (SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user)
 ORDER BY class.oid;
