//! Failed migrations as they come, put back by every rung that may be asked for, on every major: judged by real
//! pg_dump, by content, and by the version rows.

use crate::support::{Database, Output, Shop};

/// What `--strategy` is given; each must do, without another rung's help.
const STRATEGIES: [&str; 3] = ["repair", "rebuild", "swap"];

/// Runs the migration once per strategy; each leaves the database as it found it.
#[track_caller]
fn put_back(shop: &Shop, options: &[&str], command: &[&str]) -> Vec<Output> {
    let (before, revisions) = (shop.database.dump(), shop.database.revisions());
    let run = |strategy: &str| {
        let mut all = vec!["--strategy", strategy];
        all.extend(options);
        let mut call = vec!["run", "--json"];
        call.extend(all);
        call.push("--");
        call.extend(command);
        // The owner of the shop may make no database.
        let role = if strategy == "swap" {
            "postgres"
        } else {
            "app"
        };
        let url = shop.database.url_as(role);
        let output = shop
            .call()
            .env("DATABASE_URL", url)
            .run(&call)
            .assert_code(1);
        let report = output.json();
        assert_eq!(report["outcome"], "rolled-back", "{output}");
        assert_eq!(report["strategy"], strategy, "{output}");
        shop.database.assert_is(&before);
        assert_eq!(shop.database.revisions(), revisions, "{output}");
        let kept = report["kept"]["name"].as_str();
        assert_eq!(kept.is_some(), strategy == "swap", "{output}");
        drop(kept.map(|name| Database::existing(shop.database.server(), name)));
        let archive = report["archive"].as_str().expect("an archive");
        shop.call().run(&["diff", archive]).assert_code(0);
        output
    };
    STRATEGIES.iter().map(|strategy| run(strategy)).collect()
}

/// A psql that commits each of these on its own and then fails.
fn committed(statements: &[String]) -> String {
    let statements: String = statements.iter().map(|sql| format!("{sql};\n")).collect();
    format!("psql -Xq -v ON_ERROR_STOP=1 <<'END' && exit 1\n{statements}\nEND\n")
}

/// An Alembic project of its own, each revision in a transaction of its own.
fn project(shop: &Shop, revisions: &[(&str, &str, &str)]) {
    let env = std::fs::read_to_string(shop.workplace.directory().join("env.py")).expect("env.py");
    let each = "context.configure(connection=connection, transaction_per_migration=True)";
    let env = env.replace("context.configure(connection=connection)", each);
    assert!(env.contains(each), "{env}");
    shop.workplace.write("own/env.py", &env);
    shop.workplace.write(
        "own.ini",
        "[alembic]\nscript_location = %(here)s/own\nprepend_sys_path = %(here)s\npath_separator = os\n\
         version_locations = %(here)s/versions:%(here)s/own/versions\n",
    );
    for (id, down, upgrade) in revisions {
        let text = format!(
            "from alembic import op\nrevision = \"{id}\"\ndown_revision = \"{down}\"\nbranch_labels = None\n\
             depends_on = None\n\ndef upgrade():\n    op.execute(\"\"\"{upgrade}\"\"\")\n\ndef downgrade():\n    pass\n"
        );
        shop.workplace
            .write(&format!("own/versions/{id}.py"), &text);
    }
}

on_all_servers! {
    /// The one head is upgraded and committed, the other fails: both version rows come back.
    fn two_heads_of_which_one_was_upgraded(server) {
        let shop = Shop::at_head(server);
        project(&shop, &[
            ("left1", "add_sqs_metadata", "SELECT 1"),
            ("right1", "add_sqs_metadata", "SELECT 1"),
            ("right2", "right1", "ALTER TABLE orders ADD COLUMN paid_on date; UPDATE orders SET paid_on = '2026-01-01' WHERE id < 50"),
            ("left2", "left1", "INSERT INTO orders (buyer_id, total) VALUES (-1, 0)"),
        ]);
        shop.database.sql_as_owner("DELETE FROM alembic_version; INSERT INTO alembic_version VALUES ('left1'), ('right1')");
        for output in put_back(&shop, &[], &["alembic", "-c", "own.ini", "upgrade", "heads"]) {
            output.assert_says("is not present in table \"users\"");
        }
        assert_eq!(shop.database.revisions(), ["left1", "right1"]);
    }

    /// Seven of ten revisions are in place when the eighth fails.
    fn ten_revisions_each_committed_and_the_eighth_fails(server) {
        let shop = Shop::at_head(server);
        let step = |number: usize| match number {
            8 => "INSERT INTO orders (buyer_id, total) VALUES (-1, 0)".to_owned(),
            3 => "ALTER TABLE orders ALTER COLUMN total TYPE numeric(14,3)".to_owned(),
            5 => "DROP TABLE comps CASCADE".to_owned(),
            number if number % 2 == 0 => format!("UPDATE listings SET title = title || '{number}' WHERE id % 10 = {number}"),
            number => format!("CREATE TABLE step_{number} AS SELECT id, email FROM users"),
        };
        let names: Vec<String> = (0..=10).map(|number| match number {
            0 => "add_sqs_metadata".to_owned(),
            number => format!("step{number}"),
        }).collect();
        let steps: Vec<String> = (1..=10).map(step).collect();
        let revisions: Vec<(&str, &str, &str)> = (1..=10)
            .map(|number| (names[number].as_str(), names[number - 1].as_str(), steps[number - 1].as_str()))
            .collect();
        project(&shop, &revisions);
        for output in put_back(&shop, &[], &["alembic", "-c", "own.ini", "upgrade", "head"]) {
            assert_eq!(output.json()["pending"].as_array().expect("pending").len(), 10, "{output}");
            assert_eq!(output.json()["to"][0], "add_sqs_metadata", "{output}");
        }
    }

    /// The tool succeeded, every change is committed, and a check says no.
    fn verification_failed_after_full_success(server) {
        let shop = Shop::at_head(server);
        let script = "psql -Xq -v ON_ERROR_STOP=1 -c 'CREATE TABLE coupons (code text PRIMARY KEY)' \
            -c 'DELETE FROM notifications WHERE id % 3 = 0' -c 'ALTER TABLE my_items DROP COLUMN cost' \
            -c \"SELECT setval('orders_id_seq', 9000)\"";
        put_back(&shop, &["--verify-command", "false"], &["sh", "-c", script]);
    }

    /// CREATE INDEX CONCURRENTLY that ends half way leaves an invalid index.
    fn an_index_that_was_interrupted(server) {
        let shop = Shop::at_head(server);
        let script = "psql -Xq -v ON_ERROR_STOP=1 -c 'CREATE UNIQUE INDEX CONCURRENTLY half ON orders (buyer_id)'";
        for output in put_back(&shop, &[], &["sh", "-c", script]) {
            output.assert_says("could not create unique index");
        }
        assert_eq!(shop.database.sql("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0");
    }

    /// Every row is changed, in batches that are committed one by one.
    fn all_rows_updated_in_committed_batches(server) {
        let shop = Shop::at_head(server);
        let batches: Vec<String> = (0..5)
            .map(|batch| format!("UPDATE orders SET total = total + 1, ordered_at = now() WHERE id % 5 = {batch}"))
            .collect();
        put_back(&shop, &[], &["sh", "-c", &committed(&batches)]);
    }
}
