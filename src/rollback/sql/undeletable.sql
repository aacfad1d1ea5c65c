-- Tables of which rows are not deleted one by one: a rule would act instead (COPY and TRUNCATE wake none), or deletions are
-- published and nothing identifies the row. A partition is published with the tables that it is a partition of.
WITH published AS (
    SELECT DISTINCT class.oid
      FROM pg_catalog.pg_publication AS publication
      JOIN pg_catalog.pg_publication_tables AS one ON one.pubname = publication.pubname
      JOIN pg_catalog.pg_namespace AS namespace ON namespace.nspname = one.schemaname
      JOIN pg_catalog.pg_class AS class ON class.relnamespace = namespace.oid AND class.relname = one.tablename
     WHERE publication.pubdelete
)
SELECT class.oid
  FROM pg_catalog.pg_class AS class
 WHERE class.relkind = 'r' AND class.oid >= 16384 AND class.relreplident <> 'f'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS index
                    WHERE index.indrelid = class.oid AND index.indisvalid AND index.indimmediate
                      AND CASE class.relreplident WHEN 'd' THEN index.indisprimary
                                                  WHEN 'i' THEN index.indisreplident END)
   AND EXISTS (SELECT FROM published
                WHERE published.oid = class.oid
                   OR published.oid IN (SELECT relid FROM pg_catalog.pg_partition_ancestors(class.oid)))
UNION
SELECT rule.ev_class FROM pg_catalog.pg_rewrite AS rule WHERE rule.ev_type = '4' AND rule.ev_enabled <> 'D';
