-- Schemas of a publication (15 and later).
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT m.oid, n.nspname AS schema, format('%s %s', p.pubname, n.nspname) AS name,
       format('publication %I of schema %I', p.pubname, n.nspname) AS target,
       format('ALTER PUBLICATION %I ADD TABLES IN SCHEMA %I;', p.pubname, n.nspname) AS create_text,
       format('ALTER PUBLICATION %I DROP TABLES IN SCHEMA %I;', p.pubname, n.nspname) AS drop_text,
       to_json(ARRAY[p.pubname::text]) AS tie
FROM pg_catalog.pg_publication_namespace m
JOIN pg_catalog.pg_publication p ON p.oid = m.pnpubid
JOIN pg_catalog.pg_namespace n ON n.oid = m.pnnspid
ORDER BY p.pubname, n.nspname;
