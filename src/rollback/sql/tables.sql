-- Tables that a rollback locks, in OID order, which is the order that everybody locks in: those of the user, and those of
-- extensions whose rows are the user's, where the role may lock them (whoever may not cannot remove rows either).
SELECT namespace.nspname AS schema, class.relname AS name
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relkind IN ('r', 'p')
   AND class.relpersistence <> 't'
   AND namespace.nspname !~ '^pg_'
   AND namespace.nspname <> 'information_schema'
   AND (NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS member
                     WHERE member.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                       AND member.objid = class.oid
                       AND member.deptype = 'e')
        OR EXISTS (SELECT FROM pg_catalog.pg_extension AS extension
                    WHERE class.oid = ANY (extension.extconfig))
           AND pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
           AND pg_catalog.has_table_privilege(class.oid, 'UPDATE, DELETE, TRUNCATE'))
 ORDER BY class.oid;
