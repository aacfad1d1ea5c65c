//! The closed world (P10, spec §7): whatever is planted into the catalogs and nobody knows is refused
//! by name. Each plant is one change by a superuser, undone before the next.

use std::io::Write;

use pgbelay::catalog::{self, AcceptedLosses, Loss};
use pgbelay::error::{Error, Kind};
use pgbelay::pg::{self, Session, Sql};

use crate::data::{Bench, wait};

/// One object of every kind that the plants change.
const GROUND: &str = "
CREATE SCHEMA w;
CREATE TABLE w.t (id integer PRIMARY KEY, name text DEFAULT 'x', CONSTRAINT positive CHECK (id > 0));
CREATE TABLE w.child () INHERITS (w.t);
CREATE TABLE w.refers (id integer CONSTRAINT refers REFERENCES w.t);
CREATE TABLE w.parted (k integer, v text) PARTITION BY RANGE (k);
CREATE TABLE w.part PARTITION OF w.parted FOR VALUES FROM (0) TO (10);
CREATE TYPE w.mood AS ENUM ('calm', 'wild');
CREATE TYPE w.span AS RANGE (subtype = integer);
CREATE TYPE w.pair AS (a integer, b text);
CREATE DOMAIN w.small AS integer CHECK (VALUE < 9);
CREATE VIEW w.v AS SELECT id FROM w.t;
CREATE MATERIALIZED VIEW w.m AS SELECT 1 AS one;
CREATE FUNCTION w.f(a integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION w.modes(INOUT a integer) LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION w.trg() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION w.evt() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE AGGREGATE w.total(integer) (SFUNC = int4pl, STYPE = integer);
CREATE TRIGGER tg BEFORE INSERT ON w.t FOR EACH ROW EXECUTE FUNCTION w.trg();
CREATE TRIGGER cloned AFTER INSERT ON w.parted FOR EACH ROW EXECUTE FUNCTION w.trg();
CREATE RULE r AS ON DELETE TO w.t DO ALSO NOTHING;
CREATE POLICY p ON w.t USING (true);
CREATE INDEX i ON w.t (name);
CREATE SEQUENCE w.s;
CREATE COLLATION w.c (locale = 'C');
CREATE STATISTICS w.st ON id, name FROM w.t;
CREATE PUBLICATION world_pub FOR TABLE w.t;
CREATE EVENT TRIGGER world_et ON sql_drop EXECUTE FUNCTION w.evt();
ALTER EVENT TRIGGER world_et DISABLE;
CREATE FOREIGN DATA WRAPPER world_fdw;
CREATE SERVER world_server FOREIGN DATA WRAPPER world_fdw;
CREATE FOREIGN TABLE w.far (a integer) SERVER world_server;
CREATE CAST (w.mood AS integer) WITH INOUT;
CREATE OPERATOR w.### (FUNCTION = int4pl, LEFTARG = integer, RIGHTARG = integer);
CREATE OPERATOR CLASS w.oc FOR TYPE integer USING btree AS OPERATOR 1 <, FUNCTION 1 btint4cmp(integer, integer);
CREATE ACCESS METHOD world_am TYPE INDEX HANDLER bthandler;
CREATE TEXT SEARCH CONFIGURATION w.tsc (COPY = pg_catalog.simple);
CREATE CONVERSION w.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app;
SELECT lo_from_bytea(4711, 'abc');
COMMENT ON TABLE w.t IS 'a comment'";

/// What is planted, the kind of loss, and words of its name.
type Plant = (&'static str, Loss, &'static str);

const LETTERS: [Plant; 33] = [
    (
        "UPDATE pg_class SET relkind = 'Q' WHERE relname = 'far'",
        Loss::UnknownCatalog,
        "w.far in pg_class",
    ),
    (
        "UPDATE pg_class SET relpersistence = 'z' WHERE oid = 'w.m'::regclass",
        Loss::UnknownCatalog,
        "w.m in pg_class",
    ),
    (
        "UPDATE pg_class SET relreplident = 'q' WHERE oid = 'w.t'::regclass",
        Loss::UnknownCatalog,
        "its relreplident is \"q\"",
    ),
    (
        "UPDATE pg_attribute SET attidentity = 'z' WHERE attrelid = 'w.t'::regclass AND attname = 'id'",
        Loss::UnknownCatalog,
        "w.t.id in pg_attribute",
    ),
    (
        "UPDATE pg_attribute SET attgenerated = 'q' WHERE attrelid = 'w.t'::regclass AND attname = 'name'",
        Loss::UnknownCatalog,
        "w.t.name in pg_attribute",
    ),
    (
        "UPDATE pg_attribute SET attcompression = 'z' WHERE attrelid = 'w.t'::regclass AND attname = 'name'",
        Loss::UnknownCatalog,
        "attcompression is \"z\"",
    ),
    (
        "UPDATE pg_attribute SET attstorage = 'q' WHERE attrelid = 'w.t'::regclass AND attname = 'name'",
        Loss::UnknownCatalog,
        "attstorage is \"q\"",
    ),
    (
        "UPDATE pg_type SET typtype = 'q' WHERE oid = 'w.mood'::regtype",
        Loss::UnknownCatalog,
        "w.mood in pg_type",
    ),
    (
        "UPDATE pg_type SET typalign = 'q' WHERE oid = 'w.mood'::regtype",
        Loss::UnknownCatalog,
        "typalign is \"q\"",
    ),
    (
        "UPDATE pg_type SET typstorage = 'q' WHERE oid = 'w.mood'::regtype",
        Loss::UnknownCatalog,
        "typstorage is \"q\"",
    ),
    (
        "UPDATE pg_constraint SET contype = 'q' WHERE conname = 'positive' AND conrelid = 'w.t'::regclass",
        Loss::UnknownCatalog,
        "positive on w.t in pg_constraint",
    ),
    (
        "UPDATE pg_constraint SET confdeltype = 'q' WHERE conname = 'refers'",
        Loss::UnknownCatalog,
        "refers on w.refers in pg_constraint",
    ),
    (
        "UPDATE pg_constraint SET confupdtype = 'q' WHERE conname = 'refers'",
        Loss::UnknownCatalog,
        "confupdtype is \"q\"",
    ),
    (
        "UPDATE pg_constraint SET confmatchtype = 'q' WHERE conname = 'refers'",
        Loss::UnknownCatalog,
        "confmatchtype is \"q\"",
    ),
    (
        "UPDATE pg_proc SET prokind = 'q' WHERE oid = 'w.trg'::regproc",
        Loss::UnknownCatalog,
        "w.trg in pg_proc",
    ),
    (
        "UPDATE pg_proc SET provolatile = 'q' WHERE oid = 'w.trg'::regproc",
        Loss::UnknownCatalog,
        "provolatile is \"q\"",
    ),
    (
        "UPDATE pg_proc SET proparallel = 'q' WHERE oid = 'w.trg'::regproc",
        Loss::UnknownCatalog,
        "proparallel is \"q\"",
    ),
    (
        "UPDATE pg_proc SET proargmodes = '{q}' WHERE oid = 'w.modes'::regproc",
        Loss::UnknownCatalog,
        "w.modes in pg_proc",
    ),
    (
        "UPDATE pg_aggregate SET aggkind = 'q' WHERE aggfnoid = 'w.total'::regproc",
        Loss::UnknownCatalog,
        "w.total in pg_aggregate",
    ),
    (
        "UPDATE pg_aggregate SET aggfinalmodify = 'q' WHERE aggfnoid = 'w.total'::regproc",
        Loss::UnknownCatalog,
        "aggfinalmodify is \"q\"",
    ),
    (
        "UPDATE pg_am SET amtype = 'q' WHERE amname = 'world_am'",
        Loss::UnknownCatalog,
        "world_am in pg_am",
    ),
    (
        "UPDATE pg_operator SET oprkind = 'r' WHERE oprname = '###'",
        Loss::UnknownCatalog,
        "w.### in pg_operator",
    ),
    (
        "UPDATE pg_partitioned_table SET partstrat = 'q'",
        Loss::UnknownCatalog,
        "w.parted in pg_partitioned_table",
    ),
    (
        "UPDATE pg_trigger SET tgenabled = 'q' WHERE tgname = 'tg'",
        Loss::UnknownCatalog,
        "tg on w.t in pg_trigger",
    ),
    (
        "UPDATE pg_rewrite SET ev_enabled = 'q' WHERE rulename = 'r'",
        Loss::UnknownCatalog,
        "r on w.t in pg_rewrite",
    ),
    (
        "UPDATE pg_rewrite SET ev_type = '9' WHERE rulename = 'r'",
        Loss::UnknownCatalog,
        "ev_type is \"9\"",
    ),
    (
        "UPDATE pg_event_trigger SET evtevent = 'logout'",
        Loss::UnknownCatalog,
        "world_et in pg_event_trigger",
    ),
    (
        "UPDATE pg_policy SET polcmd = 'q'",
        Loss::UnknownCatalog,
        "p on w.t in pg_policy",
    ),
    (
        "UPDATE pg_cast SET castmethod = 'q' WHERE castsource = 'w.mood'::regtype",
        Loss::UnknownCatalog,
        "w.mood as integer in pg_cast",
    ),
    (
        "UPDATE pg_cast SET castcontext = 'q' WHERE castsource = 'w.mood'::regtype",
        Loss::UnknownCatalog,
        "castcontext is \"q\"",
    ),
    (
        "UPDATE pg_collation SET collprovider = 'q' WHERE collname = 'c'",
        Loss::UnknownCatalog,
        "w.c in pg_collation",
    ),
    (
        "UPDATE pg_default_acl SET defaclobjtype = 'q'",
        Loss::UnknownCatalog,
        "postgres in pg_default_acl",
    ),
    (
        "UPDATE pg_statistic_ext SET stxkind = '{q}'",
        Loss::UnknownCatalog,
        "w.st in pg_statistic_ext",
    ),
];

const SHAPES: [Plant; 2] = [
    (
        "SET LOCAL allow_system_table_mods = on; ALTER TABLE pg_catalog.pg_conversion ADD COLUMN extra integer",
        Loss::UnknownCatalog,
        "column pg_conversion.extra integer",
    ),
    (
        "UPDATE pg_depend SET deptype = 'q' WHERE classid = 'pg_class'::regclass AND objid = 'w.s'::regclass",
        Loss::UnknownCatalog,
        "in pg_depend",
    ),
];

const BOOKS: [Plant; 23] = [
    (
        "UPDATE pg_class SET relnatts = 7 WHERE oid = 'w.t'::regclass",
        Loss::UnknownCatalog,
        "relation w.t",
    ),
    (
        "DELETE FROM pg_attrdef WHERE adrelid = 'w.t'::regclass",
        Loss::UnknownCatalog,
        "column w.t.name",
    ),
    (
        "UPDATE pg_attribute SET atthasdef = false WHERE attrelid = 'w.t'::regclass AND attname = 'name'",
        Loss::UnknownCatalog,
        "default of column w.t.name",
    ),
    (
        "UPDATE pg_constraint SET conname = 'other' WHERE conrelid = 'w.child'::regclass AND contype = 'c'",
        Loss::UnknownCatalog,
        "constraint other on w.child",
    ),
    (
        "UPDATE pg_constraint SET conrelid = 0 WHERE conname = 'positive' AND conrelid = 'w.t'::regclass",
        Loss::UnknownCatalog,
        "positive in pg_constraint",
    ),
    (
        "UPDATE pg_class SET relchecks = 7 WHERE oid = 'w.refers'::regclass",
        Loss::UnknownCatalog,
        "table w.refers",
    ),
    (
        "DELETE FROM pg_index WHERE indexrelid = 'w.i'::regclass",
        Loss::UnknownCatalog,
        "index w.i",
    ),
    (
        "DELETE FROM pg_inherits WHERE inhrelid = 'w.part'::regclass",
        Loss::UnknownCatalog,
        "partition w.part",
    ),
    (
        "UPDATE pg_class SET relispartition = false WHERE oid = 'w.part'::regclass",
        Loss::UnknownCatalog,
        "table w.part",
    ),
    (
        "DELETE FROM pg_partitioned_table",
        Loss::UnknownCatalog,
        "table w.parted",
    ),
    (
        "DELETE FROM pg_foreign_table",
        Loss::UnknownCatalog,
        "table w.far",
    ),
    (
        "DELETE FROM pg_sequence WHERE seqrelid = 'w.s'::regclass",
        Loss::UnknownCatalog,
        "sequence w.s",
    ),
    (
        "UPDATE pg_enum SET enumtypid = 'integer'::regtype WHERE enumlabel = 'wild'",
        Loss::UnknownCatalog,
        "label 'wild'",
    ),
    (
        "DELETE FROM pg_range WHERE rngtypid = 'w.span'::regtype",
        Loss::UnknownCatalog,
        "type w.span",
    ),
    (
        "DELETE FROM pg_aggregate WHERE aggfnoid = 'w.total'::regproc",
        Loss::UnknownCatalog,
        "function w.total(integer)",
    ),
    (
        "DELETE FROM pg_rewrite WHERE ev_class = 'w.v'::regclass",
        Loss::UnknownCatalog,
        "view w.v",
    ),
    (
        "UPDATE pg_type SET typelem = 'text'::regtype WHERE typname = '_mood'",
        Loss::UnknownCatalog,
        "type w.mood",
    ),
    (
        "DELETE FROM pg_depend WHERE classid = 'pg_amop'::regclass AND objid >= 16384",
        Loss::UnknownCatalog,
        "of an operator family",
    ),
    (
        "DELETE FROM pg_depend WHERE classid = 'pg_amproc'::regclass AND objid >= 16384",
        Loss::UnknownCatalog,
        "of an operator family",
    ),
    (
        "INSERT INTO pg_init_privs VALUES ('w.t'::regclass, 'pg_class'::regclass, 0, 'e', '{}')",
        Loss::UnknownCatalog,
        "of pg_class",
    ),
    (
        "INSERT INTO pg_depend VALUES (4242, 'w.t'::regclass, 0, 'pg_class'::regclass, 'w.s'::regclass, 0, 'n')",
        Loss::UnknownCatalog,
        "its classid says 4242",
    ),
    (
        "INSERT INTO pg_description VALUES (90001, 4242, 0, 'lost words')",
        Loss::UnknownCatalog,
        "its classoid says 4242",
    ),
    (
        "INSERT INTO pg_largeobject VALUES (90002, 0, 'x')",
        Loss::UnknownCatalog,
        "pages of large object 90002",
    ),
];

const REFERENCES: [Plant; 18] = [
    (
        "UPDATE pg_class SET relnamespace = 4242 WHERE oid = 'w.refers'::regclass",
        Loss::UnknownCatalog,
        "refers in pg_class",
    ),
    (
        "UPDATE pg_type SET typnamespace = 4242 WHERE oid = 'w.mood'::regtype",
        Loss::UnknownCatalog,
        "mood in pg_type",
    ),
    (
        "UPDATE pg_attribute SET atttypid = 4242 WHERE attrelid = 'w.refers'::regclass AND attname = 'id'",
        Loss::UnknownCatalog,
        "its atttypid says 4242",
    ),
    (
        "UPDATE pg_proc SET prorettype = 4242 WHERE oid = 'w.f'::regproc",
        Loss::UnknownCatalog,
        "f in pg_proc",
    ),
    (
        "UPDATE pg_proc SET prolang = 4242 WHERE oid = 'w.f'::regproc",
        Loss::UnknownCatalog,
        "its prolang says 4242",
    ),
    (
        "UPDATE pg_proc SET proargtypes = '4242' WHERE oid = 'w.f'::regproc",
        Loss::UnknownCatalog,
        "its proargtypes says 4242",
    ),
    (
        "UPDATE pg_enum SET enumtypid = 4242 WHERE enumlabel = 'wild'",
        Loss::UnknownCatalog,
        "wild in pg_enum",
    ),
    (
        "UPDATE pg_trigger SET tgfoid = 999999 WHERE tgname = 'tg'",
        Loss::UnknownCatalog,
        "tg in pg_trigger",
    ),
    (
        "UPDATE pg_policy SET polrelid = 4242",
        Loss::UnknownCatalog,
        "p in pg_policy",
    ),
    (
        "UPDATE pg_statistic_ext SET stxrelid = 4242",
        Loss::UnknownCatalog,
        "st in pg_statistic_ext",
    ),
    (
        "UPDATE pg_publication_rel SET prrelid = 4242 WHERE prrelid = 'w.t'::regclass",
        Loss::UnknownCatalog,
        "in pg_publication_rel",
    ),
    (
        "UPDATE pg_foreign_server SET srvfdw = 4242",
        Loss::UnknownCatalog,
        "world_server in pg_foreign_server",
    ),
    (
        "UPDATE pg_ts_config SET cfgparser = 4242 WHERE cfgname = 'tsc'",
        Loss::UnknownCatalog,
        "tsc in pg_ts_config",
    ),
    (
        "UPDATE pg_conversion SET conproc = 999999 WHERE conname = 'conv'",
        Loss::UnknownCatalog,
        "conv in pg_conversion",
    ),
    (
        "UPDATE pg_cast SET casttarget = 4242 WHERE castsource = 'w.mood'::regtype",
        Loss::UnknownCatalog,
        "in pg_cast",
    ),
    (
        "UPDATE pg_constraint SET confrelid = 4242 WHERE conname = 'refers'",
        Loss::UnknownCatalog,
        "refers in pg_constraint",
    ),
    (
        "UPDATE pg_default_acl SET defaclnamespace = 4242",
        Loss::UnknownCatalog,
        "in pg_default_acl",
    ),
    (
        "UPDATE pg_inherits SET inhparent = 4242 WHERE inhrelid = 'w.child'::regclass",
        Loss::UnknownCatalog,
        "in pg_inherits",
    ),
];

const OBJECTS: [Plant; 16] = [
    (
        "COMMENT ON FUNCTION pg_catalog.now() IS 'later than you think'",
        Loss::SystemObject,
        "comment on function now()",
    ),
    (
        "DROP SCHEMA information_schema CASCADE",
        Loss::SystemObject,
        "schema information_schema",
    ),
    (
        "SET LOCAL allow_system_table_mods = on; CREATE TABLE pg_catalog.stowaway (a integer)",
        Loss::SystemObject,
        "table stowaway",
    ),
    (
        "CREATE FUNCTION pg_catalog.stowaway() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        Loss::SystemObject,
        "function stowaway()",
    ),
    (
        "CREATE FUNCTION information_schema.stowaway() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        Loss::SystemObject,
        "function information_schema.stowaway()",
    ),
    (
        "CREATE VIEW information_schema.stowaway AS SELECT 1 AS a",
        Loss::SystemObject,
        "view information_schema.stowaway",
    ),
    (
        "CREATE TYPE pg_catalog.stowaway AS ENUM ('a')",
        Loss::SystemObject,
        "type stowaway",
    ),
    (
        "INSERT INTO pg_description VALUES (90001, 'pg_class'::regclass, 0, 'lost words')",
        Loss::UnknownObject,
        "comment on ",
    ),
    (
        "INSERT INTO pg_depend SELECT 'pg_class'::regclass, 'w.t'::regclass, 0, 'pg_extension'::regclass, oid, 0, 'x' FROM pg_extension",
        Loss::ExtensionChange,
        "dependency on an extension",
    ),
    (
        "UPDATE pg_trigger SET tgname = 'renamed' WHERE tgrelid = 'w.part'::regclass",
        Loss::TriggerState,
        "trigger renamed on w.part",
    ),
    (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'w.i'::regclass",
        Loss::InvalidIndex,
        "index w.i",
    ),
    (
        "UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = 'w.part'::regclass",
        Loss::PendingDetach,
        "w.part",
    ),
    (
        "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) VALUES (90003, 'timescaledb', 10, 'w'::regnamespace, false, '2.1')",
        Loss::ExtensionData,
        "extension timescaledb",
    ),
    (
        "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) VALUES (90003, 'citus', 10, 'w'::regnamespace, false, '12')",
        Loss::ExtensionData,
        "extension citus",
    ),
    (
        "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) VALUES (90003, 'pglogical', 10, 'w'::regnamespace, false, '2')",
        Loss::ExtensionData,
        "extension pglogical",
    ),
    (
        "UPDATE pg_policy SET polroles = '{4242}'",
        Loss::MissingRole,
        "p on w.t",
    ),
];

const ROLES: [Plant; 20] = [
    (
        "UPDATE pg_class SET relowner = 4242 WHERE oid = 'w.t'::regclass",
        Loss::MissingRole,
        "w.t",
    ),
    (
        "UPDATE pg_class SET relowner = 4242 WHERE oid = 'w.v'::regclass",
        Loss::MissingRole,
        "w.v",
    ),
    (
        "UPDATE pg_class SET relowner = 4242 WHERE oid = 'w.m'::regclass",
        Loss::MissingRole,
        "w.m",
    ),
    (
        "UPDATE pg_class SET relowner = 4242 WHERE oid = 'w.s'::regclass",
        Loss::MissingRole,
        "w.s",
    ),
    (
        "UPDATE pg_class SET relowner = 4242 WHERE oid = 'w.far'::regclass",
        Loss::MissingRole,
        "w.far",
    ),
    (
        "UPDATE pg_namespace SET nspowner = 4242 WHERE nspname = 'w'",
        Loss::MissingRole,
        "schema w",
    ),
    (
        "UPDATE pg_type SET typowner = 4242 WHERE oid = 'w.mood'::regtype",
        Loss::MissingRole,
        "w.mood",
    ),
    (
        "UPDATE pg_proc SET proowner = 4242 WHERE oid = 'w.f'::regproc",
        Loss::MissingRole,
        "w.f(",
    ),
    (
        "UPDATE pg_operator SET oprowner = 4242 WHERE oprname = '###'",
        Loss::MissingRole,
        "###",
    ),
    (
        "UPDATE pg_opclass SET opcowner = 4242 WHERE opcname = 'oc'",
        Loss::MissingRole,
        "w.oc",
    ),
    (
        "UPDATE pg_collation SET collowner = 4242 WHERE collname = 'c'",
        Loss::MissingRole,
        "w.c",
    ),
    (
        "UPDATE pg_conversion SET conowner = 4242 WHERE conname = 'conv'",
        Loss::MissingRole,
        "w.conv",
    ),
    (
        "UPDATE pg_statistic_ext SET stxowner = 4242",
        Loss::MissingRole,
        "w.st",
    ),
    (
        "UPDATE pg_ts_config SET cfgowner = 4242 WHERE cfgname = 'tsc'",
        Loss::MissingRole,
        "w.tsc",
    ),
    (
        "UPDATE pg_publication SET pubowner = 4242",
        Loss::MissingRole,
        "world_pub",
    ),
    (
        "UPDATE pg_event_trigger SET evtowner = 4242",
        Loss::MissingRole,
        "world_et",
    ),
    (
        "UPDATE pg_foreign_server SET srvowner = 4242",
        Loss::MissingRole,
        "world_server",
    ),
    (
        "UPDATE pg_foreign_data_wrapper SET fdwowner = 4242",
        Loss::MissingRole,
        "world_fdw",
    ),
    (
        "UPDATE pg_largeobject_metadata SET lomowner = 4242",
        Loss::MissingRole,
        "4711",
    ),
    (
        "UPDATE pg_class SET relacl = ARRAY[makeaclitem(4242, relowner, 'SELECT', false)] WHERE oid = 'w.t'::regclass",
        Loss::MissingRole,
        "w.t",
    ),
];

/// Why this session's view of the database would be refused, if it would.
async fn refusal(session: &Session) -> Option<Error> {
    if let Err(error) = catalog::require_references(session).await {
        return Some(error);
    }
    match catalog::read(session).await {
        Err(error) => Some(error),
        Ok(found) => AcceptedLosses::default()
            .require(&found.uncovered, "back up")
            .err(),
    }
}

/// Ends the transaction of a plant that the server did not take.
async fn undone(session: &Session, why: String) -> String {
    session
        .execute(&Sql::constant("ROLLBACK"))
        .await
        .expect("the end of it");
    why
}

/// Plants, looks, and undoes; why it was not refused as it must be.
async fn planted(session: &Session, plant: &Plant) -> Result<(), String> {
    let (sql, loss, words) = *plant;
    session
        .execute(&Sql::constant("BEGIN ISOLATION LEVEL REPEATABLE READ"))
        .await
        .expect("a transaction");
    let made = session.execute(&Sql::deparsed(sql)).await;
    let error = match made {
        Ok(()) => refusal(session).await,
        Err(error) => return Err(undone(session, format!("NOT PLANTED: {error}")).await),
    };
    session
        .execute(&Sql::constant("ROLLBACK"))
        .await
        .expect("the end of it");
    let Some(error) = error else {
        return Err(format!("NOT REFUSED: {sql}"));
    };
    let reason = error.reason().unwrap_or_default();
    let named = reason
        .split("; ")
        .flat_map(|part| part.split('\n'))
        .any(|part| {
            part.contains(words) && part.contains(&format!("({})", loss.name()))
                || (part.contains(words) && reason.contains(loss.name()))
        });
    if error.kind() == Kind::Refused && named {
        return Ok(());
    }
    Err(format!(
        "{:?} without {words} ({}): {sql}\n    {reason}",
        error.kind(),
        loss.name()
    ))
}

on_all_servers! {
    /// P10, spec §7: planted unknowns refused / planted = 100 %.
    fn p10_every_planted_unknown_is_refused_by_name(server) {
        let bench = Bench::empty(server);
        bench.database.sql(GROUND);
        let plants = [&LETTERS[..], &SHAPES, &BOOKS, &REFERENCES, &OBJECTS, &ROLES].concat();
        let failures: Vec<String> = wait(async {
            let session = pg::connect(&bench.target_as("postgres"), pg::Purpose::Facts, &bench.ctx).await.expect("a session");
            session.execute(&Sql::constant("BEGIN ISOLATION LEVEL REPEATABLE READ")).await.expect("a transaction");
            let before = refusal(&session).await;
            assert!(before.is_none(), "the ground itself is refused: {before:?}");
            session.execute(&Sql::constant("ROLLBACK")).await.expect("the end of it");
            let mut failures = Vec::new();
            for plant in &plants {
                failures.extend(planted(&session, plant).await.err());
            }
            session.close().await;
            failures
        });
        let refused = plants.len() - failures.len();
        let line = format!("closed world, PostgreSQL {}: planted {}, refused {refused}", server.major, plants.len());
        // Past the test harness, which keeps what a passing test prints.
        writeln!(std::io::stderr(), "{line}").expect("a line on stderr");
        assert!(plants.len() >= 40);
        assert!(failures.is_empty(), "planted {}, refused {refused}:\n{}", plants.len(), failures.join("\n"));
    }
}
