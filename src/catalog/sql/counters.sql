-- How much was written to each table since its counts began, and the file that holds it: what differs
-- later was written to, rewritten, emptied or given columns meanwhile. Large objects are a table, too.
SELECT class.oid,
       coalesce(pg_catalog.pg_relation_filenode(class.oid), 0) AS file,
       class.relnatts AS columns,
       pg_catalog.pg_stat_get_tuples_inserted(class.oid) AS inserted,
       pg_catalog.pg_stat_get_tuples_updated(class.oid) AS updated,
       pg_catalog.pg_stat_get_tuples_deleted(class.oid) AS deleted,
       coalesce(pg_catalog.pg_stat_get_db_stat_reset_time(database.oid)::pg_catalog.text, '') AS reset
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_database AS database ON database.datname = pg_catalog.current_database()
 WHERE class.oid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass
    OR class.relkind = 'r' AND namespace.nspname !~ '^pg_' AND namespace.nspname <> 'information_schema';
