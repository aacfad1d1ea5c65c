-- Roles whose sessions in this database would write although the database says otherwise: a role's
-- setting in a database goes before its own of everywhere, and both before the database's.
SELECT r.rolname AS role,
       pg_catalog.format('ALTER ROLE %I %sRESET default_transaction_read_only', r.rolname,
                         CASE WHEN s.setdatabase = 0 THEN ''
                              ELSE pg_catalog.format('IN DATABASE %I ', d.datname) END) AS cure
  FROM pg_catalog.pg_database d
  JOIN pg_catalog.pg_db_role_setting s ON s.setdatabase IN (0, d.oid)
  JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
 CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c (setting)
 WHERE d.datname = pg_catalog.current_database()
   AND pg_catalog.split_part(c.setting, '=', 1) = 'default_transaction_read_only'
   AND NOT pg_catalog.substr(c.setting, pg_catalog.strpos(c.setting, '=') + 1)::boolean
   AND r.rolcanlogin
   AND pg_catalog.has_database_privilege(r.oid, d.oid, 'CONNECT')
   AND NOT (s.setdatabase = 0
            AND EXISTS (SELECT FROM pg_catalog.pg_db_role_setting nearer
                         CROSS JOIN LATERAL pg_catalog.unnest(nearer.setconfig) n (setting)
                         WHERE nearer.setdatabase = d.oid
                           AND nearer.setrole = s.setrole
                           AND pg_catalog.split_part(n.setting, '=', 1) = 'default_transaction_read_only'))
 ORDER BY r.rolname;
