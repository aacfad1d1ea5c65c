//! The change report of a successful run: what the migration did to definitions and rows, and how surely that
//! is known (docs/changes.md).

use serde_json::{Value, json};

use crate::support::{Output, Shop};

/// A migration of its own, in one psql session.
fn migrated(shop: &Shop, options: &[&str], sql: &str) -> Output {
    // What a server counted that has only just been started is not believed.
    shop.database.sql("SELECT pg_sleep(greatest(0, 5 - extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())))");
    let command = ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-c", sql];
    let output = shop.run(options, &command).assert_code(0);
    assert_eq!(output.json()["outcome"], "migrated", "{output}");
    output
}

fn changes(output: &Output) -> Value {
    output.json()["changes"].clone()
}

fn lines(changes: &Value) -> String {
    changes["differences"].to_string()
}

/// What was counted for a table.
fn counted(changes: &Value, table: &str) -> Value {
    let tables = changes["written"]["tables"].as_array().expect("tables");
    let found = tables.iter().find(|one| one["identity"] == table);
    found.cloned().unwrap_or_default()
}

/// What the tests do to the shop.
const WORK: &str = "CREATE TABLE coupons (code text PRIMARY KEY); INSERT INTO coupons VALUES ('A'), ('B'); \
    ALTER TABLE orders ADD COLUMN paid_on date; UPDATE orders SET total = total + 1 WHERE id <= 10; \
    DELETE FROM notifications WHERE id = 1; DROP TABLE comps; SELECT nextval('orders_id_seq')";

on_all_servers! {
    fn p8_a_report_tells_definitions_and_counted_rows(server) {
        let shop = Shop::at_head(server);
        let orders = shop.database.sql("SELECT count(*) FROM orders");
        let output = migrated(&shop, &[], WORK);
        let changes = changes(&output);
        assert_eq!(changes["not_reported"], Value::Null, "{output}");
        assert_eq!(changes["rows"], "counted", "{output}");
        let told = lines(&changes);
        for line in ["table public.coupons: added", "+ paid_on date", "table public.comps: missing", "sequence public.orders_id_seq"] {
            assert!(told.contains(line), "{line}\n{output}");
        }
        let written = counted(&changes, "table public.orders");
        assert_eq!(written["updated"], 10, "{output}");
        assert_eq!(written["rows_before"].to_string(), orders, "{output}");
        assert_eq!(counted(&changes, "table public.coupons")["inserted"], 2, "{output}");
        assert_eq!(counted(&changes, "table public.users"), Value::Null, "{output}");
        // What was counted is said; what was not read is never called equal.
        output.assert_says(&format!("table public.orders: 10 rows updated ({orders} before)"))
            .assert_says("table public.coupons: added, 2 rows inserted")
            .assert_says("rows are what the server counted");
        assert_eq!(changes["difference"]["rows_not_compared"], true);
    }

    fn rows_are_compared_when_asked_for(server) {
        let shop = Shop::at_head(server);
        let output = migrated(&shop, &["--report", "rows"], WORK);
        let changes = changes(&output);
        assert_eq!(changes["rows"], "compared", "{output}");
        assert_eq!(changes["difference"]["rows_not_compared"], false, "{output}");
        let tables = changes["difference"]["tables"].as_array().expect("tables");
        let names: Vec<&str> = tables.iter().map(|table| table["identity"].as_str().unwrap()).collect();
        assert_eq!(names, [
            "table public.comps", "table public.coupons", "table public.notifications", "table public.orders",
        ], "{output}");
        assert_eq!(tables[1]["after"]["rows"], 2);
        output.assert_says("table public.notifications: 1 row fewer");
        // The same as `diff` says.
        let diff = shop.call().run(&["diff", "--json", changes["before"].as_str().unwrap()]).assert_code(8);
        // What others make in the cluster meanwhile has a place of its own in the run's report.
        let of_database = |difference: &Value| {
            let mut difference = difference.clone();
            difference["outside"] = json!([]);
            difference
        };
        assert_eq!(of_database(&diff.json()["difference"]), of_database(&changes["difference"]));
        assert_eq!(diff.json()["differences"], changes["differences"]);
    }

    fn tables_that_were_emptied_rewritten_or_made_again_are_named(server) {
        let shop = Shop::at_head(server);
        let output = migrated(&shop, &[], "TRUNCATE notifications; \
            CREATE TABLE again AS TABLE comps; DROP TABLE comps; ALTER TABLE again RENAME TO comps");
        output.assert_says("table public.notifications: rewritten or emptied (")
            .assert_says("table public.comps: dropped and made again");
    }
}

on_servers! {
    fn an_upgrade_of_alembic_is_told_by_its_version_rows(server) {
        let shop = Shop::two_behind(server);
        let output = shop.run(&[], &["alembic", "upgrade", "head"]).assert_code(0);
        let changes = changes(&output);
        assert_eq!(changes["difference"]["version_tables"][0]["after"], "add_sqs_metadata", "{output}");
        let output = output.assert_says("version rows of public.alembic_version: 8e61c0d4b7f5 → add_sqs_metadata");
        let log = output.json()["log"].as_str().unwrap().to_owned();
        let log = std::fs::read_to_string(shop.workplace.directory().join(log)).unwrap();
        assert!(log.contains(" | changes: version rows of "), "{log}");
    }

    fn no_report_where_nobody_wants_one(server) {
        let shop = Shop::at_head(server);
        let output = migrated(&shop, &["--report", "none"], WORK);
        assert_eq!(changes(&output), Value::Null);
        let failed = shop.run(&[], &["psql", "-Xqc", "DROP TABLE comps", "-c", "SELECT 1/0", "-v", "ON_ERROR_STOP=1"]);
        assert_eq!(changes(&failed.assert_code(1)), Value::Null);
    }

    /// P8: the migration stands, and the report says that it is none.
    fn p8_a_report_that_cannot_be_made_spoils_nothing(server) {
        let shop = Shop::at_head(server);
        // The archive goes while the migration runs.
        let output = shop.run(&[], &["sh", "-c", "psql -Xqc 'CREATE TABLE x (a int)' && rm backups/*.sql.gz"]).assert_code(0);
        assert_eq!(output.json()["outcome"], "migrated", "{output}");
        let reason = changes(&output)["not_reported"].to_string();
        assert!(reason.contains("open the archive"), "{output}");
        output.assert_says("(not reported: ");
    }

    fn counts_that_were_reset_are_not_guessed_from(server) {
        let shop = Shop::at_head(server);
        shop.database.sql("GRANT EXECUTE ON FUNCTION pg_stat_reset() TO app");
        let output = migrated(&shop, &[], "DELETE FROM notifications WHERE id = 1; SELECT pg_stat_reset()");
        let changes = changes(&output);
        assert_eq!(changes["rows"], "unknown", "{output}");
        assert_eq!(changes["written"], Value::Null, "{output}");
        output.assert_says("which rows were written cannot be told: counting began or was reset since the backup");
        let again = migrated(&shop, &["--report", "rows"], "DELETE FROM notifications WHERE id = 2; SELECT pg_stat_reset()");
        again.assert_says("table public.notifications: 1 row fewer");
    }

    fn others_at_work_make_the_counts_incomplete(server) {
        let shop = Shop::at_head(server);
        let mut other = shop.database.server().client("psql", shop.database.name());
        let mut other = other.args(["-Xq", "-c", "SELECT pg_sleep(60)"]).stderr(std::process::Stdio::null()).spawn().expect("psql");
        let output = migrated(&shop, &[], "DELETE FROM notifications WHERE id = 1");
        other.kill().expect("psql ends");
        other.wait().expect("psql ends");
        assert!(changes(&output)["written"]["incomplete"].is_string(), "{output}");
        assert_eq!(counted(&changes(&output), "table public.notifications")["deleted"], json!(1), "{output}");
        output.assert_says("some may be missing: ");
    }
}
