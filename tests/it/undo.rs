//! What failed migrations leave behind, undone on every rung that applies, as the plain owner; judged by real pg_dump
//! and by content.

use pgbelay::archive::Reader;
use pgbelay::rollback::{RollbackOptions, RollbackOutcome, Rung, Strategy};

use crate::data::Bench;
use crate::support::{Database, Server};

/// Tables with everything that gets in the way of a repair: triggers, row security, foreign keys in a
/// circle, partitions, inheritance, views of views, generated and identity columns, no primary key.
pub const SHOP: &str = "
CREATE SCHEMA s;
CREATE TYPE s.state AS ENUM ('new', 'paid');
CREATE FUNCTION s.norm(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(t)';
CREATE FUNCTION s.stamp() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN NEW.touched := coalesce(NEW.touched, 0) + 1; RETURN NEW; END';
CREATE TABLE s.users (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL CHECK (s.norm(email) <> ''),
  size integer GENERATED ALWAYS AS (length(email)) STORED,
  best integer, touched integer);
CREATE UNIQUE INDEX users_email ON s.users (s.norm(email));
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON s.users FOR EACH ROW EXECUTE FUNCTION s.stamp();
CREATE TABLE s.orders (
  id serial PRIMARY KEY, buyer integer NOT NULL REFERENCES s.users ON DELETE CASCADE,
  state s.state NOT NULL DEFAULT 'new', total numeric(10,2), note text);
CREATE INDEX orders_buyer ON s.orders (buyer);
ALTER TABLE s.users ADD FOREIGN KEY (best) REFERENCES s.orders DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE s.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON s.orders USING (true);
CREATE TABLE s.events (at date NOT NULL, what text, id bigint) PARTITION BY RANGE (at);
CREATE TABLE s.events_2025 PARTITION OF s.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE s.events_2026 PARTITION OF s.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX events_at ON s.events (at);
CREATE TABLE s.plain (a integer, b text);
CREATE TABLE s.child (c integer) INHERITS (s.plain);
CREATE TABLE s.audit (about regclass, through regproc, what text);
CREATE VIEW s.paid AS SELECT o.id, u.email FROM s.orders o JOIN s.users u ON u.id = o.buyer WHERE o.state = 'paid';
CREATE VIEW s.paid_count AS SELECT count(*) AS n FROM s.paid;
CREATE MATERIALIZED VIEW s.totals AS SELECT id % 10 AS part, sum(total) AS total FROM s.orders GROUP BY 1;
CREATE UNIQUE INDEX totals_part ON s.totals (part);
CREATE MATERIALIZED VIEW s.later AS SELECT id, total FROM s.orders WITH NO DATA;
CREATE INDEX later_id ON s.later (id);
COMMENT ON TABLE s.orders IS 'what was bought';
GRANT SELECT ON s.orders TO reader;
GRANT SELECT (email) ON s.users TO reader;
INSERT INTO s.users (email) SELECT 'User' || n || '@x.example' FROM generate_series(1, 500) n;
INSERT INTO s.orders (buyer, state, total, note)
  SELECT 1 + n % 500, CASE WHEN n % 3 = 0 THEN 'paid' ELSE 'new' END::s.state, n / 7.0, repeat('x', n % 90)
    FROM generate_series(1, 5000) n;
UPDATE s.users SET best = id WHERE id % 2 = 0;
INSERT INTO s.events SELECT date '2025-01-01' + n % 700, 'e' || n, n FROM generate_series(1, 3000) n;
INSERT INTO s.plain SELECT n, 'p' || n FROM generate_series(1, 100) n;
INSERT INTO s.child SELECT n, 'c' || n, n FROM generate_series(1, 50) n;
INSERT INTO s.audit VALUES ('s.orders', 's.norm', 'made'), ('s.users', 's.stamp', 'made'), ('s.totals', NULL, 'made');
SELECT lo_from_bytea(4800, 'a large object');
REFRESH MATERIALIZED VIEW s.totals;
";

/// Name, what was committed, and whether a repair must do.
const SCENARIOS: &[(&str, &str, Rung)] = &[
    (
        "a column added and filled",
        "ALTER TABLE s.orders ADD COLUMN queued timestamptz DEFAULT now(); \
      ALTER TABLE s.users ADD COLUMN flag boolean NOT NULL DEFAULT false; UPDATE s.orders SET queued = NULL WHERE id < 9",
        Rung::Repair,
    ),
    (
        "a column dropped",
        "ALTER TABLE s.orders DROP COLUMN note",
        Rung::Repair,
    ),
    (
        "a column dropped that views need",
        "ALTER TABLE s.users DROP COLUMN email CASCADE",
        Rung::Repair,
    ),
    (
        "a populated table dropped",
        "DROP TABLE s.orders CASCADE",
        Rung::Repair,
    ),
    (
        "a type changed",
        "ALTER TABLE s.orders ALTER COLUMN note TYPE varchar(200); ALTER TABLE s.plain ALTER COLUMN a TYPE bigint",
        Rung::Repair,
    ),
    (
        "a table renamed",
        "ALTER TABLE s.plain RENAME TO simple",
        Rung::Repair,
    ),
    (
        "a table moved",
        "CREATE SCHEMA other; ALTER TABLE s.orders SET SCHEMA other",
        Rung::Repair,
    ),
    (
        "a column renamed",
        "ALTER TABLE s.orders RENAME COLUMN note TO remark",
        Rung::Repair,
    ),
    (
        "a label, a type",
        "ALTER TYPE s.state ADD VALUE 'sent' AFTER 'new'; CREATE DOMAIN s.d AS integer CHECK (VALUE > 0); \
      CREATE TABLE s.uses_d (a s.d)",
        Rung::Repair,
    ),
    (
        "rows deleted",
        "DELETE FROM s.orders WHERE id % 100 = 1 AND id > 500",
        Rung::Repair,
    ),
    (
        "rows updated in committed batches",
        "UPDATE s.orders SET note = 'a' WHERE id < 2500; UPDATE s.orders SET note = 'b' WHERE id >= 2500",
        Rung::Repair,
    ),
    (
        "rows of both sides of a circle",
        "UPDATE s.users SET best = NULL; DELETE FROM s.users WHERE id > 400; UPDATE s.users SET best = 1",
        Rung::Repair,
    ),
    (
        "tables truncated",
        "TRUNCATE s.orders, s.users, s.events RESTART IDENTITY CASCADE",
        Rung::Repair,
    ),
    (
        "a table split",
        "CREATE TABLE s.buyers AS SELECT id, email FROM s.users; ALTER TABLE s.buyers ADD PRIMARY KEY (id); \
      CREATE TABLE s.sizes AS SELECT id, size FROM s.users; DROP TABLE s.users CASCADE",
        Rung::Repair,
    ),
    (
        "a new partition",
        "CREATE TABLE s.events_2027 PARTITION OF s.events FOR VALUES FROM ('2027-01-01') TO ('2028-01-01'); \
      INSERT INTO s.events VALUES ('2027-05-05', 'late', 1)",
        Rung::Repair,
    ),
    (
        "a partition detached",
        "ALTER TABLE s.events DETACH PARTITION s.events_2025",
        Rung::Repair,
    ),
    (
        "a partition dropped",
        "DROP TABLE s.events_2025",
        Rung::Repair,
    ),
    (
        "a column of a partitioned table",
        "ALTER TABLE s.events ADD COLUMN extra text; UPDATE s.events SET extra = what",
        Rung::Repair,
    ),
    (
        "a column of a parent",
        "ALTER TABLE s.plain ADD COLUMN extra text DEFAULT 'x'",
        Rung::Repair,
    ),
    (
        "a function replaced that an index and a check use",
        "CREATE OR REPLACE FUNCTION s.norm(t text) RETURNS text \
      LANGUAGE sql IMMUTABLE AS 'SELECT upper(t)'",
        Rung::Repair,
    ),
    (
        "a function changed that has to be dropped",
        "DROP FUNCTION s.norm(text) CASCADE; \
      CREATE FUNCTION s.norm(t text, strict boolean DEFAULT false) RETURNS varchar LANGUAGE sql IMMUTABLE AS 'SELECT t'",
        Rung::Repair,
    ),
    (
        "views replaced and dropped",
        "CREATE OR REPLACE VIEW s.paid AS SELECT o.id, 'x'::text AS email FROM s.orders o; DROP VIEW s.paid_count",
        Rung::Repair,
    ),
    (
        "a view that gained a column",
        "CREATE OR REPLACE VIEW s.paid AS SELECT o.id, 'x'::text AS email, o.note FROM s.orders o",
        Rung::Repair,
    ),
    (
        "a materialized view rewritten",
        "DROP MATERIALIZED VIEW s.totals; CREATE MATERIALIZED VIEW s.totals AS SELECT 1 AS buyer",
        Rung::Repair,
    ),
    (
        "a few rows changed, and a materialized view filled with them",
        "UPDATE s.orders SET total = total + 1 WHERE id % 50 = 0; REFRESH MATERIALIZED VIEW s.totals",
        Rung::Repair,
    ),
    (
        "all rows changed, and a materialized view filled with them",
        "UPDATE s.orders SET total = total + 1; REFRESH MATERIALIZED VIEW s.totals",
        Rung::Repair,
    ),
    (
        "defaults, not null and settings",
        "ALTER TABLE s.orders ALTER COLUMN state SET DEFAULT 'paid', ALTER COLUMN buyer DROP NOT NULL, \
      ALTER COLUMN note SET DEFAULT 'none', ALTER COLUMN note SET STATISTICS 50; ALTER TABLE s.plain SET (fillfactor = 50); \
      ALTER TABLE s.orders FORCE ROW LEVEL SECURITY; ALTER TABLE s.plain REPLICA IDENTITY FULL",
        Rung::Repair,
    ),
    (
        "constraints",
        "ALTER TABLE s.orders ADD CONSTRAINT few CHECK (id < 100000), DROP CONSTRAINT orders_buyer_fkey; \
      ALTER TABLE s.users DROP CONSTRAINT users_email_check; ALTER TABLE s.plain ADD UNIQUE (a)",
        Rung::Repair,
    ),
    (
        "indexes",
        "DROP INDEX s.orders_buyer; CREATE INDEX more ON s.orders (total); ALTER INDEX s.users_email RENAME TO other",
        Rung::Repair,
    ),
    (
        "triggers and policies",
        "DROP TRIGGER stamp ON s.users; CREATE TRIGGER more BEFORE DELETE ON s.orders FOR EACH ROW \
      EXECUTE FUNCTION s.stamp(); DROP POLICY own ON s.orders; CREATE POLICY none ON s.orders USING (false); \
      ALTER TABLE s.orders DISABLE ROW LEVEL SECURITY",
        Rung::Repair,
    ),
    (
        "grants, comments, owners",
        "REVOKE ALL ON s.orders FROM reader; GRANT INSERT ON s.users TO reader; \
      COMMENT ON TABLE s.orders IS 'changed'; COMMENT ON COLUMN s.users.email IS 'new'; ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO reader; \
      CREATE TABLE s.granted (a integer)",
        Rung::Repair,
    ),
    (
        "a sequence",
        "ALTER SEQUENCE s.orders_id_seq INCREMENT 7 CACHE 3 CYCLE; SELECT nextval('s.orders_id_seq')",
        Rung::Repair,
    ),
    (
        "large objects",
        "SELECT lo_unlink(4800); SELECT lo_from_bytea(4801, 'made')",
        Rung::Repair,
    ),
    (
        "identity dropped",
        "ALTER TABLE s.users ALTER COLUMN id DROP IDENTITY",
        Rung::Repair,
    ),
    (
        "everything",
        "DROP SCHEMA s CASCADE; CREATE SCHEMA s; CREATE TABLE s.orders (x integer)",
        Rung::Repair,
    ),
    (
        "a materialized view filled that had no data",
        "REFRESH MATERIALIZED VIEW s.later; UPDATE s.orders SET total = 0 WHERE id = 7",
        Rung::Repair,
    ),
    (
        "indexes and keys of a partitioned table",
        "CREATE INDEX events_what ON s.events (what); DROP INDEX s.events_at; \
      ALTER TABLE s.events ADD CONSTRAINT events_key UNIQUE (at, id, what)",
        Rung::Repair,
    ),
    (
        "an index of a partitioned table, the same name over something else",
        "DROP INDEX s.events_at; CREATE INDEX events_at ON s.events (at DESC)",
        Rung::Repair,
    ),
    (
        "options of an identity",
        "ALTER TABLE s.users ALTER COLUMN id SET INCREMENT BY 5 SET CACHE 10 SET CYCLE SET MAXVALUE 100000",
        Rung::Repair,
    ),
    (
        "an identity that takes values",
        "ALTER TABLE s.users ALTER COLUMN id SET GENERATED BY DEFAULT; INSERT INTO s.users (id, email) VALUES (9000, 'x')",
        Rung::Repair,
    ),
    (
        "a serial made an identity",
        "ALTER TABLE s.orders ALTER COLUMN id DROP DEFAULT; DROP SEQUENCE s.orders_id_seq; \
      ALTER TABLE s.orders ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (START WITH 6000)",
        Rung::Repair,
    ),
    (
        "grants on columns beside those on their table",
        "GRANT UPDATE (note), SELECT (id) ON s.orders TO reader; GRANT SELECT ON s.users TO reader; \
      REVOKE SELECT (email) ON s.users FROM reader",
        Rung::Repair,
    ),
    (
        "nothing but rows that come back",
        "DELETE FROM ONLY s.plain WHERE a = 3; INSERT INTO s.plain VALUES (3, 'p3')",
        Rung::Auto,
    ),
];

fn shop(server: &'static Server) -> Bench {
    let database = Database::create(server);
    database.sql_as_owner(SHOP);
    Bench::on(database)
}

#[track_caller]
fn undone(
    bench: &Bench,
    reader: &Reader,
    before: &str,
    rung: Rung,
    name: &str,
) -> Option<Strategy> {
    let options = RollbackOptions {
        rung,
        ..RollbackOptions::default()
    };
    let report = bench.roll_back_with(reader, &options);
    let report = report.unwrap_or_else(|error| panic!("{name}, {rung:?}\n{error}"));
    bench.database.assert_is(before);
    let difference = bench.difference(reader);
    assert!(
        difference.is_empty(),
        "{name}, {rung:?}\n{:?}",
        difference.lines()
    );
    let totals = "SELECT count(*) FROM s.totals t FULL JOIN \
        (SELECT id % 10 AS part, sum(total) AS total FROM s.orders GROUP BY 1) o USING (part, total) \
        WHERE t.part IS NULL OR o.part IS NULL";
    assert_eq!(
        bench.database.sql(totals),
        "0",
        "{name}: what a materialized view shows"
    );
    (report.outcome == RollbackOutcome::RolledBack).then_some(report.strategy)
}

on_servers! {
    /// P3: some of the scenarios by a swap, one after the other: each time it is another database.
    fn p3_scenarios_are_undone_by_a_swap(server) {
        let bench = shop(server);
        let reader = bench.archive();
        let before = bench.database.dump();
        let options = RollbackOptions { rung: Rung::Swap, other_database: true, ..RollbackOptions::default() };
        let (target, name) = (bench.target_as("postgres"), bench.database.name());
        for (what, damage, _) in SCENARIOS.iter().step_by(4) {
            bench.database.sql_as_owner(damage);
            let damaged = bench.database.dump();
            let wait = std::time::Duration::from_secs(10);
            let swap = pgbelay::run::roll_back(&target, &reader, &bench.store, &options, wait, &bench.ctx);
            let report = crate::data::wait(swap).unwrap_or_else(|error| panic!("{what}\n{error}"));
            assert_eq!(report.strategy, Strategy::Swap, "{what}");
            bench.database.assert_is(&before);
            let difference = bench.difference(&reader);
            assert!(difference.is_empty(), "{what}\n{:?}", difference.lines());
            let kept = Database::existing(server, &report.kept.expect("the failed database").name);
            assert!(kept.name().starts_with(&format!("{name}_failed_")), "{}", kept.name());
            kept.assert_is(&damaged);
        }
    }
}

on_three_servers! {
    /// P3: each scenario by repair and by rebuild.
    fn p3_scenarios_are_undone_on_every_rung(server) {
        let bench = shop(server);
        let reader = bench.archive();
        let before = bench.database.dump();
        for (name, damage, rung) in SCENARIOS {
            bench.database.sql_as_owner(damage);
            let strategy = undone(&bench, &reader, &before, *rung, name);
            let wanted = (*rung == Rung::Repair).then_some(Strategy::Repair);
            assert_eq!(strategy, wanted, "{name}");
            bench.database.sql_as_owner(damage);
            undone(&bench, &reader, &before, Rung::Rebuild, name);
        }
    }

    /// CREATE INDEX CONCURRENTLY that failed leaves an invalid index; it goes.
    fn an_invalid_index_goes(server) {
        let bench = shop(server);
        let reader = bench.archive();
        let before = bench.database.dump();
        let failed = bench.database.server().client("psql", bench.database.name())
            .args(["-Xq", "-c", "CREATE UNIQUE INDEX CONCURRENTLY half ON s.orders (buyer)"])
            .output().expect("psql");
        assert!(!failed.status.success());
        assert_eq!(bench.database.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 's.half'::regclass"), "f");
        let strategy = undone(&bench, &reader, &before, Rung::Repair, "an invalid index");
        assert_eq!(strategy, Some(Strategy::Repair));
    }

    /// A superuser's rollback of a new extension; an extension that was there stays.
    fn a_new_extension_goes(server) {
        let bench = shop(server);
        let reader = bench.archive();
        let before = bench.database.dump();
        let extension = if server.offers("citext") { "citext" } else { "vector" };
        bench.database.sql(&format!("CREATE SCHEMA e; CREATE EXTENSION {extension} SCHEMA e; \
            CREATE TABLE e.t (a integer)"));
        let options = RollbackOptions { rung: Rung::Repair, ..RollbackOptions::default() };
        let target = bench.target_as("postgres");
        let report = crate::data::wait(pgbelay::rollback::roll_back(&target, &reader, &bench.store, &options, &bench.ctx));
        assert_eq!(report.expect("a rollback").strategy, Strategy::Repair);
        bench.database.assert_is(&before);
    }
}
