-- Constraints of user tables and domains. conenforced and friends exist from 18 on, hence the
-- look through jsonb. Index options stand beside p, u and x: pg_get_constraintdef leaves them out.
SELECT k.oid,
       k.conname AS name,
       quote_ident(k.conname) AS quoted,
       k.contype AS kind,
       k.conrelid AS relation,
       k.contypid AS domain,
       k.confrelid AS referenced,
       k.conindid AS index,
       k.conparentid AS parent,
       k.convalidated AS validated,
       CASE WHEN v.number >= 180000 THEN (to_jsonb(k) ->> 'conenforced')::boolean ELSE true END AS enforced,
       k.conislocal AS is_local,
       k.connoinherit AS no_inherit,
       (SELECT a.attname FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1]) AS first_column,
       -- A default name is the first that is free in the schema: one that others have must be said.
       k.contype = 'n' AND EXISTS (SELECT FROM pg_catalog.pg_constraint o
                                    WHERE o.conname = k.conname AND o.connamespace = k.connamespace
                                      AND o.oid <> k.oid) AS shares_name,
       pg_get_constraintdef(k.oid) AS definition
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
CROSS JOIN (SELECT current_setting('server_version_num')::integer AS number) v
LEFT JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND coalesce(c.relpersistence, 'p') <> 't'
  AND k.contype <> 't'
ORDER BY k.conrelid, k.contypid, k.conname;
