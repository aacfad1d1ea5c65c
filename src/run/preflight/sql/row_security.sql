-- Tables whose policies would hide rows from this role. The backup never reads them filtered.
SELECT pg_catalog.format('table %I.%I', n.nspname, c.relname) AS what,
       c.relforcerowsecurity AS forced,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND pg_catalog.row_security_active(c.oid)
 ORDER BY 1;
