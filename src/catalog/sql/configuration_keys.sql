-- Foreign keys between tables of extensions, in an order that is always the same.
SELECT c.conrelid AS referencing, c.confrelid AS referenced
  FROM pg_catalog.pg_constraint c
  JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
 WHERE c.contype = 'f'
   AND c.conrelid IN (SELECT unnest(e.extconfig) FROM pg_catalog.pg_extension e)
   AND c.confrelid IN (SELECT unnest(e.extconfig) FROM pg_catalog.pg_extension e)
 ORDER BY n.nspname, r.relname, c.conname;
