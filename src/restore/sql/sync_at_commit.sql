-- For the rest of this transaction: commits as the server or the role has it, and at least to disk.
SELECT pg_catalog.set_config('synchronous_commit',
                             CASE reset_val WHEN 'off' THEN 'on' ELSE reset_val END, true)
  FROM pg_catalog.pg_settings
 WHERE name = 'synchronous_commit'
