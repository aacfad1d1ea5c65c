-- Subscriptions of this database. subconninfo is for superusers' eyes only: whoever may not read it
-- gets the names alone. Columns that a major lacks are looked up through jsonb, which is why the
-- second query is another file. has_state: enabled, or with progress that no statement can set.
SELECT s.oid, s.subname AS name, quote_ident(s.subname) AS quoted,
       has_column_privilege('pg_catalog.pg_subscription', 'subconninfo', 'SELECT') AS readable,
       s.subenabled OR EXISTS (SELECT FROM pg_catalog.pg_subscription_rel r WHERE r.srsubid = s.oid) AS has_state
FROM pg_catalog.pg_subscription s
WHERE s.subdbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
ORDER BY s.subname;
