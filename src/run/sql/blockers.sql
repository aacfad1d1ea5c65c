-- Sessions of others that sessions of this run wait for. This run's are known by the beginning of the application name,
-- which this very session has too; in psql: SET application_name = 'pgbelay abcdefgh blockers'.
WITH ours AS (
  SELECT pg_catalog."substring"(pg_catalog.current_setting('application_name'), '^pgbelay [^ ]+ ') AS name
)
SELECT b.pid,
       pg_catalog.format('process %s (role %s, application %s, %s, %s%s)', b.pid, b.usename,
                         coalesce(nullif(b.application_name, ''), 'without a name'),
                         coalesce(pg_catalog.host(b.client_addr), 'local'), coalesce(b.state, 'state hidden'),
                         ' since ' || pg_catalog.to_char(coalesce(b.xact_start, b.state_change), 'HH24:MI:SS TZ')) AS who
  FROM pg_catalog.pg_stat_activity b, ours
 WHERE b.pid IN (SELECT pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid))
                   FROM pg_catalog.pg_stat_activity a
                  WHERE a.wait_event_type = 'Lock' AND pg_catalog.starts_with(a.application_name, ours.name))
   AND NOT pg_catalog.starts_with(b.application_name, ours.name)
 ORDER BY b.pid;
