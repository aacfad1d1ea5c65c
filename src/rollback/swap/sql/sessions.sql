-- Sessions of all databases but the asking one, and whether our role may end each. Left out are the server's own processes
-- (they have no role: autovacuum gives way by itself) and parallel workers, which end with their leader.
SELECT a.pid,
       a.datid AS database_oid,
       coalesce(pg_catalog.pg_get_userbyid(a.usesysid), '') AS role,
       coalesce(a.application_name, '') AS application,
       coalesce(pg_catalog.host(a.client_addr), 'local') AS client,
       coalesce(a.state, a.backend_type, 'hidden') AS state,
       ours.rolsuper
       OR (NOT coalesce(theirs.rolsuper, false)
           AND (pg_catalog.pg_has_role(ours.oid, a.usesysid, 'USAGE')
                OR pg_catalog.pg_has_role(ours.oid, 'pg_signal_backend', 'USAGE'))) AS may_end
  FROM pg_catalog.pg_stat_get_activity(NULL) a
  JOIN pg_catalog.pg_roles ours ON ours.rolname = current_user
  LEFT JOIN pg_catalog.pg_roles theirs ON theirs.oid = a.usesysid
 WHERE a.datid IS NOT NULL
   AND a.pid <> pg_catalog.pg_backend_pid()
   AND a.usesysid IS NOT NULL
   AND coalesce(a.backend_type, '') <> 'parallel worker'
 ORDER BY a.pid;
