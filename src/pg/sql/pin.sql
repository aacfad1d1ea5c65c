-- Sets what every session of ours relies on, whatever the server, the database or the role say.
-- Settings that this server does not know, and those that only a superuser may set, are skipped
-- where they must be. Names and values: spec/pg_dump.md section 3.8, with TimeZone and lc_monetary so that
-- texts of values compare, and jit off because catalog queries never earn its compile time back, enable_tidscan
-- on because a range of a table's blocks must not cost a scan of the whole table.
-- A superuser is one, even where the database gives every session another role.
SELECT pg_catalog.set_config('role', 'none', false)
  FROM pg_catalog.pg_roles
 WHERE rolname = session_user AND rolsuper AND current_user <> session_user
 UNION ALL
SELECT pg_catalog.set_config(pinned.name, pinned.value, false)
  FROM (VALUES
         ('search_path', ''),
         ('client_encoding', 'UTF8'),
         ('DateStyle', 'ISO'),
         ('IntervalStyle', 'postgres'),
         ('TimeZone', 'UTC'),
         ('lc_monetary', 'C'),
         ('extra_float_digits', '3'),
         ('bytea_output', 'hex'),
         ('xmloption', 'content'),
         ('array_nulls', 'on'),
         ('transform_null_equals', 'off'),
         ('standard_conforming_strings', 'on'),
         ('quote_all_identifiers', 'off'),
         ('synchronize_seqscans', 'off'),
         ('enable_tidscan', 'on'),
         ('row_security', 'off'),
         ('restrict_nonsystem_relation_kind', ''),
         ('check_function_bodies', 'off'),
         ('client_min_messages', 'warning'),
         ('default_tablespace', ''),
         ('default_table_access_method', 'heap'),
         ('default_transaction_read_only', 'off'),
         ('default_transaction_isolation', 'read committed'),
         ('default_transaction_deferrable', 'off'),
         ('session_replication_role', 'origin'),
         ('exit_on_error', 'off'),
         ('statement_timeout', '0'),
         ('lock_timeout', '0'),
         ('idle_in_transaction_session_timeout', '0'),
         ('idle_session_timeout', '0'),
         ('transaction_timeout', '0'),
         ('jit', 'off')
       ) AS pinned (name, value)
  JOIN pg_catalog.pg_settings AS known
    ON pg_catalog.lower(known.name) = pg_catalog.lower(pinned.name)
 WHERE known.context = 'user'
    OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user)
 UNION ALL
-- What we commit must be there after a crash; a stronger choice than the server's own is kept.
SELECT pg_catalog.set_config('synchronous_commit', 'on', false)
 WHERE pg_catalog.current_setting('synchronous_commit') = 'off';
