-- Publications without their members.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT p.oid, NULL AS schema, p.pubname AS name,
       format('PUBLICATION %I', p.pubname) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       format('CREATE PUBLICATION %I%s WITH (%s);', p.pubname, CASE WHEN p.puballtables THEN ' FOR ALL TABLES' ELSE '' END,
              concat_ws(', ',
                  format('publish = %L', concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
                                                         CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END)),
                  CASE WHEN p.pubviaroot THEN 'publish_via_partition_root = true' END,
                  CASE WHEN to_jsonb(p) ->> 'pubgencols' = 's' THEN 'publish_generated_columns = stored' END)) AS create_text
FROM pg_catalog.pg_publication p
LEFT JOIN pg_catalog.pg_roles r ON r.oid = p.pubowner
ORDER BY p.pubname;
