-- Whom sessions of this run wait for. This run's are known by the beginning of the application name, which this very session
-- has too. is_client: a session of this database that is neither a process of the server's own nor one of pgbelay's (a backup,
-- say). A prepared transaction has no process; in psql: SET application_name = 'pgbelay abcdefgh blockers'.
WITH ours AS (
  SELECT pg_catalog."substring"(pg_catalog.current_setting('application_name'), '^pgbelay [^ ]+ ') AS name
), blocking AS (
  SELECT DISTINCT pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) AS pid
    FROM pg_catalog.pg_stat_activity a, ours
   WHERE a.wait_event_type = 'Lock' AND pg_catalog.starts_with(a.application_name, ours.name)
)
SELECT b.pid,
       b.datname = pg_catalog.current_database() AND b.backend_type = 'client backend'
         AND b.application_name NOT LIKE 'pgbelay %' AS is_client,
       pg_catalog.format('process %s (role %s, application %s, %s, %s%s)', b.pid, b.usename,
                         coalesce(nullif(b.application_name, ''), 'without a name'),
                         coalesce(pg_catalog.host(b.client_addr), 'local'), coalesce(b.state, 'state hidden'),
                         ' since ' || pg_catalog.to_char(coalesce(b.xact_start, b.state_change), 'HH24:MI:SS TZ')) AS who
  FROM pg_catalog.pg_stat_activity b JOIN blocking USING (pid), ours
 WHERE NOT pg_catalog.starts_with(b.application_name, ours.name)
UNION ALL
SELECT 0, false, pg_catalog.format('prepared transaction %s of %s (to end it: ROLLBACK PREPARED %L)', p.gid, p.owner, p.gid)
  FROM pg_catalog.pg_prepared_xacts p
 WHERE p.database = pg_catalog.current_database() AND EXISTS (SELECT FROM blocking WHERE blocking.pid = 0)
 ORDER BY 1;
