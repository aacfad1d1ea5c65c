-- The database's own default_transaction_read_only, as it is written there, and whether that is on.
SELECT pg_catalog.current_database() AS name,
       own.value,
       coalesce(own.value::boolean, false) AS is_on
  FROM pg_catalog.pg_database d
  LEFT JOIN LATERAL (
       SELECT pg_catalog.substr(c.setting, pg_catalog.strpos(c.setting, '=') + 1) AS value
         FROM pg_catalog.pg_db_role_setting s
        CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c (setting)
        WHERE s.setdatabase = d.oid
          AND s.setrole = 0
          AND pg_catalog.split_part(c.setting, '=', 1) = 'default_transaction_read_only') own ON true
 WHERE d.datname = pg_catalog.current_database();
