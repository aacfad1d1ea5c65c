-- Sets what every session of ours relies on, skipping settings that this server does not know.
-- Names and values: spec/pg_dump.md §3.8, with TimeZone and lc_monetary so that texts of values
-- compare, and jit off because catalog queries never earn its compile time back.
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
         ('standard_conforming_strings', 'on'),
         ('quote_all_identifiers', 'off'),
         ('synchronize_seqscans', 'off'),
         ('row_security', 'off'),
         ('check_function_bodies', 'off'),
         ('client_min_messages', 'warning'),
         ('default_transaction_read_only', 'off'),
         ('default_transaction_isolation', 'read committed'),
         ('default_transaction_deferrable', 'off'),
         ('statement_timeout', '0'),
         ('lock_timeout', '0'),
         ('idle_in_transaction_session_timeout', '0'),
         ('idle_session_timeout', '0'),
         ('transaction_timeout', '0'),
         ('jit', 'off')
       ) AS pinned (name, value)
 WHERE EXISTS (SELECT FROM pg_catalog.pg_settings AS known
                WHERE pg_catalog.lower(known.name) = pg_catalog.lower(pinned.name));
