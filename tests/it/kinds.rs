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
    let dump = without_oids(&bench.database);
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
        assert_eq!(without_oids(copy), dump);
        assert_eq!(differences(&bench, &reader, copy), Vec::<String>::new());
    }

    for (change, words) in case.changes {
        bench.database.sql(change);
        let lines = differences(&bench, &reader, &bench.database).join("\n");
        assert!(lines.contains(words), "{change}:\n{lines}");
        let report = rolled_back(&bench, &reader);
        assert_eq!(report.outcome, RollbackOutcome::RolledBack, "{change}");
        assert_eq!(case.probed(&bench.database), before, "{change}");
        assert_eq!(without_oids(&bench.database), dump, "{change}");
        assert_eq!(
            differences(&bench, &reader, &bench.database),
            Vec::<String>::new()
        );
    }
    for database in [&by_psql, &by_us, &bench.database] {
        drop_subscriptions(database);
    }
}

/// A database with a subscription cannot be dropped.
fn drop_subscriptions(database: &Database) {
    database.sql(
        "DO $$ DECLARE s name; BEGIN
            FOR s IN SELECT subname FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) LOOP
                EXECUTE format('ALTER SUBSCRIPTION %I DISABLE', s);
                EXECUTE format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', s);
                EXECUTE format('DROP SUBSCRIPTION %I', s);
            END LOOP; END $$",
    );
}

/// pg_dump's words, without the OIDs that it prints in the names of a partition's constraint triggers.
fn without_oids(database: &Database) -> String {
    let dump = database.dump();
    let mut parts = dump.split("RI_ConstraintTrigger_");
    let head = parts.next().unwrap_or_default().to_owned();
    parts.fold(head, |text, part| {
        let (side, rest) = part.split_at(2);
        text + side + rest.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}

/// An archive of the database, taken by the superuser.
pub fn archive(bench: &Bench) -> Reader {
    let report = bench.backup_as("postgres").expect("a backup");
    Reader::open(&report.archive).expect("an archive")
}

/// How a database differs from an archive, as the superuser sees it.
pub fn differences(bench: &Bench, reader: &Reader, database: &Database) -> Vec<String> {
    wait(async {
        let session = pg::connect(
            &target(database, "postgres"),
            pg::Purpose::Facts,
            &bench.ctx,
        )
        .await;
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

on_three_servers! {
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

    /// `DISABLE TRIGGER ALL` reaches the triggers that enforce constraints; their names hold OIDs.
    fn states_of_constraint_triggers_are_kept(server) {
        keeps(server, &Case {
            setup: r#"CREATE SCHEMA "s\'x"; SET search_path = "s\'x";
                CREATE TABLE "P'k%s" (id int PRIMARY KEY, u int UNIQUE DEFERRABLE, self int REFERENCES "P'k%s");
                CREATE TABLE c (a int CONSTRAINT "f\k$$%" REFERENCES "P'k%s", b int CONSTRAINT g REFERENCES "P'k%s", r int4range, EXCLUDE USING gist (r WITH &&) DEFERRABLE);
                ALTER TABLE c DISABLE TRIGGER ALL;
                ALTER TABLE "P'k%s" DISABLE TRIGGER ALL;
                CREATE TABLE pp (id int, k int, PRIMARY KEY (id) DEFERRABLE) PARTITION BY RANGE (id);
                CREATE TABLE qq (id int PRIMARY KEY) PARTITION BY RANGE (id);
                CREATE TABLE qq1 PARTITION OF qq FOR VALUES FROM (0) TO (10);
                CREATE TABLE qq2 PARTITION OF qq FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);
                CREATE TABLE qq21 PARTITION OF qq2 FOR VALUES FROM (10) TO (15);
                CREATE TABLE pp1 PARTITION OF pp FOR VALUES FROM (0) TO (10);
                CREATE TABLE rr (a int, b int REFERENCES qq, c int) PARTITION BY RANGE (a);
                CREATE TABLE rr1 PARTITION OF rr FOR VALUES FROM (0) TO (10);
                CREATE TABLE rr2 (a int, b int, c int); ALTER TABLE rr ATTACH PARTITION rr2 FOR VALUES FROM (10) TO (20);
                ALTER TABLE qq DISABLE TRIGGER ALL; ALTER TABLE qq21 ENABLE TRIGGER ALL; ALTER TABLE rr1 DISABLE TRIGGER ALL; ALTER TABLE pp1 DISABLE TRIGGER ALL;
                DO $do$ DECLARE t record; BEGIN
                    FOR t IN SELECT tgname, tgrelid::regclass AS r FROM pg_trigger WHERE tgrelid = 'qq1'::regclass LOOP
                        EXECUTE format('ALTER TABLE %s ENABLE REPLICA TRIGGER %I', t.r, t.tgname); END LOOP;
                    FOR t IN SELECT tgname, tgrelid::regclass AS r FROM pg_trigger WHERE tgrelid = 'rr2'::regclass LIMIT 1 LOOP
                        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', t.r, t.tgname); END LOOP;
                END $do$;"#,
            probe: "SELECT t.tgrelid::regclass, t.tgfoid::regproc, t.tgenabled, f.conrelid::regclass, f.contype, array_to_string(f.conkey, ' ')
                      FROM pg_trigger t JOIN pg_constraint f ON f.oid = t.tgconstraint WHERE t.tgisinternal",
            changes: &[
                (r#"ALTER TABLE "s\'x".c ENABLE TRIGGER ALL"#, "state of trigger \"RI_FKey_check_ins\" for constraint \"f\\k$$%\" on \"s\\'x\".c: missing"),
                (r#"ALTER TABLE "s\'x".rr2 DISABLE TRIGGER ALL"#, "on \"s\\'x\".rr2 of \"s\\'x\".rr: "),
                (r#"ALTER TABLE "s\'x".qq1 DISABLE TRIGGER ALL"#, "on \"s\\'x\".qq1 of \"s\\'x\".rr: changed"),
            ],
        });
    }

    /// A clone on a partition may be enabled or disabled by itself, a constraint trigger's too.
    fn states_of_trigger_clones_are_kept(server) {
        keeps(server, &Case {
            setup: "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
                CREATE TABLE p (a int) PARTITION BY RANGE (a);
                CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (a);
                CREATE TABLE p11 PARTITION OF p1 FOR VALUES FROM (0) TO (5);
                CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
                CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30);
                CREATE TRIGGER plain AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION f();
                CREATE CONSTRAINT TRIGGER late AFTER INSERT ON p DEFERRABLE FOR EACH ROW EXECUTE FUNCTION f();
                CREATE TRIGGER off AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION f();
                ALTER TABLE p DISABLE TRIGGER off; ALTER TABLE p2 ENABLE TRIGGER off; ALTER TABLE p1 ENABLE ALWAYS TRIGGER off;
                ALTER TABLE p11 DISABLE TRIGGER off; ALTER TABLE p11 DISABLE TRIGGER plain; ALTER TABLE p2 ENABLE REPLICA TRIGGER late;
                COMMENT ON TRIGGER plain ON p IS 'parent'; COMMENT ON TRIGGER plain ON p11 IS 'clone'; COMMENT ON TRIGGER late ON p3 IS 'late clone';",
            probe: "SELECT tgrelid::regclass, tgname, tgenabled, obj_description(oid, 'pg_trigger') FROM pg_trigger",
            changes: &[
                ("ALTER TABLE p2 ENABLE TRIGGER late", "trigger late on public.p2: missing"),
                ("ALTER TABLE p3 DISABLE TRIGGER plain", "trigger plain on public.p3: added"),
                ("COMMENT ON TRIGGER plain ON p11 IS NULL", "comment on TRIGGER plain ON public.p11: missing"),
                ("COMMENT ON TRIGGER late ON p3 IS 'other'", "comment on TRIGGER late ON public.p3: changed"),
            ],
        });
    }

    /// Comments on what comes with something else: inherited constraints, keys and columns of
    /// partitions, indexes of constraints, columns of views and composite types.
    fn comments_on_inherited_things_are_kept(server) {
        keeps(server, &Case {
            setup: "CREATE TABLE p (a int CONSTRAINT ch CHECK (a > 0), b int, CONSTRAINT pk PRIMARY KEY (a)) PARTITION BY RANGE (a);
                CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (10);
                CREATE TABLE q (a int CONSTRAINT qch CHECK (a > 0)); CREATE TABLE q1 (c int) INHERITS (q);
                ALTER TABLE q ADD CONSTRAINT late CHECK (a < 99) NOT VALID;
                CREATE FUNCTION over(q) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
                ALTER TABLE q ADD CONSTRAINT around CHECK (over(NULL::q));
                CREATE TABLE r (x int CONSTRAINT fk REFERENCES p) PARTITION BY RANGE (x); CREATE TABLE r1 PARTITION OF r FOR VALUES FROM (1) TO (10);
                CREATE INDEX i ON p (b);
                CREATE VIEW v AS SELECT 1 AS n; CREATE MATERIALIZED VIEW m AS SELECT 1 AS n; CREATE TYPE t AS (n int);
                CREATE DOMAIN d AS int CONSTRAINT dch CHECK (VALUE > 0);
                COMMENT ON CONSTRAINT ch ON p1 IS 'ch1'; COMMENT ON CONSTRAINT pk ON p IS 'pk'; COMMENT ON CONSTRAINT p1_pkey ON p1 IS 'pk1';
                COMMENT ON INDEX pk IS 'ipk'; COMMENT ON INDEX p1_pkey IS 'ipk1'; COMMENT ON INDEX p1_b_idx IS 'ib1';
                COMMENT ON CONSTRAINT qch ON q1 IS 'qch1'; COMMENT ON CONSTRAINT late ON q1 IS 'late1'; COMMENT ON CONSTRAINT late ON q IS 'late'; COMMENT ON CONSTRAINT around ON q1 IS 'around1';
                COMMENT ON CONSTRAINT fk ON r1 IS 'fk1'; COMMENT ON COLUMN p1.b IS 'b1'; COMMENT ON COLUMN q1.a IS 'a1';
                COMMENT ON COLUMN v.n IS 'vn'; COMMENT ON COLUMN m.n IS 'mn'; COMMENT ON COLUMN t.n IS 'tn'; COMMENT ON CONSTRAINT dch ON DOMAIN d IS 'dch';",
            probe: "SELECT o.type, o.identity, d.description FROM pg_description d CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) o
                     WHERE d.objoid >= 16384",
            changes: &[
                ("COMMENT ON CONSTRAINT late ON q1 IS NULL", "comment on CONSTRAINT late ON public.q1: missing"),
                ("COMMENT ON CONSTRAINT fk ON r1 IS 'other'", "comment on CONSTRAINT fk ON public.r1: changed"),
                ("COMMENT ON INDEX p1_pkey IS NULL", "comment on INDEX public.p1_pkey: missing"),
                ("COMMENT ON COLUMN m.n IS NULL", "comment on COLUMN public.m.n: missing"),
            ],
        });
    }

    /// A subscription comes back disabled, with its slot's name, without ever connecting.
    fn subscriptions_are_kept(server) {
        keeps(server, &Case {
            setup: "DO $$ BEGIN CREATE ROLE kinds_subscriber SUPERUSER; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
                CREATE SUBSCRIPTION \"kinds S\" CONNECTION 'host=127.0.0.1 port=1 dbname=x user=u password=''s e\\cret''' PUBLICATION a, \"B c\" WITH (connect = false, slot_name = NONE);
                CREATE SUBSCRIPTION kinds_s2 CONNECTION 'host=127.0.0.1 port=1 password=geheim' PUBLICATION a WITH (connect = false, slot_name = 'k_slot', binary = true, streaming = on, synchronous_commit = local);
                COMMENT ON SUBSCRIPTION kinds_s2 IS 'from afar'; ALTER SUBSCRIPTION kinds_s2 OWNER TO kinds_subscriber;
                CREATE TABLE t (a int); INSERT INTO t VALUES (1);",
            probe: "SELECT subname, subowner::regrole, subenabled, subbinary, to_jsonb(s) ->> 'substream', subconninfo, subslotname, subsynccommit, subpublications,
                           to_jsonb(s) - '{oid,subdbid,subowner}'::text[], obj_description(s.oid, 'pg_subscription')
                      FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database()",
            changes: &[
                ("ALTER SUBSCRIPTION kinds_s2 SET (binary = false)", "subscription kinds_s2: changed"),
                ("ALTER SUBSCRIPTION kinds_s2 CONNECTION 'host=127.0.0.1 port=1 password=other'", "a secret in it differs"),
                ("ALTER SUBSCRIPTION kinds_s2 DISABLE; ALTER SUBSCRIPTION kinds_s2 SET (slot_name = NONE); DROP SUBSCRIPTION kinds_s2", "subscription kinds_s2: missing"),
                ("CREATE SUBSCRIPTION kinds_s3 CONNECTION 'host=127.0.0.1' PUBLICATION a WITH (connect = false, slot_name = 'kinds_slot3')", "subscription kinds_s3: added"),
                ("ALTER SUBSCRIPTION kinds_s2 ENABLE", "subscription-state: state of subscription kinds_s2: added"),
                ("INSERT INTO t VALUES (2)", "table public.t: 1 row more"),
            ],
        });
    }

    /// What of a subscription cannot be set again is said by name; what a role may not read, too.
    fn state_of_subscriptions_is_a_loss(server) {
        let bench = Bench::empty(server);
        bench.database.sql("CREATE SUBSCRIPTION kinds_s4 CONNECTION 'host=127.0.0.1 port=1 password=geheim' PUBLICATION a WITH (connect = false, slot_name = 'k_slot4')");
        let unread = bench.backup().expect_err("a plain owner").to_string();
        assert!(unread.contains("subscription kinds_s4 (unreadable)"), "{unread}");
        bench.database.sql("ALTER SUBSCRIPTION kinds_s4 ENABLE");
        let enabled = bench.backup_as("postgres").expect_err("enabled").to_string();
        assert!(enabled.contains("state of subscription kinds_s4 (subscription-state)"), "{enabled}");
        bench.database.sql("ALTER SUBSCRIPTION kinds_s4 DISABLE");
        let reader = archive(&bench);
        bench.database.sql("ALTER SUBSCRIPTION kinds_s4 CONNECTION 'host=elsewhere password=verborgen'");
        let lines = differences(&bench, &reader, &bench.database).join("\n");
        assert!(lines.contains("host=elsewhere"), "{lines}");
        assert!(!lines.contains("geheim") && !lines.contains("verborgen"), "{lines}");
        drop_subscriptions(&bench.database);
    }

    /// Dropping and making a subscription again would end replication for good.
    fn an_unchanged_subscription_is_left_alone_by_a_rollback(server) {
        let bench = Bench::empty(server);
        bench.database.sql(
            "CREATE SUBSCRIPTION kinds_s5 CONNECTION 'host=127.0.0.1 port=1' PUBLICATION a WITH (connect = false, slot_name = 'k_slot5');
             CREATE TABLE t (a int)",
        );
        let number = "SELECT oid FROM pg_subscription WHERE subname = 'kinds_s5'";
        let (reader, before) = (archive(&bench), bench.database.sql(number));
        bench.database.sql("ALTER TABLE t ADD COLUMN b int");
        assert_eq!(rolled_back(&bench, &reader).outcome, RollbackOutcome::RolledBack);
        assert_eq!(bench.database.sql(number), before);
        drop_subscriptions(&bench.database);
    }

    /// No module with a provider comes with the servers, so the labels are planted as rows; the
    /// exam sets real ones. What cannot be set again refuses before anything is loaded.
    fn security_labels_are_read_and_compared(server) {
        let bench = Bench::empty(server);
        bench.database.sql(
            r#"CREATE SCHEMA "s x"; CREATE TABLE "s x".t (a int, "B c" text); CREATE VIEW v AS SELECT 1 AS n; CREATE MATERIALIZED VIEW m AS SELECT 1 AS n;
               CREATE SEQUENCE q; CREATE FUNCTION f(int, text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE PROCEDURE pr() LANGUAGE sql AS 'SELECT 1';
               CREATE AGGREGATE cnt(*) (sfunc = int8inc, stype = int8, initcond = '0'); CREATE DOMAIN d AS int; CREATE TYPE e AS ENUM ('a'); CREATE TYPE co AS (n int);
               CREATE FUNCTION et() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER ev ON sql_drop EXECUTE FUNCTION et();
               CREATE PUBLICATION pub; SELECT lo_create(4711); CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE ft (a int) SERVER s;
               INSERT INTO pg_seclabel (classoid, objoid, objsubid, provider, label)
                 SELECT 'pg_class'::regclass, c.oid, 0, 'du mmy', 'secret ''\' || relname FROM pg_class c WHERE relname IN ('t', 'v', 'm', 'q', 'ft')
                 UNION ALL SELECT 'pg_class'::regclass, '"s x".t'::regclass, 2, 'du mmy', 'column' UNION ALL SELECT 'pg_class'::regclass, 'co'::regclass, 1, 'du mmy', 'attribute'
                 UNION ALL SELECT 'pg_proc'::regclass, oid, 0, 'du mmy', proname FROM pg_proc WHERE proname IN ('f', 'pr', 'cnt') AND oid >= 16384
                 UNION ALL SELECT 'pg_proc'::regclass, 'pg_sleep'::regproc, 0, 'du mmy', 'built-in'
                 UNION ALL SELECT 'pg_type'::regclass, oid, 0, 'du mmy', typname FROM pg_type WHERE oid IN ('d'::regtype, 'e'::regtype)
                 UNION ALL SELECT 'pg_namespace'::regclass, oid, 0, 'du mmy', nspname FROM pg_namespace WHERE nspname IN ('s x', 'public')
                 UNION ALL SELECT 'pg_language'::regclass, oid, 0, 'du mmy', lanname FROM pg_language WHERE lanname = 'plpgsql'
                 UNION ALL SELECT 'pg_event_trigger'::regclass, oid, 0, 'du mmy', evtname FROM pg_event_trigger UNION ALL SELECT 'pg_publication'::regclass, oid, 0, 'du mmy', pubname FROM pg_publication
                 UNION ALL SELECT 'pg_largeobject'::regclass, 4711, 0, 'du mmy', 'bytes' UNION ALL SELECT 'pg_class'::regclass, 'v'::regclass, 0, 'other', 'second'"#,
        );
        let reader = archive(&bench);
        let script = String::from_utf8(gunzip(reader.path())).expect("text");
        let labels = "SELECT count(*) FROM pg_seclabel";
        let statements = script.matches("\nSECURITY LABEL FOR ").count();
        assert_eq!(statements.to_string(), bench.database.sql(labels));
        for line in [
            r#"SECURITY LABEL FOR "du mmy" ON TABLE "s x".t IS E'secret ''\\t';"#,
            r#"SECURITY LABEL FOR "du mmy" ON COLUMN "s x".t."B c" IS 'column';"#,
            r#"SECURITY LABEL FOR "du mmy" ON COLUMN public.co.n IS 'attribute';"#,
            r#"SECURITY LABEL FOR "du mmy" ON FUNCTION public.f(integer, text) IS 'f';"#,
            r#"SECURITY LABEL FOR "du mmy" ON AGGREGATE public.cnt(*) IS 'cnt';"#,
            r#"SECURITY LABEL FOR "du mmy" ON DOMAIN public.d IS 'd';"#,
            r#"SECURITY LABEL FOR "du mmy" ON FUNCTION pg_catalog.pg_sleep(double precision) IS 'built-in';"#,
            r#"SECURITY LABEL FOR other ON VIEW public.v IS 'second';"#,
        ] {
            assert!(script.lines().any(|found| found == line), "{line}");
        }
        bench.database.sql("UPDATE pg_seclabel SET label = 'changed' WHERE objsubid = 2");
        bench.database.sql("DELETE FROM pg_seclabel WHERE provider = 'other'");
        let lines = differences(&bench, &reader, &bench.database).join("\n");
        assert!(lines.contains(r#"security label of "du mmy" on COLUMN "s x".t."B c": changed"#), "{lines}");
        assert!(lines.contains("security label of other on VIEW public.v: missing"), "{lines}");
        let copy = bench.database.sibling();
        let options = RestoreOptions::default();
        let refused = wait(restore(&target(&copy, "postgres"), &reader, &options, &bench.ctx)).expect_err("no provider");
        assert_eq!(refused.kind(), pgbelay::error::Kind::Refused);
        assert!(refused.to_string().contains(r#""du mmy", other"#), "{refused}");
    }

    /// From 17 on. The server refuses to attach an index that excludes, so pg_dump's own script
    /// of such a table fails; the parent's constraint makes the partitions', each gets its name back.
    fn exclusion_constraints_of_partitioned_tables_are_kept(server) {
        if server.major < 17 {
            return;
        }
        keeps(server, &Case {
            setup: "CREATE TABLE p (a int, b int, CONSTRAINT px EXCLUDE USING btree (a WITH =) WITH (fillfactor = 70)) PARTITION BY RANGE (a);
                CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (9);
                CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (9) TO (20) PARTITION BY RANGE (a);
                CREATE TABLE p21 PARTITION OF p2 FOR VALUES FROM (9) TO (12);
                ALTER TABLE p21 RENAME CONSTRAINT p21_a_excl TO \"my 'own\"; COMMENT ON CONSTRAINT \"my 'own\" ON p21 IS 'x'; INSERT INTO p VALUES (1), (10);",
            probe: "SELECT k.conname, k.conrelid::regclass, pg_get_constraintdef(k.oid), k.conislocal, k.coninhcount, i.reloptions, obj_description(k.oid, 'pg_constraint'), h.inhparent::regclass
                      FROM pg_constraint k JOIN pg_class i ON i.oid = k.conindid LEFT JOIN pg_inherits h ON h.inhrelid = i.oid WHERE k.contype = 'x'",
            changes: &[
                ("ALTER TABLE p1 RENAME CONSTRAINT p1_a_excl TO other", "constraint other on public.p1: added"),
                ("ALTER TABLE p DROP CONSTRAINT px", "constraint px on public.p: missing"),
            ],
        });
    }
}
