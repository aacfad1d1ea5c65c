//! Compare: an unchanged database equals its archive, and every change is seen.

use pgbelay::compare::{State, compare};
use pgbelay::pg::{self, Session, Sql};

use crate::data::{Bench, wait};

/// One change each, and a word that the difference must say.
const CHANGES: [(&str, &str); 14] = [
    (
        "INSERT INTO shop.users (email) VALUES ('z@x')",
        "table shop.users: 1 row more",
    ),
    (
        "UPDATE shop.fast SET n = 3 WHERE n = 2",
        "table shop.fast: content differs",
    ),
    (
        "DELETE FROM shop.events WHERE what = 'inside'",
        "table shop.events_2025: 1 row fewer (1 → 0)",
    ),
    ("ALTER TABLE shop.empty ADD COLUMN c integer", "+ c integer"),
    ("ALTER TABLE shop.empty DROP COLUMN b", "without b"),
    (
        "DROP TABLE shop.empty",
        "table shop.empty: missing (0 rows)",
    ),
    ("CREATE TABLE shop.new (a integer)", "table shop.new: added"),
    (
        "SELECT nextval('shop.unused')",
        "sequence shop.unused: 1 (not used) → 1 (used)",
    ),
    (
        "UPDATE public.alembic_version SET version_num = 'x'",
        "version rows of public.alembic_version: 3c4e4feca860 → x",
    ),
    (
        "GRANT INSERT ON shop.users TO reader",
        "acl table shop.users",
    ),
    (
        "CREATE OR REPLACE VIEW shop.active WITH (security_barrier = false) AS SELECT u.id, u.email, count(l.id) AS listings FROM shop.users u LEFT JOIN shop.listings l ON l.owner = u.id GROUP BY u.id",
        "security_barrier='false'",
    ),
    ("COMMENT ON TABLE shop.users IS 'other'", "comment"),
    ("ALTER TABLE shop.users ENABLE TRIGGER touch", "trigger"),
    (
        "CREATE INDEX more ON shop.users (name)",
        "index shop.more: added",
    ),
];

on_three_servers! {
    fn an_unchanged_database_equals_its_archive(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = bench.archive();
        let difference = bench.difference(&reader);
        assert!(difference.is_empty() && !difference.rows_not_compared, "{difference:?}");
    }

    /// Each change is made, seen and taken back in a transaction of its own.
    fn every_change_is_seen(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = bench.archive();
        let before = State::of_archive(&reader).expect("the archive's state");
        let run = async |session: &Session, sql: String| {
            session.execute(&Sql::deparsed(sql)).await.expect("a statement");
        };
        wait(async {
            let session = pg::connect(&bench.target(), pg::Purpose::Facts, &bench.ctx).await.expect("a session");
            for (change, words) in CHANGES {
                run(&session, format!("BEGIN; {change}")).await;
                let after = State::of_database(&session, &bench.ctx).await.expect("a state");
                run(&session, "ROLLBACK".to_owned()).await;
                let lines = compare(&before, &after).lines().join("\n");
                assert!(lines.contains(words), "{change}:\n{lines}");
            }
        });
    }

    /// What no entry covers is a difference, named as the server names it.
    fn an_uncovered_object_is_a_difference(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = bench.archive();
        bench.database.sql(
            "CREATE INDEX broken ON shop.users (name);
             UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop.broken'::regclass",
        );
        let lines = bench.difference(&reader).lines().join("\n");
        assert!(lines.contains("index shop.broken: added (no entry covers it)"), "{lines}");
    }
}
