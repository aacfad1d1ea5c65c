-- What the server's caches answer from, as one count and one hash per catalog: two readings that
-- agree had no committed change of a definition between them. Catalog functions show the latest
-- committed state whatever the snapshot is (spec section 3.9), so this is compared under the snapshot
-- before a reading and outside it after. Temporary objects are nobody's definition. Of pg_class
-- only columns that commands set are taken, and the file of tables alone, because TRUNCATE and a
-- rewrite hide rows from an older snapshot; VACUUM and REFRESH change no definition.
-- Of roles only those that this database refers to: a cluster may make and drop others all day.
-- Rows that the server came with (made by transaction 1, its bootstrap) cannot have changed: a command
-- that changes one gives it another xmin.
-- Catalogs that are only read as rows (pg_depend, pg_description, pg_shdepend ...) obey the snapshot.
WITH schemas AS MATERIALIZED (
  SELECT n.oid, n.xmin FROM pg_catalog.pg_namespace n
   WHERE n.nspname !~ '^pg_(toast_)?temp_'
), relations AS MATERIALIZED (
  SELECT c.oid, c.relkind,
         pg_catalog.hashtextextended(ROW(c.oid, c.relname, c.relnamespace, c.reltype, c.reloftype,
           c.relowner, c.relam, c.reltablespace, c.relpersistence, c.relkind, c.relnatts, c.relchecks,
           c.relrowsecurity, c.relforcerowsecurity, c.relispopulated, c.relreplident,
           c.relispartition, c.relacl, c.reloptions, c.relpartbound,
           CASE WHEN c.relkind = 'r' THEN c.relfilenode END)::pg_catalog.text, 0) AS hash
    FROM pg_catalog.pg_class c WHERE c.relpersistence <> 't' AND c.relkind <> 't'
), versions (catalog, oid, xmin) AS (
  SELECT 'pg_namespace', s.oid, s.xmin FROM schemas s
  UNION ALL SELECT 'pg_attribute', a.attrelid, a.xmin FROM pg_catalog.pg_attribute a
              JOIN relations r ON r.oid = a.attrelid WHERE r.relkind NOT IN ('i', 'I', 'S')
  UNION ALL SELECT 'pg_attrdef', d.oid, d.xmin FROM pg_catalog.pg_attrdef d JOIN relations r ON r.oid = d.adrelid
  UNION ALL SELECT 'pg_index', i.indexrelid, i.xmin FROM pg_catalog.pg_index i JOIN relations r ON r.oid = i.indrelid
  UNION ALL SELECT 'pg_trigger', t.oid, t.xmin FROM pg_catalog.pg_trigger t JOIN relations r ON r.oid = t.tgrelid
  UNION ALL SELECT 'pg_rewrite', w.oid, w.xmin FROM pg_catalog.pg_rewrite w JOIN relations r ON r.oid = w.ev_class
  UNION ALL SELECT 'pg_policy', p.oid, p.xmin FROM pg_catalog.pg_policy p JOIN relations r ON r.oid = p.polrelid
  UNION ALL SELECT 'pg_inherits', h.inhrelid, h.xmin FROM pg_catalog.pg_inherits h JOIN relations r ON r.oid = h.inhrelid
  UNION ALL SELECT 'pg_partitioned_table', p.partrelid, p.xmin FROM pg_catalog.pg_partitioned_table p
              JOIN relations r ON r.oid = p.partrelid
  UNION ALL SELECT 'pg_sequence', q.seqrelid, q.xmin FROM pg_catalog.pg_sequence q JOIN relations r ON r.oid = q.seqrelid
  UNION ALL SELECT 'pg_constraint', c.oid, c.xmin FROM pg_catalog.pg_constraint c JOIN schemas s ON s.oid = c.connamespace
  UNION ALL SELECT 'pg_type', t.oid, t.xmin FROM pg_catalog.pg_type t JOIN schemas s ON s.oid = t.typnamespace
  UNION ALL SELECT 'pg_proc', f.oid, f.xmin FROM pg_catalog.pg_proc f JOIN schemas s ON s.oid = f.pronamespace
  UNION ALL SELECT 'pg_enum', e.oid, e.xmin FROM pg_catalog.pg_enum e
  UNION ALL SELECT 'pg_range', g.rngtypid, g.xmin FROM pg_catalog.pg_range g
  UNION ALL SELECT 'pg_aggregate', g.aggfnoid::pg_catalog.oid, g.xmin FROM pg_catalog.pg_aggregate g
  UNION ALL SELECT 'pg_operator', o.oid, o.xmin FROM pg_catalog.pg_operator o
  UNION ALL SELECT 'pg_opclass', o.oid, o.xmin FROM pg_catalog.pg_opclass o
  UNION ALL SELECT 'pg_opfamily', o.oid, o.xmin FROM pg_catalog.pg_opfamily o
  UNION ALL SELECT 'pg_amop', o.oid, o.xmin FROM pg_catalog.pg_amop o
  UNION ALL SELECT 'pg_amproc', o.oid, o.xmin FROM pg_catalog.pg_amproc o
  UNION ALL SELECT 'pg_am', o.oid, o.xmin FROM pg_catalog.pg_am o
  UNION ALL SELECT 'pg_cast', o.oid, o.xmin FROM pg_catalog.pg_cast o
  UNION ALL SELECT 'pg_collation', o.oid, o.xmin FROM pg_catalog.pg_collation o
  UNION ALL SELECT 'pg_conversion', o.oid, o.xmin FROM pg_catalog.pg_conversion o
  UNION ALL SELECT 'pg_language', o.oid, o.xmin FROM pg_catalog.pg_language o
  UNION ALL SELECT 'pg_transform', o.oid, o.xmin FROM pg_catalog.pg_transform o
  UNION ALL SELECT 'pg_extension', o.oid, o.xmin FROM pg_catalog.pg_extension o
  UNION ALL SELECT 'pg_event_trigger', o.oid, o.xmin FROM pg_catalog.pg_event_trigger o
  UNION ALL SELECT 'pg_statistic_ext', o.oid, o.xmin FROM pg_catalog.pg_statistic_ext o
  UNION ALL SELECT 'pg_foreign_data_wrapper', o.oid, o.xmin FROM pg_catalog.pg_foreign_data_wrapper o
  UNION ALL SELECT 'pg_foreign_server', o.oid, o.xmin FROM pg_catalog.pg_foreign_server o
  UNION ALL SELECT 'pg_foreign_table', o.ftrelid, o.xmin FROM pg_catalog.pg_foreign_table o
  UNION ALL SELECT 'pg_publication', o.oid, o.xmin FROM pg_catalog.pg_publication o
  UNION ALL SELECT 'pg_publication_rel', o.oid, o.xmin FROM pg_catalog.pg_publication_rel o
  UNION ALL SELECT 'pg_ts_config', o.oid, o.xmin FROM pg_catalog.pg_ts_config o
  UNION ALL SELECT 'pg_ts_config_map', o.mapcfg, o.xmin FROM pg_catalog.pg_ts_config_map o
  UNION ALL SELECT 'pg_ts_dict', o.oid, o.xmin FROM pg_catalog.pg_ts_dict o
  UNION ALL SELECT 'pg_ts_parser', o.oid, o.xmin FROM pg_catalog.pg_ts_parser o
  UNION ALL SELECT 'pg_ts_template', o.oid, o.xmin FROM pg_catalog.pg_ts_template o
), hashes (catalog, hash) AS (
  SELECT 'pg_class', r.hash FROM relations r
  UNION ALL
  SELECT v.catalog, pg_catalog.hashint8extended((v.oid::pg_catalog.int8 << 31) # v.xmin::pg_catalog.text::pg_catalog.int8, 0)
    FROM versions v WHERE v.xmin <> '1'::pg_catalog.xid
  UNION ALL
  SELECT 'pg_roles', pg_catalog.hashtextextended(ROW(o.oid, o.rolname)::pg_catalog.text, 0) FROM pg_catalog.pg_roles o
   WHERE o.oid IN (SELECT d.refobjid FROM pg_catalog.pg_shdepend d JOIN pg_catalog.pg_database b ON b.oid = d.dbid
                    WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND b.datname = pg_catalog.current_database())
  UNION ALL
  SELECT 'pg_tablespace', pg_catalog.hashtextextended(ROW(o.oid, o.spcname)::pg_catalog.text, 0) FROM pg_catalog.pg_tablespace o
)
SELECT h.catalog, pg_catalog.count(*) AS rows, pg_catalog.sum(h.hash)::pg_catalog.text AS hash
  FROM hashes h GROUP BY h.catalog
UNION ALL
SELECT 'server', 1, ROW(pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()), d.oid)::pg_catalog.text
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
 ORDER BY 1;
