-- Event triggers that fire on our own DDL during a rollback.
SELECT e.evtname AS name, e.evtevent AS event,
       pg_catalog.pg_get_userbyid(e.evtowner) AS owner
  FROM pg_catalog.pg_event_trigger e
 WHERE e.evtenabled <> 'D'
 ORDER BY 1;
