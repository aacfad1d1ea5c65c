-- All types of user schemas: enums and stand-alone composites become entries, row types and array
-- types only carry dependencies, everything else is not covered. `inner_type` is an array's element,
-- `inner_relation` the relation whose row this type, or an array's element, is.
SELECT t.oid,
       n.nspname AS schema,
       t.typname AS name,
       format('%I.%I', n.nspname, t.typname) AS quoted,
       r.rolname AS owner,
       quote_ident(r.rolname) AS quoted_owner,
       t.typtype AS kind,
       t.typrelid AS relation,
       c.relkind AS relation_kind,
       el.oid IS NOT NULL AS is_array,
       el.oid AS inner_type,
       nullif(coalesce(nullif(el.typrelid, 0), t.typrelid), 0) AS inner_relation,
       (SELECT to_json(array_agg(quote_literal(l.enumlabel) ORDER BY l.enumsortorder))
          FROM pg_catalog.pg_enum l WHERE l.enumtypid = t.oid) AS labels
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_roles r ON r.oid = t.typowner
LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
LEFT JOIN pg_catalog.pg_type el ON el.typarray = t.oid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND coalesce(c.relpersistence, 'p') <> 't'
ORDER BY n.nspname, t.typname;
