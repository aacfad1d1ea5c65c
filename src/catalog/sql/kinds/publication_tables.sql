-- Tables of a publication, with column list and row filter (15 and later).
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT m.oid, n.nspname AS schema, format('%s %s', p.pubname, c.relname) AS name,
       format('publication %I of table %I.%I', p.pubname, n.nspname, c.relname) AS target,
       format('ALTER PUBLICATION %I ADD TABLE ONLY %I.%I%s%s;', p.pubname, n.nspname, c.relname,
              coalesce((SELECT format(' (%s)', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum))
                          FROM pg_catalog.pg_attribute a
                         WHERE a.attrelid = c.oid AND a.attnum = ANY (m.prattrs::smallint[])
                        HAVING count(*) > 0), ''),
              CASE WHEN m.prqual IS NULL THEN '' ELSE format(' WHERE (%s)', pg_get_expr(m.prqual, m.prrelid)) END) AS create_text,
       format('ALTER PUBLICATION %I DROP TABLE ONLY %I.%I;', p.pubname, n.nspname, c.relname) AS drop_text,
       to_json(ARRAY[p.pubname::text]) AS tie
FROM pg_catalog.pg_publication_rel m
JOIN pg_catalog.pg_publication p ON p.oid = m.prpubid
JOIN pg_catalog.pg_class c ON c.oid = m.prrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY p.pubname, n.nspname, c.relname;
