-- Tables whose policies would hide rows from this role. The backup never reads them filtered. Of members of extensions only
-- rows of configuration tables are read.
SELECT pg_catalog.format('table %I.%I', n.nspname, c.relname) AS what,
       c.relforcerowsecurity AS forced,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND pg_catalog.row_security_active(c.oid)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                     JOIN pg_catalog.pg_extension x ON x.oid = e.refobjid
                    WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid
                      AND e.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.deptype = 'e'
                      AND c.oid <> ALL (coalesce(x.extconfig, '{}')))
 ORDER BY 1;
