//! What a run holds, and for how long: connections, locks, file descriptors, memory; and time-outs of the server while
//! the migration takes long.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::{Database, Running, Shop, Workplace};

/// Sessions of ours in any database, with their locks, seen by the migration, ten times.
const LOOK: &str = "for look in 1 2 3 4 5 6 7 8 9 10; do
    psql -XAt -c \"SELECT count(*), count(*) FILTER (WHERE xact_start IS NOT NULL AND state <> 'active'), count(*) FILTER (WHERE backend_xmin IS NOT NULL AND state <> 'active'),
                          (SELECT coalesce(string_agg(DISTINCT l.locktype, ',' ORDER BY l.locktype), '') FROM pg_locks l
                            WHERE l.pid = ANY (array_agg(a.pid)) AND l.locktype <> 'virtualxid' AND (l.locktype <> 'relation' OR l.relation >= 16384))
                     FROM pg_stat_activity a
                    WHERE starts_with(application_name, 'pgbelay ' || split_part(current_setting('application_name'), ' ', 2) || ' ')
                      AND application_name NOT LIKE '% child'\" >> seen
    sleep 0.05; done";

on_servers! {
    /// With a fence and without: two connections at most, one advisory lock, nothing else.
    fn p7_only_the_lock_is_held_while_the_migration_runs(server) {
        for fence in ["none", "writes"] {
            let shop = Shop::at_head(server);
            let call = shop.call().env("DATABASE_URL", shop.database.url_as("postgres"));
            call.run(&["run", "--fence", fence, "--", "sh", "-c", LOOK]).assert_code(0);
            let seen = std::fs::read_to_string(shop.workplace.directory().join("seen")).unwrap();
            assert_eq!(seen.lines().count(), 10, "{seen}");
            for line in seen.lines() {
                assert!(["1|0|0|advisory", "2|0|0|advisory"].contains(&line), "--fence {fence}:\n{seen}");
            }
        }
    }

    /// The server ends sessions that are idle for a moment, as it would after an hour elsewhere: ours say that they
    /// are not to be ended, also the one that waits for the lock.
    fn a_long_migration_survives_idle_time_outs(server) {
        for fence in ["none", "writes"] {
            let shop = Shop::two_behind(server);
            let name = shop.database.name();
            server.psql("postgres", &format!(
                "ALTER DATABASE {name} SET idle_session_timeout = '400ms'; ALTER DATABASE {name} SET idle_in_transaction_session_timeout = '400ms';
                 ALTER DATABASE {name} SET statement_timeout = '2s'; ALTER DATABASE {name} SET tcp_keepalives_idle = 1;
                 ALTER DATABASE {name} SET client_connection_check_interval = '100ms'"));
            let script = "sleep 3; psql -Xqc 'CREATE TABLE late (a int)'; sleep 1";
            let call = || shop.call().env("DATABASE_URL", shop.database.url_as("postgres"));
            let first = call().start(&["run", "--json", "--fence", fence, "--", "sh", "-c", script]);
            std::thread::sleep(Duration::from_millis(1200));
            let second = call().start(&["run", "--json", "--lock-wait", "60s", "--", "true"]);
            let output = first.finish().assert_code(0);
            assert!(!output.stderr.contains("was lost"), "{output}");
            second.finish().assert_code(0);
            assert_eq!(shop.database.sql("SELECT count(*) FROM late"), "0");
        }
    }

    /// The lock's connection is ended while the migration runs, and the migration succeeds: it stays, and whoever reads the
    /// report knows that another run may have started beside it.
    fn p8_a_lost_lock_is_told_of_after_a_success(server) {
        let shop = Shop::at_head(server);
        let script = "psql -Xqc \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                      AND application_name LIKE 'pgbelay % lock'\" -c 'CREATE TABLE made (a int)'; sleep 0.5";
        let call = shop.call().env("DATABASE_URL", shop.database.url_as("postgres"));
        let output = call.run(&["run", "--json", "--", "sh", "-c", script]).assert_code(0);
        let warnings = output.json()["warnings"].to_string();
        assert!(warnings.contains("the connection that held the lock was lost"), "{output}");
        assert_eq!(shop.database.sql("SELECT count(*) FROM made"), "0");
    }

    /// Many tables and four jobs: what a backup, a restore and a rollback hold does not grow with the number of tables.
    fn few_descriptors_connections_and_little_memory_are_held(server) {
        let (workplace, database) = (Workplace::new(), Database::create(server));
        database.sql_as_owner(
            "DO $$ BEGIN FOR n IN 1..300 LOOP EXECUTE format('CREATE TABLE t%s AS SELECT g, repeat(''x'', 200) AS word FROM generate_series(1, 500) g', n);
             END LOOP; END $$");
        let call = || workplace.call(&database).env("DATABASE_URL", database.url_as("postgres"));
        let most = peaks(call().start(&["backup", "--jobs", "4"]));
        // Four workers, the leader, those who watch and aid; standard streams, the runtime's, the archive.
        assert!(most["sockets"] >= 4 && most["sockets"] <= 12, "backup: {most:?}");
        let archive = workplace.archives().remove(0).display().to_string();
        let copy = format!("{}_copy", database.name());
        let most_restored = peaks(call().start(&["restore", &archive, "--into", &copy, "--create", "--jobs", "4"]));
        server.psql("postgres", &format!("DROP DATABASE {copy}"));
        database.sql("UPDATE t7 SET word = 'lost'; DROP TABLE t8; ALTER TABLE t9 ADD COLUMN more int");
        let most_rolled_back = peaks(call().start(&["rollback", "--jobs", "4"]));
        for (what, most) in [("backup", most), ("restore", most_restored), ("rollback", most_rolled_back)] {
            assert!(most["sockets"] >= 1 && most["sockets"] <= 12, "{what}: {most:?}");
            assert!(most["descriptors"] <= 32, "{what}: {most:?}");
            assert!(most["kB"] < 300_000, "{what}: {most:?}");
        }
    }
}

/// The most that a process held until it ended, which it does with 0.
fn peaks(running: Running<'_>) -> BTreeMap<&'static str, u64> {
    let process = running.id();
    let mut most: BTreeMap<&str, u64> = BTreeMap::new();
    let mut note = |what, now: u64| {
        let most = most.entry(what).or_default();
        *most = now.max(*most);
    };
    while let Ok(status) = std::fs::read_to_string(format!("/proc/{process}/status")) {
        let peak = status.lines().find(|line| line.starts_with("VmHWM:"));
        let descriptors = std::fs::read_dir(format!("/proc/{process}/fd"));
        // It has ended, and nobody has waited for it yet.
        let (Some(peak), Ok(descriptors)) = (peak, descriptors) else {
            break;
        };
        let peak = peak.split_whitespace().nth(1).unwrap();
        note("kB", peak.parse().unwrap());
        let links = descriptors
            .flatten()
            .filter_map(|entry| std::fs::read_link(entry.path()).ok());
        let (mut all, mut sockets) = (0, 0);
        for link in links {
            all += 1;
            sockets += u64::from(link.to_string_lossy().starts_with("socket:"));
        }
        note("descriptors", all);
        note("sockets", sockets);
    }
    running.finish().assert_code(0);
    most
}
