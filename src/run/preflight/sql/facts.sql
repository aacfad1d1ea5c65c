-- Server, database and role, as one row; asked once per run.
SELECT d.oid AS database_oid,
       d.datname AS database_name,
       pg_catalog.current_setting('server_encoding') AS encoding,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       pg_catalog.pg_database_size(d.oid) AS size_bytes,
       d.datistemplate AS is_template,
       d.datconnlimit AS connection_limit,
       current_user AS role_name,
       r.rolsuper AS superuser,
       r.rolcreatedb AS can_create_databases,
       r.rolcreaterole AS can_create_roles,
       r.rolbypassrls AS bypasses_row_security,
       pg_catalog.pg_get_userbyid(d.datdba) AS owner,
       pg_catalog.pg_has_role(d.datdba, 'USAGE') AS owns_database,
       pg_catalog.has_database_privilege(d.oid, 'CREATE') AS can_create_schemas,
       pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS sees_other_sessions,
       (SELECT pg_catalog.json_agg(g.rolname ORDER BY g.rolname)
          FROM pg_catalog.pg_roles g
         WHERE g.oid <> r.oid AND NOT r.rolsuper
           AND pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER')) AS member_of,
       pg_catalog.current_setting('max_locks_per_transaction')::bigint
         * (pg_catalog.current_setting('max_connections')::bigint
            + pg_catalog.current_setting('max_prepared_transactions')::bigint) AS lock_slots
  FROM pg_catalog.pg_database d
  JOIN pg_catalog.pg_roles r ON r.rolname = current_user
 WHERE d.datname = pg_catalog.current_database();
