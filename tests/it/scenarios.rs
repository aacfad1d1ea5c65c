//! Every way a run can end, through the program, with real `pg_dump` output before and after.
//!
//! Each scenario holds the database, the exit code, the JSON object and the last line together:
//! they must tell the same story.

use serde_json::{Value, json};

use crate::support::{Output, Shop};

/// Exit code, outcome and error of the JSON object agree with each other and with what is expected.
#[track_caller]
fn assert_ended(output: &Output, outcome: &str, code: i32) -> Value {
    assert_eq!(output.code, code, "{output}");
    let report = output.json();
    assert_eq!(report["outcome"], outcome, "{output}");
    assert_eq!(report["exit_code"], code, "{output}");
    assert_eq!(report["error"].is_null(), code == 0, "{output}");
    for phase in ["preflight", "total"] {
        assert!(
            report["seconds"][phase].is_number(),
            "no seconds for {phase}\n{output}"
        );
    }
    assert!(output.last_line().contains(&code.to_string()), "{output}");
    report
}

fn archive_of(report: &Value) -> String {
    report["archive"].as_str().expect("an archive").to_owned()
}

on_servers! {
    fn success_migrates_and_says_from_where_to_where(server) {
        let shop = Shop::two_behind(server);
        let output = shop.run(&[], &["alembic", "upgrade", "head"]);
        let report = assert_ended(&output, "migrated", 0);
        assert_eq!(report["from"], json!(["8e61c0d4b7f5"]));
        assert_eq!(report["to"], json!(["add_sqs_metadata"]));
        assert!(archive_of(&report).ends_with("_8e61c0d4b7f5.sql.gz"), "{output}");
        assert_eq!(shop.database.revisions(), ["add_sqs_metadata"]);
        assert_eq!(shop.database.sql("SELECT count(*) FROM predictions WHERE sqs_message_id IS NULL"), "2000");
    }

    fn the_first_deployment_of_an_empty_database(server) {
        let shop = Shop::empty(server);
        let output = shop.run(&[], &["alembic", "upgrade", "head"]);
        let report = assert_ended(&output, "migrated", 0);
        assert_eq!(report["from"], json!([]));
        assert!(archive_of(&report).ends_with("_norev.sql.gz"), "{output}");
        assert_eq!(shop.database.revisions(), ["add_sqs_metadata"]);
    }

    fn nothing_pending_makes_no_backup(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let output = shop.run(&[], &["alembic", "upgrade", "head"]);
        assert_ended(&output, "nothing-to-do", 0);
        assert!(shop.workplace.archives().is_empty());
        shop.database.assert_is(&before);
    }

    fn the_default_command_is_alembic_upgrade_head(server) {
        let shop = Shop::two_behind(server);
        let output = shop.call().run(&["run", "--json"]);
        assert_ended(&output, "migrated", 0);
        assert_eq!(shop.database.revisions(), ["add_sqs_metadata"]);
    }

    fn a_failure_that_committed_nothing_leaves_everything(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let output = shop.run_failing("in_transaction", &[]);
        let report = assert_ended(&output, "unchanged", 1);
        assert_eq!(report["to"], json!(["add_sqs_metadata"]));
        shop.database.assert_is(&before);
        output.assert_says("is violated by some row");
    }

    fn a_sequence_that_a_failed_transaction_moved_stands_where_it_stood(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let script = "psql -Xq -v ON_ERROR_STOP=1 -c \"INSERT INTO orders (buyer_id, total) VALUES (-1, 0)\"";
        let output = shop.run(&[], &["sh", "-c", script]).assert_code(1);
        assert!(output.json()["to"] == output.json()["from"], "{output}");
        shop.database.assert_is(&before);
    }

    fn a_half_committed_failure_is_rolled_back(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let output = shop.run_failing("half_committed", &[]);
        let report = assert_ended(&output, "rolled-back", 1);
        assert!(!report["proof"].is_null(), "{output}");
        assert!(!report["strategy"].is_null(), "{output}");
        shop.database.assert_is(&before);
        output.assert_says("is not present in table \"users\"");
    }

    fn the_next_attempt_meets_no_leftovers(server) {
        let shop = Shop::at_head(server);
        let first = shop.run_failing("half_committed", &[]);
        assert_ended(&first, "rolled-back", 1);
        let again = shop.run_failing("half_committed", &[]);
        assert_ended(&again, "rolled-back", 1);
        assert!(!again.stderr.contains("already exists"), "{again}");
        // The cause is put right: now the same migration goes through.
        let version = "failing/half_committed/search_half_committed.py";
        let path = shop.workplace.directory().join(version);
        let text = std::fs::read_to_string(&path).unwrap();
        shop.workplace.write(version, &text.replace("(NULL, -1, 0)", "(NULL, 1, 0)"));
        assert_ended(&shop.run_failing("half_committed", &[]), "migrated", 0);
        assert_eq!(shop.database.revisions(), ["search_half_committed"]);
    }

    fn several_pending_versions_with_a_failing_last_one_are_rolled_back_together(server) {
        let shop = Shop::two_behind(server);
        let before = shop.database.dump();
        let output = shop.run_failing("half_committed", &[]);
        let report = assert_ended(&output, "rolled-back", 1);
        assert_eq!(report["to"], json!(["8e61c0d4b7f5"]));
        shop.database.assert_is(&before);
    }

    fn a_superuser_rolls_back_too(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let call = shop.call().env("DATABASE_URL", shop.database.url_as("postgres"));
        let output = call.run(&["run", "--json", "--", "alembic", "-c", "failing/half_committed.ini", "upgrade", "head"]);
        assert_ended(&output, "rolled-back", 1);
        shop.database.assert_is(&before);
    }

    fn lost_rows_are_noticed_by_a_check_and_come_back(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let output = shop.run_failing("loses_rows", &["--verify-sql", "checks"]);
        let report = assert_ended(&output, "rolled-back", 1);
        assert!(report["error"].to_string().contains("orders_know_their_listing"), "{output}");
        shop.database.assert_is(&before);
    }

    fn checks_that_hold_let_the_migration_stand(server) {
        let shop = Shop::two_behind(server);
        let output = shop.run(&["--verify-sql", "checks"], &["alembic", "upgrade", "head"]);
        assert_ended(&output, "migrated", 0);
    }

    fn an_expected_column_that_is_missing_is_named(server) {
        let shop = Shop::at_head(server);
        let expected = shop.call().run(&["schema", "--format", "expect"]).assert_code(0).stdout;
        shop.workplace.write("expected", &expected.replace("sqs_queued_at", "sqs_queued_on"));
        shop.database.sql_as_owner("UPDATE alembic_version SET version_num = 'add_user_fk_constraint'");
        let before = shop.database.dump();
        let output = shop.run(&["--expect", "expected"], &["alembic", "upgrade", "head"]);
        let report = assert_ended(&output, "rolled-back", 1);
        assert!(report["error"].to_string().contains("sqs_queued_on"), "{output}");
        shop.database.assert_is(&before);
    }

    fn a_verify_command_that_fails_brings_the_database_back(server) {
        let shop = Shop::two_behind(server);
        let before = shop.database.dump();
        let output = shop.run(&["--verify-command", "false"], &["alembic", "upgrade", "head"]);
        assert_ended(&output, "rolled-back", 1);
        shop.database.assert_is(&before);
    }

    fn an_exit_code_of_zero_with_nothing_written_is_a_failure(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let output = shop.run_failing("writes_nothing", &[]);
        let report = assert_ended(&output, "unchanged", 1);
        assert!(report["error"].to_string().contains("item_notes"), "{output}");
        shop.database.assert_is(&before);
    }

    fn a_restart_after_success_has_nothing_to_do(server) {
        let shop = Shop::two_behind(server);
        assert_ended(&shop.run(&[], &["alembic", "upgrade", "head"]), "migrated", 0);
        let archives = shop.workplace.archives();
        let before = shop.database.dump();
        assert_ended(&shop.run(&[], &["alembic", "upgrade", "head"]), "nothing-to-do", 0);
        assert_eq!(shop.workplace.archives(), archives);
        shop.database.assert_is(&before);
    }

    fn a_downgrade_is_a_migration_too(server) {
        let shop = Shop::at_head(server);
        let output = shop.run(&[], &["alembic", "downgrade", "-1"]);
        let report = assert_ended(&output, "migrated", 0);
        assert_eq!(report["to"], json!(["add_user_fk_constraint"]));
    }

    fn a_command_that_is_not_alembic_succeeds(server) {
        let shop = Shop::at_head(server);
        let script = "psql -Xq \"$DATABASE_URL\" -v ON_ERROR_STOP=1 -c 'CREATE TABLE coupons(code text PRIMARY KEY)'";
        assert_ended(&shop.run(&[], &["sh", "-c", script]), "migrated", 0);
        assert_eq!(shop.database.sql("SELECT count(*) FROM coupons"), "0");
    }

    fn a_command_that_is_not_alembic_fails_half_way(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let script = "psql -Xq -v ON_ERROR_STOP=1 -c 'DROP TABLE comps' -c 'UPDATE users SET is_active = false' -c 'SELECT 1/0'";
        let output = shop.run(&[], &["sh", "-c", script]);
        assert_ended(&output, "rolled-back", 1);
        shop.database.assert_is(&before);
        output.assert_says("division by zero");
    }

    fn a_directory_of_sql_files_is_applied_in_order(server) {
        let shop = Shop::at_head(server);
        shop.database.sql("DROP TABLE alembic_version");
        shop.workplace.write("sql/001_coupons.sql", "CREATE TABLE coupons(code text PRIMARY KEY);\n");
        shop.workplace.write("sql/002_first_coupon.sql", "INSERT INTO coupons VALUES ('WELCOME; -- not a comment');\n");
        let output = shop.call().run(&["run", "--json", "--sql", "sql"]);
        assert_ended(&output, "migrated", 0);
        assert_eq!(shop.database.sql("SELECT code FROM coupons"), "WELCOME; -- not a comment");
        let again = shop.call().run(&["run", "--json", "--sql", "sql"]);
        assert_ended(&again, "nothing-to-do", 0);
    }

    fn a_failing_sql_file_after_a_good_one_is_rolled_back(server) {
        let shop = Shop::at_head(server);
        shop.database.sql("DROP TABLE alembic_version");
        let before = shop.database.dump();
        shop.workplace.write("sql/001_coupons.sql", "CREATE TABLE coupons(code text PRIMARY KEY);\nDELETE FROM orders;\n");
        shop.workplace.write("sql/002_broken.sql", "INSERT INTO coupons VALUES (NULL);\n");
        let output = shop.call().run(&["run", "--json", "--sql", "sql"]);
        assert_ended(&output, "rolled-back", 1);
        shop.database.assert_is(&before);
        output.assert_says("002_broken.sql");
    }

    fn what_alembic_prints_as_sql_can_be_applied(server) {
        let shop = Shop::two_behind(server);
        let printed = shop.workplace.alembic(&shop.database, &["upgrade", "8e61c0d4b7f5:head", "--sql"]);
        shop.workplace.write("printed/upgrade.sql", &printed);
        let output = shop.call().run(&["run", "--json", "--sql", "printed"]);
        assert_ended(&output, "migrated", 0);
        assert!(shop.database.revisions().contains(&"add_sqs_metadata".to_owned()));
        assert_eq!(shop.database.sql("SELECT count(sqs_queued_at) FROM predictions"), "0");
    }
}
