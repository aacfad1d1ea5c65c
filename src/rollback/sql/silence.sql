-- For a superuser: event triggers would run the user's code on our statements. From 17 on a setting keeps them quiet; before,
-- the part of a replica does, for those that are enabled in the usual way, unless it would wake others. It keeps triggers
-- and rules of tables quiet, too: what acts on rows is taken off before they are put back, and all is compared afterwards.
WITH facts AS (
    SELECT pg_catalog.current_setting('server_version_num')::integer AS version
      FROM pg_catalog.pg_roles
     WHERE rolname = current_user AND rolsuper
)
SELECT pg_catalog.set_config('event_triggers', 'off', true) FROM facts WHERE version >= 170000
UNION ALL
SELECT pg_catalog.set_config('session_replication_role', 'replica', true)
  FROM facts
 WHERE version < 170000
   AND EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtenabled = 'O')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtenabled = 'R');
