//! Behind PgBouncer in session mode: what of ours would be kept there is ended, and what of the migration's does not arrive is said.

use crate::support::{Call, Database, Pooler, Shop, Workplace};

fn url(database: &Database, pooler: &Pooler) -> String {
    let direct = format!("127.0.0.1:{}", database.server().port);
    let there = format!("127.0.0.1:{}", pooler.port);
    database.url().replace(&direct, &there)
}

fn through<'a>(shop: &'a Shop, pooler: &Pooler) -> Call<'a> {
    shop.call().env("DATABASE_URL", url(&shop.database, pooler))
}

on_servers! {
    /// Our own sessions, once closed, looked like those of somebody else who had written.
    fn what_of_ours_a_pooler_would_keep_is_no_writer(server) {
        let Some(pooler) = Pooler::in_mode(server, "session") else { return };
        let (database, workplace) = (Database::create(server), Workplace::new());
        database.own_public();
        database.sql_as_owner("CREATE TABLE t AS SELECT 1 AS v");
        let before = database.dump();
        workplace.write("sql/1_half.sql", "ALTER TABLE t ADD COLUMN half int;");
        workplace.write("sql/2_fails.sql", "SELECT 1 / 0;");
        let call = workplace.call(&database).env("DATABASE_URL", url(&database, &pooler));
        let output = call.run(&["run", "--json", "--sql", "sql"]).assert_code(1);
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        database.assert_is(&before);
    }

    /// Nobody can tell the migration's own sessions there from those of others; the fence would keep it out, too.
    fn a_session_pooler_is_told_of_before_the_migration(server) {
        let Some(pooler) = Pooler::in_mode(server, "session") else { return };
        let shop = Shop::at_head(server);
        let run = through(&shop, &pooler).run(&["run", "--json", "--", "psql", "-Xqc", "SELECT 1"]).assert_code(0);
        run.assert_says("a rollback that is needed will be withheld").assert_says("a pooler drops startup options");
        let fenced = ["run", "--json", "--fence", "writes", "--", "touch", "started"];
        through(&shop, &pooler).run(&fenced).assert_code(3).assert_says("let through the fence");
        assert!(!shop.workplace.directory().join("started").exists());
        let doctor = through(&shop, &pooler).run(&["doctor", "--fence", "writes", "--", "true"]);
        doctor.assert_code(3).assert_says("let through the fence");
    }

    /// PgBouncer without settings refuses whoever has startup options.
    fn a_pooler_that_refuses_options_is_no_end_of_a_migration(server) {
        let Some(pooler) = Pooler::by_default(server) else { return };
        let shop = Shop::at_head(server);
        let run = |more: &[&str]| {
            let arguments = [&["run", "--json"], more, &["--", "psql", "-Xqc", "CREATE TABLE made (a int)"]].concat();
            through(&shop, &pooler).run(&arguments)
        };
        run(&["--lock-timeout", "7s"]).assert_code(3).assert_says("ignore_startup_parameters = extra_float_digits,options");
        run(&[]).assert_code(0).assert_says("a pooler refuses startup options");
        assert_eq!(shop.database.sql("SELECT to_regclass('made') IS NOT NULL"), "t");
    }
}
