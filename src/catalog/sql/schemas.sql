-- User schemas (spec section 1.1.1): public is among them; extension members are told apart by the reader.
SELECT n.oid,
       n.nspname AS name,
       quote_ident(n.nspname) AS quoted,
       r.rolname AS owner,
       quote_ident(r.rolname) AS quoted_owner,
       n.nspowner AS owner_oid
FROM pg_catalog.pg_namespace n
LEFT JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname;
