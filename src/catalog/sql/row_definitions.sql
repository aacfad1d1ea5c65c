-- What identities.sql leaves out because it obeys the snapshot, for telling two moments apart: comments, labels,
-- properties and settings of the database, default privileges, user mappings, large objects' owners and grants, subscriptions.
-- A row is known by its xmin where everybody may read that, else by what everybody may read of it. The setting that a
-- run's fence is made of comes and goes with the fence. Of pg_database only what commands set: VACUUM writes there, too; and not
-- the connection limit, which a person raises to let a recovery in.
WITH this AS MATERIALIZED (
  SELECT d.* FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
), rows (catalog, value) AS (
  SELECT 'pg_description', ROW(o.classoid, o.objoid, o.objsubid, o.xmin)::pg_catalog.text
    FROM pg_catalog.pg_description o WHERE o.xmin <> '1'::pg_catalog.xid
  UNION ALL SELECT 'pg_shdescription', ROW(o.description)::pg_catalog.text FROM pg_catalog.pg_shdescription o, this
              WHERE o.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass AND o.objoid = this.oid
  UNION ALL SELECT 'pg_seclabel', ROW(o.classoid, o.objoid, o.objsubid, o.provider, o.xmin)::pg_catalog.text
              FROM pg_catalog.pg_seclabel o
  UNION ALL SELECT 'pg_shseclabel', ROW(o.provider, o.label)::pg_catalog.text FROM pg_catalog.pg_shseclabel o, this
              WHERE o.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass AND o.objoid = this.oid
  UNION ALL SELECT 'pg_db_role_setting', ROW(o.setrole, line)::pg_catalog.text
              FROM this, pg_catalog.pg_db_role_setting o, pg_catalog.unnest(o.setconfig) line
              WHERE o.setdatabase = this.oid
                AND NOT (o.setrole = 0 AND pg_catalog.starts_with(line, 'default_transaction_read_only='))
  UNION ALL SELECT 'pg_database', ROW(datdba, datacl, dattablespace, datistemplate)::pg_catalog.text FROM this
  UNION ALL SELECT 'pg_default_acl', ROW(o.oid, o.xmin)::pg_catalog.text FROM pg_catalog.pg_default_acl o
  UNION ALL SELECT 'pg_user_mapping', ROW(o.umid, o.umuser, o.umoptions)::pg_catalog.text FROM pg_catalog.pg_user_mappings o
  UNION ALL SELECT 'pg_largeobject_metadata', ROW(o.oid, o.xmin)::pg_catalog.text FROM pg_catalog.pg_largeobject_metadata o
  UNION ALL SELECT 'pg_subscription', ROW(o.oid, o.subname, o.subowner, o.subenabled, o.subslotname, o.subsynccommit,
                                          o.subpublications)::pg_catalog.text
              FROM pg_catalog.pg_subscription o, this WHERE o.subdbid = this.oid
)
SELECT r.catalog, pg_catalog.count(*) AS rows, pg_catalog.sum(pg_catalog.hashtextextended(r.value, 0))::pg_catalog.text AS hash
  FROM rows r GROUP BY r.catalog
