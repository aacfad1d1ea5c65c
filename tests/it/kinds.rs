//! What pg_dump loses and we keep: real catalogs are the judge, because pg_dump sees nothing.
//!
//! Each case is made by a superuser in a database of its own and goes through every way there and
//! back: backup → own restore, backup → `gunzip | psql`, a list of single changes that `diff` must
//! name and that a rollback must undo. A query free of OIDs says what the catalogs hold.

use pgbelay::archive::Reader;
use pgbelay::compare::{State, compare};
use pgbelay::pg;
use pgbelay::restore::{RestoreOptions, restore};
use pgbelay::rollback::{RollbackOptions, RollbackOutcome, RollbackReport, roll_back};

use crate::data::{Bench, target, wait};
use crate::support::{Database, Server, gunzip};

/// Something to keep.
pub struct Case {
    /// Makes it.
    pub setup: &'static str,
    /// What the catalogs hold of it, free of OIDs; the judge.
    pub probe: &'static str,
    /// A single change, and what the difference must say.
    pub changes: &'static [(&'static str, &'static str)],
}

impl Case {
    /// The judge's answer, its lines sorted.
    fn probed(&self, database: &Database) -> String {
        let answer = database.sql(self.probe);
        let mut lines: Vec<&str> = answer.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    }
}

/// Sends a case there and back.
pub fn keeps(server: &'static Server, case: &Case) {
    let bench = Bench::empty(server);
    bench.database.restore_plain(case.setup.as_bytes());
    let before = case.probed(&bench.database);
    assert!(!before.is_empty(), "the probe sees nothing");
    let dump = bench.database.dump();
    let reader = archive(&bench);

    let by_psql = bench.database.sibling();
    by_psql.restore_plain(&gunzip(reader.path()));
    let by_us = bench.database.sibling();
    let options = RestoreOptions::default();
    wait(restore(
        &target(&by_us, "postgres"),
        &reader,
        &options,
        &bench.ctx,
    ))
    .expect("a restore");
    for copy in [&by_psql, &by_us] {
        assert_eq!(case.probed(copy), before);
        copy.assert_is(&dump);
        assert_eq!(differences(&bench, &reader, copy), Vec::<String>::new());
    }

    for (change, words) in case.changes {
        bench.database.sql(change);
        let lines = differences(&bench, &reader, &bench.database).join("\n");
        assert!(lines.contains(words), "{change}:\n{lines}");
        let report = rolled_back(&bench, &reader);
        assert_eq!(report.outcome, RollbackOutcome::RolledBack, "{change}");
        assert_eq!(case.probed(&bench.database), before, "{change}");
        bench.database.assert_is(&dump);
        assert_eq!(
            differences(&bench, &reader, &bench.database),
            Vec::<String>::new()
        );
    }
}

/// An archive of the database, taken by the superuser.
pub fn archive(bench: &Bench) -> Reader {
    let report = bench.backup_as("postgres").expect("a backup");
    Reader::open(&report.archive).expect("an archive")
}

/// How a database differs from an archive, as the superuser sees it.
pub fn differences(bench: &Bench, reader: &Reader, database: &Database) -> Vec<String> {
    wait(async {
        let session = pg::connect(&target(database, "postgres"), "test", &bench.ctx).await;
        let session = session.expect("a session");
        let after = State::of_database(&session, &bench.ctx)
            .await
            .expect("a state");
        session.close().await;
        compare(&State::of_archive(reader).expect("a state"), &after).lines()
    })
}

/// A rollback by the superuser.
pub fn rolled_back(bench: &Bench, reader: &Reader) -> RollbackReport {
    let (target, options) = (bench.target_as("postgres"), RollbackOptions::default());
    wait(roll_back(
        &target,
        reader,
        &bench.store,
        &options,
        &bench.ctx,
    ))
    .expect("a rollback")
}

on_servers! {
    /// A shell is what is left of an operator that was only ever named. It has an owner, it may
    /// carry a comment, and it may be waited for by an operator that exists.
    fn shell_operators_are_kept(server) {
        keeps(server, &Case {
            setup: "CREATE SCHEMA s; CREATE TYPE s.t AS (a int); GRANT CREATE ON SCHEMA s TO app;
                CREATE OPERATOR s.=== (FUNCTION = booleq, LEFTARG = bool, RIGHTARG = bool, NEGATOR = OPERATOR(s.!==));
                DROP OPERATOR s.=== (bool, bool); ALTER OPERATOR s.!== (bool, bool) OWNER TO app;
                COMMENT ON OPERATOR s.!== (bool, bool) IS 'never made';
                CREATE FUNCTION s.f(s.t, int) RETURNS bool LANGUAGE sql AS 'SELECT true';
                CREATE OPERATOR s.<<< (FUNCTION = s.f, LEFTARG = s.t, RIGHTARG = int, COMMUTATOR = OPERATOR(s.>>>), NEGATOR = OPERATOR(s.!<<<));
                ALTER OPERATOR s.>>> (int, s.t) OWNER TO app;
                CREATE OPERATOR s.!!! (FUNCTION = boolne, LEFTARG = bool, RIGHTARG = bool, NEGATOR = OPERATOR(s.~~~));
                CREATE FUNCTION s.g(bool) RETURNS bool LANGUAGE sql AS 'SELECT true';
                CREATE OPERATOR s.@ (FUNCTION = s.g, RIGHTARG = bool, NEGATOR = OPERATOR(s.@@@)); DROP OPERATOR s.@ (NONE, bool);
                CREATE FUNCTION s.h(anyelement, cstring) RETURNS bool LANGUAGE internal AS 'int4eq';
                CREATE OPERATOR s.# (FUNCTION = s.h, LEFTARG = anyelement, RIGHTARG = cstring, NEGATOR = OPERATOR(s.###)); DROP OPERATOR s.# (anyelement, cstring);",
            probe: "SELECT o.oid::regoperator, o.oprowner::regrole, o.oprcode, o.oprcom::regoperator, o.oprnegate::regoperator, o.oprkind, o.oprresult::regtype, o.oprrest, o.oprjoin
                      FROM pg_operator o WHERE o.oid >= 16384 ORDER BY 1::text",
            changes: &[
                ("DROP OPERATOR s.!== (bool, bool)", "operator s.!== (boolean, boolean): missing"),
                ("ALTER OPERATOR s.>>> (int, s.t) OWNER TO postgres", "operator s.>>> (integer, s.t): changed"),
                ("CREATE OPERATOR s.~~~ (FUNCTION = booleq, LEFTARG = bool, RIGHTARG = bool)", "operator s.~~~ (boolean, boolean): changed"),
                ("DROP OPERATOR s.<<< (s.t, int)", "operator s.<<< (s.t, integer): missing"),
                ("CREATE OPERATOR s.<-> (FUNCTION = boolne, LEFTARG = bool, RIGHTARG = bool, NEGATOR = OPERATOR(s.>-<))", "operator s.>-< (boolean, boolean): added"),
            ],
        });
    }

    /// pg_dump knows families that the user made; a built-in one with additions looks untouched to it.
    fn members_of_built_in_operator_families_are_kept(server) {
        keeps(server, &Case {
            setup: "CREATE SCHEMA s;
                CREATE FUNCTION s.cmp(int8, numeric) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT CASE WHEN $1 < $2 THEN -1 WHEN $1 > $2 THEN 1 ELSE 0 END';
                CREATE FUNCTION s.less(int8, numeric) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 < $2';
                CREATE OPERATOR s.<<< (FUNCTION = s.less, LEFTARG = int8, RIGHTARG = numeric);
                ALTER OPERATOR FAMILY integer_ops USING btree ADD OPERATOR 1 s.<<< (int8, numeric), FUNCTION 1 (int8, numeric) s.cmp(int8, numeric);
                ALTER OPERATOR FAMILY integer_ops USING hash ADD FUNCTION 1 (bool, bool) hashint8(int8);
                CREATE TYPE s.p AS (x int);
                CREATE FUNCTION s.pcmp(s.p, s.p) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT ($1).x - ($2).x';
                CREATE FUNCTION s.plt(s.p, s.p) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT ($1).x < ($2).x';
                CREATE OPERATOR s.<<< (FUNCTION = s.plt, LEFTARG = s.p, RIGHTARG = s.p);
                CREATE OPERATOR CLASS s.p_ops FOR TYPE s.p USING btree FAMILY integer_ops AS OPERATOR 1 s.<<<, FUNCTION 1 s.pcmp(s.p, s.p);",
            probe: "SELECT pg_describe_object('pg_amop'::regclass, oid, 0) FROM pg_amop WHERE oid >= 16384
                     UNION ALL SELECT pg_describe_object('pg_amproc'::regclass, oid, 0) FROM pg_amproc WHERE oid >= 16384 ORDER BY 1",
            changes: &[
                ("ALTER OPERATOR FAMILY integer_ops USING btree DROP OPERATOR 1 (int8, numeric)", "member OPERATOR 1 (bigint, numeric) of operator family pg_catalog.integer_ops USING btree: missing"),
                ("ALTER OPERATOR FAMILY integer_ops USING hash DROP FUNCTION 1 (bool, bool)", "member FUNCTION 1 (boolean, boolean) of operator family pg_catalog.integer_ops USING hash: missing"),
                ("ALTER OPERATOR FAMILY integer_ops USING btree ADD FUNCTION 1 (bool, bool) btboolcmp(bool, bool)", "member FUNCTION 1 (boolean, boolean) of operator family pg_catalog.integer_ops USING btree: added"),
            ],
        });
    }
}
