-- What an index build may use now, and the shared buffers, in kilobytes.
SELECT (SELECT setting FROM pg_catalog.pg_settings
         WHERE name = 'maintenance_work_mem') AS maintenance_kb,
       (SELECT setting::pg_catalog.int8 * (pg_catalog.current_setting('block_size')::pg_catalog.int8 / 1024)
          FROM pg_catalog.pg_settings WHERE name = 'shared_buffers') AS shared_kb
