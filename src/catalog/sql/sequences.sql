-- Parameters of sequences (unlogged ones exist from 15 on) and the column that owns each (a: serial or OWNED BY, i: identity).
SELECT s.seqrelid AS oid,
       format_type(s.seqtypid, NULL) AS type,
       s.seqstart AS start_value,
       s.seqincrement AS increment_by,
       s.seqmin AS min_value,
       s.seqmax AS max_value,
       s.seqcache AS cache_size,
       s.seqcycle AS cycle,
       current_setting('server_version_num')::int >= 150000 AS can_be_unlogged,
       d.deptype AS ownership,
       d.refobjid AS owner_relation,
       a.attname AS owner_column,
       quote_ident(a.attname) AS quoted_owner_column,
       nullif(a.attidentity::text, '') AS identity
FROM pg_catalog.pg_sequence s
JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend d
       ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = s.seqrelid AND d.objsubid = 0
      AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
ORDER BY n.nspname, c.relname;
