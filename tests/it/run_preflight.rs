//! What refuses a run before anything is touched; each finding names the object and its cure.

use crate::support::{Output, Shop};

fn refused(shop: &Shop) -> Output {
    let before = shop.database.dump();
    let output = shop
        .run(&[], &["alembic", "upgrade", "head"])
        .assert_code(3);
    assert_eq!(output.json()["outcome"], "refused");
    assert!(shop.workplace.archives().is_empty());
    shop.database.assert_is(&before);
    output
}

on_servers! {
    fn an_invalid_index_is_named_with_its_cure(server) {
        let shop = Shop::two_behind(server);
        shop.database.sql_as_owner("CREATE TABLE twice(a int); INSERT INTO twice VALUES (1), (1)");
        shop.database.sql(
            "CREATE INDEX half ON twice(a); \
             UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half'::regclass");
        refused(&shop).assert_says("index public.half on twice").assert_says("REINDEX");
    }

    fn an_object_of_somebody_else_could_not_be_put_back(server) {
        let shop = Shop::two_behind(server);
        shop.database.sql("CREATE TABLE foreign_to_us(a int); GRANT SELECT ON foreign_to_us TO app");
        refused(&shop).assert_says("table public.foreign_to_us").assert_says("belongs to postgres");
    }

    fn all_findings_are_told_at_once(server) {
        let shop = Shop::two_behind(server);
        shop.database.sql("CREATE TABLE one(a int); CREATE SEQUENCE two; CREATE FUNCTION three() RETURNS int LANGUAGE sql AS 'SELECT 1'");
        let output = refused(&shop).assert_says("table public.one").assert_says("sequence public.two");
        output.assert_says("function public.three()");
    }

    fn who_keeps_a_table_locked_is_waited_for_as_long_as_was_said(server) {
        let shop = Shop::two_behind(server);
        std::thread::scope(|scope| {
            let database = &shop.database;
            scope.spawn(|| {
                let lock = "SET application_name = 'holder'; BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)";
                std::panic::catch_unwind(|| database.sql(lock))
            });
            let asked = "SELECT EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'users'::regclass)";
            while database.sql(asked) == "f" {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            for (command, code) in [("run", 3), ("backup", 5)] {
                let started = std::time::Instant::now();
                let arguments: &[&str] = match command {
                    "backup" => &["backup", "--table-lock-wait", "1s"],
                    _ => &[command, "--table-lock-wait", "1s", "--", "true"],
                };
                let output = shop.call().run(arguments).assert_code(code);
                output.assert_says("public.users").assert_says("\"holder\"");
                assert!(started.elapsed().as_secs() < 15, "{command}: {:?}", started.elapsed());
            }
            database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder' AND datname = current_database()");
        });
    }

    /// The table where Alembic's plain name leads counts; what other tenants have says nothing about it.
    fn another_tenants_version_table_is_not_taken_for_this_ones(server) {
        for (shop, outcome) in [(Shop::two_behind(server), "migrated"), (Shop::empty(server), "migrated")] {
            shop.database.sql("CREATE SCHEMA tenant AUTHORIZATION app");
            shop.database.sql_as_owner(
                "CREATE TABLE tenant.alembic_version (version_num varchar(32) PRIMARY KEY);
                 INSERT INTO tenant.alembic_version VALUES ('add_sqs_metadata')");
            let output = shop.run(&[], &["alembic", "upgrade", "head"]).assert_code(0);
            assert_eq!(output.json()["outcome"], outcome, "{output}");
            assert_eq!(shop.database.sql("SELECT version_num FROM public.alembic_version"), "add_sqs_metadata");
        }
    }

    fn a_large_object_of_somebody_else(server) {
        let shop = Shop::two_behind(server);
        shop.database.sql("SELECT lo_from_bytea(4242, 'bytes')");
        refused(&shop).assert_says("large object 4242");
    }
}
