//! `pgbelay rollback --plan`: says what a rollback does before it is done, touches nothing, keeps nobody out.

use std::time::Instant;

use pgbelay::archive::Reader;
use pgbelay::rollback::{Action, Measured, Preview, RollbackOptions, Rung, Strategy, preview};

use crate::data::{Bench, wait};
use crate::rollback::{Blocker, DAMAGE};
use crate::support::Shop;

fn plan(bench: &Bench, reader: &Reader, rung: Rung) -> Preview {
    plan_measured(bench, reader, rung, None)
}

fn plan_measured(bench: &Bench, reader: &Reader, rung: Rung, drill: Option<Measured>) -> Preview {
    let options = RollbackOptions {
        rung,
        ..RollbackOptions::default()
    };
    let (target, store) = (bench.target(), &bench.store);
    let found = preview(&target, reader, store, &options, drill, &bench.ctx);
    wait(found).expect("a plan")
}

fn named(plan: &Preview, action: Action) -> Vec<&str> {
    let steps = plan.steps.iter().filter(|step| step.action == action);
    steps.map(|step| step.what.as_str()).collect()
}

fn files(bench: &Bench) -> usize {
    let found = std::fs::read_dir(bench.store.directory()).expect("a store");
    found.count()
}

on_three_servers! {
    /// What was planned is what is done, and planning changed nothing.
    fn a_plan_says_what_the_rollback_then_does(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        bench.database.own_public();
        let reader = bench.archive();
        let before = bench.database.dump();
        for damage in DAMAGE {
            bench.database.sql_as_owner(damage);
            let (damaged, stored) = (bench.database.dump(), files(&bench));
            let planned = plan(&bench, &reader, Rung::Auto);
            bench.database.assert_is(&damaged);
            assert_eq!(files(&bench), stored, "{damage}");
            assert!(!planned.differences.is_empty(), "{damage}");
            assert!(planned.seconds > 0.0 && planned.seconds < 60.0, "{planned:?}");
            let done = bench.roll_back_with(&reader, &RollbackOptions::default()).expect("a rollback");
            assert_eq!(planned.strategy, done.strategy, "{damage}");
            assert_eq!(named(&planned, Action::Save).len(), 1, "{damage}");
            assert_eq!(named(&planned, Action::Prove).len(), 1, "{damage}");
            bench.database.assert_is(&before);
        }
        let planned = plan(&bench, &reader, Rung::Auto);
        assert_eq!((planned.strategy, planned.steps.len()), (Strategy::Nothing, 0));
    }

    /// Steps name what goes, what is changed, and which rows come back.
    fn a_plan_names_its_steps(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "CREATE TABLE one (id integer PRIMARY KEY, a text);
             INSERT INTO one SELECT n, n::text FROM generate_series(1, 5000) n;
             CREATE TABLE other (id integer); INSERT INTO other VALUES (1);
             CREATE SEQUENCE s; CREATE INDEX kept ON other (id)",
        );
        let reader = bench.archive();
        bench.database.sql_as_owner(
            "ALTER TABLE one ADD COLUMN b integer DEFAULT 1; CREATE INDEX extra ON one (b);
             DROP TABLE other; SELECT nextval('s'); DELETE FROM one WHERE id <= 7",
        );
        let planned = plan(&bench, &reader, Rung::Auto);
        assert_eq!(planned.strategy, Strategy::Repair, "{planned:?}");
        assert_eq!(named(&planned, Action::Drop), ["index public.extra"]);
        assert!(named(&planned, Action::Change).iter().any(|sql| sql.contains("DROP COLUMN IF EXISTS b")), "{planned:?}");
        let makes = named(&planned, Action::Make);
        assert!(makes.contains(&"table public.other") && makes.contains(&"index public.kept"), "{makes:?}");
        assert!(!makes.contains(&"table public.one"), "{makes:?}");
        assert_eq!(named(&planned, Action::Set), ["sequence public.s"]);
        let loads = named(&planned, Action::Load);
        assert!(loads.contains(&"table public.other"), "{loads:?}");
        let rows = named(&planned, Action::PutBackRows);
        match rows.as_slice() {
            // Where the server's counts speak, rows are looked at one by one.
            [rows] => assert_eq!(*rows, "table public.one: 0 deleted, 7 loaded"),
            _ => assert!(loads.contains(&"table public.one"), "{planned:?}"),
        }
        let rebuild = plan(&bench, &reader, Rung::Rebuild);
        assert_eq!(rebuild.strategy, Strategy::Rebuild);
        assert!(named(&rebuild, Action::Make).contains(&"table public.one"), "{rebuild:?}");
    }

    /// What gets its name back is said beforehand.
    fn a_plan_knows_what_was_renamed(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner("CREATE TABLE one (id integer); CREATE INDEX one_id ON one (id)");
        let reader = bench.archive();
        bench.database.sql_as_owner("ALTER TABLE one RENAME id TO number; ALTER INDEX one_id RENAME TO other");
        let planned = plan(&bench, &reader, Rung::Auto);
        assert!(planned.why.contains("renamed"), "{}", planned.why);
    }

    /// A plan for a database that is in use: a writer's open transaction neither waits for it nor holds it up.
    fn a_plan_keeps_nobody_out(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        bench.database.own_public();
        let reader = bench.archive();
        bench.database.sql_as_owner("ALTER TABLE shop.users ADD COLUMN more integer");
        let _writer = Blocker::with(
            &bench,
            "BEGIN; UPDATE shop.users SET more = 1; SELECT pg_sleep(60)",
        );
        let started = Instant::now();
        let planned = plan(&bench, &reader, Rung::Auto);
        assert_eq!(planned.strategy, Strategy::Repair);
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }
}

on_servers! {
    /// A server that took longer in a drill takes longer in the estimate.
    fn a_drill_corrects_the_estimate(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "CREATE TABLE one AS SELECT n, repeat('x', 100) AS t FROM generate_series(1, 20000) n",
        );
        let reader = bench.archive();
        bench.database.sql_as_owner("DROP TABLE one");
        let load = |drill| {
            let planned = plan_measured(&bench, &reader, Rung::Auto, drill);
            let loads = planned.steps.iter().filter(|step| step.action == Action::Load);
            loads.map(|step| step.seconds).sum::<f64>()
        };
        let slow = Measured { restore_seconds: 1e6 };
        assert!(load(Some(slow)) > 5.0 * load(None), "{} {}", load(Some(slow)), load(None));
    }

    /// The command prints the plan on stdout and says that nothing was touched.
    fn the_command_prints_the_plan(server) {
        let shop = Shop::at_head(server);
        let database = &shop.database;
        let call = || shop.workplace.call(database);
        call().run(&["backup"]).assert_code(0);
        database.sql_as_owner("CREATE TABLE half (a integer); CREATE INDEX half_a ON half (a)");
        let damaged = database.dump();
        let output = call().run(&["rollback", "--plan"]).assert_code(0);
        let text = output.stdout.clone();
        assert!(text.starts_with("strategy: repair"), "{text}");
        assert!(text.contains("table public.half") && text.contains("all together: about "), "{text}");
        assert!(output.last_line().contains("Nothing was touched"), "{}", output.last_line());
        database.assert_is(&damaged);
        let output = call().run(&["--json", "rollback", "--plan"]).assert_code(0);
        let json = output.json();
        assert_eq!(json["outcome"], "planned");
        assert_eq!(json["plan"]["strategy"], "repair");
        assert!(json["plan"]["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{json}");
        database.assert_is(&damaged);
    }
}
