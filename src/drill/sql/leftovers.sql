-- Databases that drills made and that are still there, by their name: what their comment says, who is connected
-- (autovacuum does not count, it gives way), and whether their drill is at work: it holds the advisory lock of class
-- 1885823588 ('pgbd' in ASCII) on the database's OID as long as it lives.
SELECT d.datname AS name,
       coalesce(pg_catalog.shobj_description(d.oid, 'pg_database'), '') AS comment,
       d.datistemplate AS is_template,
       (SELECT coalesce(pg_catalog.to_json(pg_catalog.array_agg(coalesce(a.application_name, ''))), '[]')
          FROM pg_catalog.pg_stat_activity a
         WHERE a.datid = d.oid AND a.usesysid IS NOT NULL) AS sessions,
       EXISTS (SELECT FROM pg_catalog.pg_locks l
                WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 1885823588
                  AND l.objid = d.oid AND l.objsubid = 2) AS at_work
FROM pg_catalog.pg_database d
WHERE d.datname ~ '_pgbelay_drill_[0-9]{8}_[0-9]{6}(_[a-z0-9]+)?$'
ORDER BY d.datname;
