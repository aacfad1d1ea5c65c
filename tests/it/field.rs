//! The arrows of the field notes: what five teams' own scripts did, or failed to do.

use nix::sys::signal::Signal;

use crate::support::{Call, MARKER, Output, Server, Shop, repository};

/// Field notes A: the `.env` of the container that restarted for ever, its line 13 included.
fn compose_env(shop: &Shop) -> String {
    let lines = "# comment\n".repeat(11);
    let port = shop.database.server().port;
    format!(
        "{lines}POSTGRES_PASSWORD=\"{}\"\n\
         DATABASE_URL=postgresql://app:${{POSTGRES_PASSWORD}}@127.0.0.1:{port}/{}\n",
        MARKER.replace('\\', "\\\\"),
        shop.database.name()
    )
}

/// The arguments of a run of Alembic up to the head.
const UPGRADE: [&str; 5] = ["run", "--", "alembic", "upgrade", "head"];

/// Component variables, as deal-scout sets them.
fn components(server: &Server, shop: &Shop) -> [(&'static str, String); 5] {
    [
        ("DB_HOST", "127.0.0.1".to_owned()),
        ("DB_PORT", server.port.to_string()),
        ("POSTGRES_DB", shop.database.name().to_owned()),
        ("POSTGRES_USER", "app".to_owned()),
        ("POSTGRES_PASSWORD", MARKER.to_owned()),
    ]
}

on_servers! {
    fn a_the_unexpanded_reference_is_expanded_for_us_and_for_the_child(server) {
        let shop = Shop::two_behind(server);
        shop.workplace.write(".env", &compose_env(&shop));
        let refused = Call::new(&shop.workplace).run(&UPGRADE).assert_code(2);
        refused.assert_says("line 13");
        let arguments = ["run", "--expand-env", "--", "alembic", "upgrade", "head"];
        Call::new(&shop.workplace).run(&arguments).assert_code(0);
        assert_eq!(shop.database.revisions(), ["add_sqs_metadata"]);
    }

    fn a_the_first_block_says_where_we_are(server) {
        let shop = Shop::two_behind(server);
        let output = shop.call().run(&UPGRADE).assert_code(0);
        let masked = format!("postgresql://app:***@127.0.0.1:{}/{}", server.port, shop.database.name());
        output.assert_says(&masked).assert_says("8e61c0d4b7f5");
    }

    fn a_first_deployment_update_and_second_start_keep_the_rows(server) {
        let shop = Shop::empty(server);
        shop.run(&[], &["alembic", "upgrade", "3c4e4feca860"]).assert_code(0);
        shop.database.sql_as_owner("INSERT INTO users (email) VALUES ('first@example.org')");
        shop.run(&[], &["alembic", "upgrade", "head"]).assert_code(0);
        let output = shop.run(&[], &["alembic", "upgrade", "head"]).assert_code(0);
        assert_eq!(output.json()["outcome"], "nothing-to-do");
        assert_eq!(shop.database.sql("SELECT email FROM users"), "first@example.org");
    }

    fn a_a_restart_loop_is_broken_and_makes_no_new_backups(server) {
        // Transactions in other databases cannot be told from ones in ours.
        let shop = Shop::at_head(server.of_our_own());
        for _ in 0..3 {
            shop.run_failing("in_transaction", &[]).assert_code(1);
        }
        let archives = shop.workplace.archives();
        assert_eq!(archives.len(), 1, "an unchanged database reuses its archive: {archives:?}");
        let output = shop.run_failing("in_transaction", &[]).assert_code(3);
        output.assert_says("--force");
        shop.run_failing("in_transaction", &["--force"]).assert_code(1);
    }

    fn b_shrinking_a_column_that_holds_longer_values(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        shop.workplace.write("versions/shrink.py", &version("shrink", "add_sqs_metadata", "
    with op.get_context().autocommit_block():
        op.execute('ALTER TABLE users ADD COLUMN nick varchar(10)')
    op.alter_column('users', 'email', type_=sa.String(5))"));
        shop.run(&[], &["alembic", "upgrade", "head"]).assert_code(1);
        shop.database.assert_is(&before);
    }

    fn b_changing_a_type_and_adding_a_column_keep_the_rows(server) {
        let shop = Shop::at_head(server);
        shop.workplace.write("versions/widen.py", &version("widen", "add_sqs_metadata", "
    op.alter_column('users', 'email', type_=sa.Text)
    op.add_column('users', sa.Column('country', sa.String(2), nullable=False, server_default='DE'))"));
        shop.run(&[], &["alembic", "upgrade", "head"]).assert_code(0);
        assert_eq!(shop.database.sql("SELECT count(*), min(country) FROM users"), "200|DE");
        shop.run(&[], &["alembic", "downgrade", "-1"]).assert_code(1);
        assert_eq!(shop.database.revisions(), ["widen"], "it has no downgrade");
    }

    fn c_component_variables_are_enough(server) {
        let shop = Shop::two_behind(server);
        let mut call = Call::new(&shop.workplace);
        for (name, value) in components(server, &shop) {
            call = call.env(name, value);
        }
        call.run(&UPGRADE).assert_code(0);
        assert_eq!(shop.database.revisions(), ["add_sqs_metadata"]);
    }

    fn c_the_precedence_of_sources_is_shown(server) {
        let shop = Shop::at_head(server);
        let mut call = shop.call();
        for (name, _) in components(server, &shop) {
            call = call.env(name, "elsewhere");
        }
        call.run(&["doctor"]).assert_code(0).assert_says("DATABASE_URL");
    }

    fn c_every_driver_form_of_the_url_works(server) {
        for dialect in ["postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg", "postgres"] {
            let shop = Shop::two_behind(server);
            let url = shop.database.url().replacen("postgresql", dialect, 1);
            Call::new(&shop.workplace).env("DATABASE_URL", url).run(&UPGRADE).assert_code(0);
            assert_eq!(shop.database.revisions(), ["add_sqs_metadata"], "{dialect}");
        }
    }

    fn c_ten_replicas_at_once_give_one_migration(server) {
        let shop = Shop::two_behind(server);
        let running: Vec<_> = (0..10).map(|_| shop.call().start(&["run", "--json", "--", "alembic", "upgrade", "head"])).collect();
        let outputs: Vec<Output> = running.into_iter().map(|run| run.finish().assert_code(0)).collect();
        let migrated = outputs.iter().filter(|output| output.json()["outcome"] == "migrated").count();
        assert_eq!(migrated, 1);
        assert_eq!(shop.workplace.archives().len(), 1);
        assert_eq!(shop.database.revisions(), ["add_sqs_metadata"]);
    }

    fn d_a_missing_column_is_named_and_the_checked_are_counted(server) {
        let shop = Shop::at_head(server);
        let expected = shop.call().run(&["schema", "--format", "expect"]).assert_code(0).stdout;
        shop.workplace.write("expected", &expected);
        let output = shop.call().run(&["verify", "--expect", "expected"]).assert_code(0);
        let tables: u32 = shop.database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").parse().unwrap();
        output.assert_says(&tables.to_string());
        shop.database.sql("ALTER TABLE predictions DROP COLUMN sqs_message_id");
        let output = shop.call().run(&["verify", "--expect", "expected"]).assert_code(8);
        output.assert_says("sqs_message_id");
    }

    fn d_the_runbook_by_hand_rollback_and_stamp(server) {
        let shop = Shop::two_behind(server);
        let before = shop.database.dump();
        shop.call().run(&["backup"]).assert_code(0);
        shop.workplace.alembic(&shop.database, &["upgrade", "head"]);
        shop.call().run(&["rollback"]).assert_code(0);
        shop.database.assert_is(&before);
        shop.call().run(&["stamp", "add_user_fk_constraint"]).assert_code(0);
        assert_eq!(shop.database.revisions(), ["add_user_fk_constraint"]);
    }

    fn d_the_schema_export_makes_the_same_schema(server) {
        let shop = Shop::at(server, "add_sqs_metadata");
        let script = shop.call().run(&["schema"]).assert_code(0).stdout;
        let copy = shop.database.sibling();
        copy.restore_plain(script.as_bytes());
        copy.sql_as_owner("INSERT INTO alembic_version VALUES ('add_sqs_metadata')");
        copy.assert_is(&shop.database.dump());
    }

    fn d_archive_names_sort_by_time(server) {
        let shop = Shop::at_head(server);
        let first = shop.call().run(&["backup"]).assert_code(0).stdout;
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let second = shop.call().run(&["backup"]).assert_code(0).stdout;
        assert!(first < second, "{first} {second}");
        assert!(first.trim_end().ends_with(&format!("_{}_add_sqs_metadata.sql.gz", shop.database.name())), "{first}");
    }

    fn e_a_missing_driver_is_explained_in_one_line(server) {
        let shop = Shop::two_behind(server);
        let missing = "raise ModuleNotFoundError(\"No module named 'psycopg2'\", name='psycopg2')\n";
        shop.workplace.write("psycopg2.py", missing);
        let url = shop.database.url().replacen("postgresql", "postgresql+psycopg2", 1);
        let output = shop.call().env("DATABASE_URL", url).run(&UPGRADE).assert_code(1);
        let explained = output.stderr.lines().find(|line| line.contains("psycopg2") && line.contains("install"));
        assert!(explained.is_some(), "no line says what to install\n{output}");
    }

    fn e_sigint_ends_with_130_and_sigterm_with_143(server) {
        for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
            let shop = Shop::at_head(server);
            let before = shop.database.dump();
            let script = "psql -Xq -c 'DROP TABLE comps'; touch committed; sleep 60";
            let running = shop.call().start(&["run", "--json", "--", "sh", "-c", script]);
            shop.wait_for("committed");
            running.signal(signal);
            running.finish().assert_code(code);
            shop.database.assert_is(&before);
        }
    }

    fn e_an_attempt_that_takes_too_long_is_ended(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let script = "psql -Xq -c 'DROP TABLE comps'; sleep 60";
        let started = std::time::Instant::now();
        shop.run(&["--timeout", "2s", "--retries", "0"], &["sh", "-c", script]).assert_code(1);
        assert!(started.elapsed().as_secs() < 40);
        shop.database.assert_is(&before);
    }

    fn e_a_log_without_a_terminal_has_one_event_per_line(server) {
        let shop = Shop::two_behind(server);
        let arguments = ["run", "--log-format", "json", "--", "alembic", "upgrade", "head"];
        let output = shop.call().run(&arguments).assert_code(0);
        assert!(!output.stderr.is_empty());
        for line in output.stderr.lines() {
            let event: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{output}"));
            assert!(event.is_object(), "{line}");
        }
        assert!(!output.stderr.contains('\u{1b}'), "{output}");
    }

    fn e_doctor_tells_everything_the_team_looked_for(server) {
        let shop = Shop::two_behind(server);
        let output = shop.call().run(&["doctor"]).assert_code(0);
        let files = std::fs::read_dir(repository().join("migrations/versions")).unwrap();
        let files = files.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|kind| kind == "py")).count();
        let mut output = output;
        for text in ["***", "8e61c0d4b7f5", "add_sqs_metadata", "alembic.ini", "Python", "versions", &files.to_string()] {
            output = output.assert_says(text);
        }
    }

    fn e_the_sample_update_adds_two_columns(server) {
        let shop = Shop::at(server, "add_user_fk_constraint");
        let output = shop.run(&[], &["alembic", "upgrade", "add_sqs_metadata"]).assert_code(0);
        assert_eq!(output.json()["pending"].as_array().map(Vec::len), Some(1), "{output}");
        let columns = "SELECT string_agg(column_name, ' ' ORDER BY column_name COLLATE \"C\") FROM information_schema.columns
                       WHERE table_name = 'predictions' AND column_name LIKE 'sqs%'";
        assert_eq!(shop.database.sql(columns), "sqs_message_id sqs_queued_at");
    }
}

/// A version file with this body of `upgrade` and no way back.
fn version(revision: &str, after: &str, body: &str) -> String {
    format!(
        "import sqlalchemy as sa\nfrom alembic import op\nrevision = '{revision}'\ndown_revision = '{after}'\n\
         def upgrade():{body}\n\ndef downgrade():\n    raise NotImplementedError\n"
    )
}
