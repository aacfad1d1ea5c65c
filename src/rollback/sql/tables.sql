-- Tables that a rebuild drops, in OID order, which is the order that everybody locks in.
SELECT namespace.nspname AS schema, class.relname AS name
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relkind IN ('r', 'p')
   AND class.relpersistence <> 't'
   AND namespace.nspname !~ '^pg_'
   AND namespace.nspname <> 'information_schema'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS member
                    WHERE member.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND member.objid = class.oid
                      AND member.deptype = 'e')
 ORDER BY class.oid;
