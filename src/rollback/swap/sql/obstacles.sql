-- What decides whether another database may take this one's place: rights, and what hangs on its OID and would not follow.
SELECT d.datname AS name,
       d.oid,
       d.datistemplate AS is_template,
       ours.rolname AS role,
       ours.rolsuper OR ours.rolcreatedb AS may_create,
       pg_catalog.pg_has_role(ours.oid, d.datdba, 'USAGE') AS owns,
       pg_catalog.pg_get_userbyid(d.datdba) AS owner,
       (SELECT coalesce(pg_catalog.to_json(pg_catalog.array_agg(s.slot_name::text ORDER BY s.slot_name)), '[]')
          FROM pg_catalog.pg_replication_slots s
         WHERE s.database = d.datname) AS slots,
       (SELECT coalesce(pg_catalog.to_json(pg_catalog.array_agg(p.pubname::text ORDER BY p.pubname)), '[]')
          FROM pg_catalog.pg_publication p) AS publications,
       (SELECT coalesce(pg_catalog.to_json(pg_catalog.array_agg(s.subname::text ORDER BY s.subname)), '[]')
          FROM pg_catalog.pg_subscription s
         WHERE s.subdbid = d.oid) AS subscriptions,
       (SELECT coalesce(pg_catalog.to_json(pg_catalog.array_agg(x.gid ORDER BY x.gid)), '[]')
          FROM pg_catalog.pg_prepared_xacts x
         WHERE x.database = d.datname) AS prepared
  FROM pg_catalog.pg_database d
  JOIN pg_catalog.pg_roles ours ON ours.rolname = current_user
 WHERE d.datname = pg_catalog.current_database();
