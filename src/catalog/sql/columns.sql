-- Columns of user relations, dropped ones left out. What equals the type's own default is null; storage says so beside it.
-- pg_attver is kept by the server itself (minor releases of 2026) and is nobody's setting.
SELECT a.attrelid AS relation,
       a.attnum AS number,
       a.attname AS name,
       quote_ident(a.attname) AS quoted,
       format_type(a.atttypid, a.atttypmod) AS type,
       a.attnotnull AS not_null,
       a.atthasdef AS has_default,
       a.attislocal AS is_local,
       a.attinhcount > 0 AS is_inherited,
       nullif(a.attidentity::text, '') AS identity,
       nullif(a.attgenerated::text, '') AS generated,
       CASE WHEN a.attcollation <> t.typcollation
            THEN format('%I.%I', cn.nspname, co.collname) END AS collation,
       coalesce(a.attstattarget, -1) AS statistics_target,
       a.attstorage AS storage,
       a.attstorage <> t.typstorage AS sets_storage,
       CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END AS compression,
       CASE WHEN a.attoptions IS NOT NULL THEN
            (SELECT string_agg(quote_ident(split_part(o, '=', 1)) || '=' || quote_literal(substr(o, strpos(o, '=') + 1)), ', ')
               FROM unnest(a.attoptions) o WHERE left(o, 10) <> 'pg_attver=') END AS options,
       CASE WHEN a.attfdwoptions IS NOT NULL THEN
            (SELECT string_agg(format('%I %L', o.option_name, o.option_value), ', ' ORDER BY o.option_name)
               FROM pg_options_to_table(a.attfdwoptions) o) END AS foreign_options
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped
  AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c')
  AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY a.attrelid, a.attnum;
