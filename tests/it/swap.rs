//! The swap rung: a new database takes the failed one's place, which is kept; killed at any moment it is ended by the next
//! start. Judged by real pg_dump, by content and by the server's own rows about both databases.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use pgbelay::archive::Reader;
use pgbelay::error::Kind;
use pgbelay::rollback::{RollbackOptions, Rung};
use pgbelay::store::Store;
use serde_json::Value;

use crate::support::{Call, Database, MARKER, Server, Shop, Workplace};
use crate::undo::SHOP;

/// A role that owns and makes databases and may nothing else.
const MAKER: &str = "swap_maker";

/// A database with everything, its owner, and a place to work in.
struct Bench {
    database: Database,
    workplace: Workplace,
    role: &'static str,
}

impl Bench {
    /// Owned by a plain role that may make databases, and used by it.
    fn of_maker(server: &'static Server) -> Self {
        let password = MARKER.replace('\'', "''");
        server.psql(
            "postgres",
            &format!(
                "SELECT pg_advisory_lock(4713);
                 DO $$ BEGIN IF to_regrole('{MAKER}') IS NULL THEN
                   CREATE ROLE {MAKER} LOGIN CREATEDB PASSWORD '{password}';
                 END IF; END $$;"
            ),
        );
        Self::of(server, MAKER)
    }

    fn of_superuser(server: &'static Server) -> Self {
        Self::of(server, "postgres")
    }

    fn of(server: &'static Server, role: &'static str) -> Self {
        let database = Database::create(server);
        let name = database.name().to_owned();
        database.sql(&format!("ALTER DATABASE {name} OWNER TO {role}"));
        let bench = Self {
            workplace: Workplace::new(),
            database,
            role,
        };
        bench.sql(SHOP);
        bench.sql(&format!(
            "ALTER DATABASE {name} SET work_mem = '5MB'; ALTER ROLE {role} IN DATABASE {name} SET lock_timeout = '7s';
             ALTER DATABASE {name} CONNECTION LIMIT 33; COMMENT ON DATABASE {name} IS 'the ''shop''';
             REVOKE CONNECT ON DATABASE {name} FROM PUBLIC; GRANT CONNECT ON DATABASE {name} TO reader"
        ));
        bench
    }

    /// As the role.
    fn sql(&self, sql: &str) -> String {
        let role = self.role;
        self.database
            .sql(&format!("SET SESSION AUTHORIZATION {role}; {sql}"))
    }

    fn call(&self) -> Call<'_> {
        self.workplace
            .call(&self.database)
            .env("DATABASE_URL", self.database.url_as(self.role))
    }

    /// What the server knows of the database itself, its OID left out.
    fn properties(&self) -> String {
        let name = self.database.name();
        self.database.server().psql(
            "postgres",
            &format!(
                "SELECT (to_jsonb(d) - '{{oid,datfrozenxid,datminmxid,dathasloginevt}}'::text[])::text,
                        shobj_description(d.oid, 'pg_database'),
                        (SELECT array_agg((setrole::regrole, setconfig)::text ORDER BY 1) FROM pg_db_role_setting
                          WHERE setdatabase = d.oid)
                   FROM pg_database d WHERE datname = '{name}'"
            ),
        )
    }

    /// Names of this database's relatives that are there.
    fn relatives(&self) -> Vec<String> {
        let name = self.database.name();
        let sql = format!(
            "SELECT datname FROM pg_database WHERE datname LIKE '{}\\_%' ORDER BY 1",
            name.replace('_', "\\_")
        );
        let names = self.database.server().psql("postgres", &sql);
        names.lines().map(str::to_owned).collect()
    }

    /// The one kept database, to be dropped with the test.
    fn kept(&self, json: &Value) -> Database {
        let name = json["rollback"]["kept"]["name"].as_str().expect("a name");
        assert_eq!(self.relatives(), [name]);
        Database::existing(self.database.server(), name)
    }
}

on_all_servers! {
    /// P3, P4: everything is back, the database's own properties too, and what the migration left is kept.
    fn p3_the_new_database_is_the_old_one_and_the_failed_one_is_kept(server) {
        for bench in [Bench::of_superuser(server), Bench::of_maker(server)] {
            let (before, properties) = (bench.database.dump(), bench.properties());
            bench.call().run(&["backup"]).assert_code(0);
            let name = bench.database.name();
            bench.sql(&format!(
                "DROP TABLE s.orders CASCADE; CREATE TABLE s.made (a integer); INSERT INTO s.made VALUES (7);
                 ALTER DATABASE {name} SET work_mem = '9MB'; COMMENT ON DATABASE {name} IS 'half';
                 ALTER DATABASE {name} CONNECTION LIMIT 44"
            ));
            let (damaged, damaged_properties) = (bench.database.dump(), bench.properties());
            let output = bench.call().run(&["rollback", "--strategy", "swap", "--json"]).assert_code(0);
            let json = output.json();
            assert_eq!(json["outcome"], "rolled-back", "{output}");
            assert_eq!(json["strategy"], "swap", "{output}");
            assert!(json["proof"].as_str().unwrap().contains("in the new database"), "{output}");
            bench.database.assert_is(&before);
            assert_eq!(bench.properties(), properties);
            let kept = bench.kept(&json);
            assert!(json["rollback"]["kept"]["bytes"].as_u64().unwrap() > 1_000_000, "{output}");
            // Our own sessions, in a transaction as they are, are not given time to finish.
            assert!(bench.closing() < chrono::TimeDelta::seconds(4), "{output}");
            kept.assert_is(&damaged);
            let of_kept = bench.database.server().psql("postgres", &format!(
                "SELECT datname, datconnlimit, datallowconn FROM pg_database WHERE datname = '{}'", kept.name()));
            assert_eq!(of_kept, format!("{}|44|t", kept.name()));
            assert!(damaged_properties.contains("half"));
            let archive = bench.workplace.archives().remove(0);
            bench.call().run(&["diff", archive.to_str().unwrap()]).assert_code(0);
        }
    }
}

/// A session of somebody else that does something and then stays until it is ended.
struct Somebody {
    server: &'static Server,
    name: String,
    process: std::process::Child,
}

impl Somebody {
    /// As the superuser.
    fn doing(bench: &Bench, name: &str, database: &str, sql: &str) -> Self {
        let server = bench.database.server();
        let name = format!("{name} of {}", bench.database.name());
        let mut process = server
            .client("psql", database)
            .env("PGAPPNAME", &name)
            .args(["-Xq", "-v", "ON_ERROR_STOP=1"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("psql starts");
        let mut input = process.stdin.take().expect("a pipe");
        writeln!(input, "{sql}").expect("psql listens");
        process.stdin = Some(input);
        let somebody = Self {
            server,
            name,
            process,
        };
        let done = if sql.contains("BEGIN") {
            "idle in transaction"
        } else {
            "idle"
        };
        wait_until("somebody is there", || somebody.state() == done);
        somebody
    }

    fn state(&self) -> String {
        let name = self.name.replace('\'', "''");
        self.server.psql(
            "postgres",
            &format!("SELECT state FROM pg_stat_activity WHERE application_name = '{name}'"),
        )
    }
}

impl Drop for Somebody {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        let name = self.name.replace('\'', "''");
        let sql = format!(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '{name}'"
        );
        self.server.psql("postgres", &sql);
    }
}

/// Waits until something is so.
#[track_caller]
fn wait_until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Bench {
    /// The newest journal, if there is one, and its text.
    fn newest_journal(&self) -> Option<(PathBuf, String)> {
        let files = std::fs::read_dir(self.workplace.store()).ok()?;
        let files = files.map(|file| file.expect("a file").path());
        let mut journals: Vec<PathBuf> = files
            .filter(|path| path.extension().is_some_and(|end| end == "journal"))
            .collect();
        journals.sort_by_key(|path| {
            path.metadata()
                .expect("a journal")
                .modified()
                .expect("a time")
        });
        let path = journals.pop()?;
        let text = std::fs::read_to_string(&path).expect("a journal");
        Some((path, text))
    }

    fn has_journal(&self, text: &str) -> bool {
        self.newest_journal()
            .is_some_and(|(_, written)| written.contains(text))
    }

    /// Cuts the newest journal off after the first line with this text, as a kill would have.
    fn cut_journal_after(&self, text: &str) {
        let (path, written) = self.newest_journal().expect("a journal");
        let at = written.find(text).expect("the record");
        let end = at + written[at..].find('\n').expect("a line") + 1;
        std::fs::write(&path, &written[..end]).expect("a journal");
    }

    /// Backed up, then damaged; what it was.
    fn damaged(&self) -> (String, String) {
        let before = (self.database.dump(), self.properties());
        self.call().run(&["backup"]).assert_code(0);
        self.sql("DROP TABLE s.orders CASCADE; DELETE FROM s.plain");
        before
    }

    /// How long ending the sessions took, by the journal.
    fn closing(&self) -> chrono::TimeDelta {
        let (_, text) = self.newest_journal().expect("a journal");
        let time = |record: &str| -> chrono::DateTime<chrono::Utc> {
            let line = text
                .lines()
                .find(|line| line.contains(record))
                .expect("the record");
            let line: Value = serde_json::from_str(line).expect("JSON");
            line["time"]
                .as_str()
                .expect("a time")
                .parse()
                .expect("a time")
        };
        time(&outcome("close")) - time(&intent("close"))
    }

    fn is(&self, sql: &str) -> bool {
        self.database.server().psql("postgres", sql) == "t"
    }

    fn is_open(&self) -> bool {
        let name = self.database.name();
        self.is(&format!(
            "SELECT datallowconn FROM pg_database WHERE datname = '{name}'"
        ))
    }

    #[track_caller]
    fn assert_back(&self, before: &(String, String)) {
        self.database.assert_is(&before.0);
        assert_eq!(self.properties(), before.1);
    }

    /// Nothing of ours is left on the server but the kept database, which is dropped.
    #[track_caller]
    fn drop_kept(&self) {
        let relatives = self.relatives();
        assert_eq!(relatives.len(), 1, "{relatives:?}");
        assert!(relatives[0].contains("_failed_"), "{relatives:?}");
        drop(Database::existing(self.database.server(), &relatives[0]));
    }
}

/// In the journal once the act was announced, or done.
fn intent(act: &str) -> String {
    format!(r#""step":"swap","stage":"intent","detail":{{"act":"{act}""#)
}

fn outcome(act: &str) -> String {
    intent(act).replace("intent", "outcome")
}

const SWAP: [&str; 4] = ["rollback", "--strategy", "swap", "--json"];
const LOCK_SETTINGS: &str =
    "BEGIN; LOCK TABLE pg_catalog.pg_db_role_setting IN SHARE ROW EXCLUSIVE MODE;";
const LOCK_DATABASES: &str =
    "BEGIN; LOCK TABLE pg_catalog.pg_database IN SHARE ROW EXCLUSIVE MODE;";

on_servers! {
    /// P6: killed while the new database is made: it goes, and the rollback is done by another rung.
    fn p6_killed_while_the_new_database_is_made(server) {
        let bench = Bench::of_maker(server);
        let before = bench.damaged();
        let holder = Somebody::doing(&bench, "holder", "postgres", LOCK_SETTINGS);
        let running = bench.call().start(&SWAP);
        wait_until("the new database is made", || bench.has_journal(&outcome("make")));
        running.signal(Signal::SIGKILL);
        running.finish();
        drop(holder);
        assert_eq!(bench.relatives().len(), 1);
        assert!(bench.is_open());
        let output = bench.call().run(&["recover", "--json"]).assert_code(0);
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        bench.assert_back(&before);
        assert_eq!(bench.relatives(), Vec::<String>::new());
        let nothing = bench.call().run(&["recover", "--json"]).assert_code(0);
        assert_eq!(nothing.json()["outcome"], "nothing-to-do", "{nothing}");
    }

    /// P6: killed when the failed database lets nobody in: it is opened again first.
    fn p6_killed_while_the_failed_database_is_closed(server) {
        for next in ["recover", "run"] {
            let bench = Bench::of_maker(server);
            let before = bench.damaged();
            let holder = Somebody::doing(&bench, "stays", bench.database.name(), "SELECT 1;");
            let running = bench.call().start(&SWAP);
            wait_until("it is closed", || bench.has_journal(&intent("close")) && !bench.is_open());
            running.signal(Signal::SIGKILL);
            running.finish();
            assert!(!bench.is_open());
            let refused = bench.call().run(&["rollback"]);
            refused.assert_says("recover");
            drop(holder);
            let arguments: &[&str] = match next {
                "run" => &["run", "--json", "--", "true"],
                _ => &["recover", "--json"],
            };
            let output = bench.call().run(arguments).assert_code(0);
            assert!(bench.is_open(), "{output}");
            bench.assert_back(&before);
            assert_eq!(bench.relatives(), Vec::<String>::new());
        }
    }

    /// P6: killed between the intent to rename and the renaming: the proven database takes its place.
    fn p6_killed_before_the_names_are_exchanged(server) {
        let bench = Bench::of_maker(server);
        let before = bench.damaged();
        let stays = Somebody::doing(&bench, "stays", bench.database.name(), "SELECT 1;");
        let running = bench.call().start(&SWAP);
        wait_until("it is closed", || bench.has_journal(&intent("close")) && !bench.is_open());
        let holder = Somebody::doing(&bench, "holder", "postgres", LOCK_DATABASES);
        drop(stays);
        wait_until("the renaming is due", || bench.has_journal(&intent("rename")));
        running.signal(Signal::SIGKILL);
        running.finish();
        assert!(!bench.is_open());
        drop(holder);
        let output = bench.call().run(&["recover", "--json"]).assert_code(0);
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        output.assert_says("the swap was finished");
        bench.assert_back(&before);
        bench.drop_kept();
    }

    /// P6: killed after the renaming: only the journal's last records are missing. The next run finds them by the new
    /// database's journal, although its OID is another one.
    fn p6_killed_after_the_names_were_exchanged(server) {
        let bench = Bench::of_superuser(server);
        let before = bench.damaged();
        bench.call().run(&SWAP).assert_code(0);
        bench.cut_journal_after(&intent("rename"));
        let output = bench.call().run(&["recover", "--json"]).assert_code(0);
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        bench.assert_back(&before);
        let again = bench.call().run(&["recover", "--json"]).assert_code(0);
        assert_eq!(again.json()["outcome"], "nothing-to-do", "{again}");
        bench.drop_kept();
    }

    /// P6: what is called neither as before nor as after the swap is not touched.
    fn p6_names_that_nobody_foresaw_are_left_to_a_person(server) {
        let bench = Bench::of_superuser(server);
        bench.damaged();
        bench.call().run(&SWAP).assert_code(0);
        bench.cut_journal_after(&intent("rename"));
        let (failed, moved) = (bench.relatives().remove(0), format!("{}_moved", bench.database.name()));
        server.psql("postgres", &format!("ALTER DATABASE \"{failed}\" RENAME TO \"{moved}\""));
        let output = bench.call().run(&["recover", "--json"]).assert_code(7);
        assert_eq!(output.json()["outcome"], "in-doubt", "{output}");
        output.assert_says(&moved);
        drop(Database::existing(server, &moved));
    }

    /// Sessions of others are ended; one that began a transaction, too.
    fn busy_sessions_are_ended(server) {
        let bench = Bench::of_superuser(server);
        let before = bench.damaged();
        let name = bench.database.name();
        let idle = Somebody::doing(&bench, "idle", name, "SELECT 1;");
        let reading = Somebody::doing(&bench, "reading", name, "BEGIN; SELECT count(*) FROM s.users;");
        let output = bench.call().run(&SWAP).assert_code(0);
        assert_eq!(output.json()["strategy"], "swap", "{output}");
        assert_eq!((idle.state(), reading.state()), (String::new(), String::new()));
        bench.assert_back(&before);
        bench.drop_kept();
    }

    /// A session that the role may not end: nothing is swapped, everything is as found.
    fn who_cannot_be_ended_keeps_the_database_as_found(server) {
        let bench = Bench::of_maker(server);
        bench.damaged();
        let damaged = (bench.database.dump(), bench.properties());
        let stays = Somebody::doing(&bench, "stays", bench.database.name(), "SELECT 1;");
        let target = crate::data::target(&bench.database, bench.role);
        let reader = Reader::open(&bench.workplace.archives()[0]).expect("an archive");
        let store = Store::open(&bench.workplace.store()).expect("a store");
        let options = RollbackOptions {
            rung: Rung::Swap,
            lock_timeout: Duration::from_secs(2),
            ..RollbackOptions::default()
        };
        let other = crate::data::Bench::empty(server);
        let ten = Duration::from_secs(10);
        let swap = pgbelay::run::roll_back(&target, &reader, &store, &options, ten, &other.ctx);
        let error = crate::data::wait(swap).expect_err("somebody is there");
        assert_eq!(error.kind(), Kind::InDoubt);
        assert!(error.reason().unwrap().contains(&stays.name), "{error}");
        assert!(error.database_now().unwrap().contains("nothing was swapped"), "{error:?}");
        assert!(bench.is_open());
        assert_eq!(bench.relatives(), Vec::<String>::new());
        assert_eq!(stays.state(), "idle");
        bench.assert_back(&damaged);
        let warned = other.recorder.0.lock().unwrap().join("\n");
        assert!(warned.contains("cannot; unless they disconnect"), "{warned}");
    }

    /// P5: an open transaction that wrote withholds it; one that would write is held up, ended, and has committed nothing.
    fn p5_nobody_writes_what_would_be_lost(server) {
        let bench = Bench::of_superuser(server);
        let before = bench.damaged();
        let name = bench.database.name();
        let writer = Somebody::doing(&bench, "writer", name, "BEGIN; INSERT INTO s.plain VALUES (1, 'mine');");
        bench.call().run(&SWAP).assert_code(6);
        assert_eq!(bench.relatives(), Vec::<String>::new());
        drop(writer);
        let holder = Somebody::doing(&bench, "holder", "postgres", LOCK_SETTINGS);
        let running = bench.call().start(&SWAP);
        wait_until("the new database is made", || bench.has_journal(&outcome("make")));
        let name = name.to_owned();
        let late = std::thread::spawn(move || {
            server.client("psql", &name).args(["-Xqc", "INSERT INTO s.plain VALUES (2, 'late')"]).output().expect("psql")
        });
        std::thread::sleep(Duration::from_millis(500));
        assert!(!late.is_finished(), "it was not held up");
        drop(holder);
        running.finish().assert_code(0);
        let late = late.join().expect("psql ends");
        assert!(!late.status.success(), "it was acknowledged and is lost");
        bench.assert_back(&before);
        bench.drop_kept();
    }

    /// P5: definitions made by others meanwhile are no less theirs than rows.
    fn p5_definitions_of_others_withhold_it(server) {
        let bench = Bench::of_superuser(server);
        bench.damaged();
        let holder = Somebody::doing(&bench, "holder", "postgres", LOCK_SETTINGS);
        let running = bench.call().start(&SWAP);
        wait_until("the new database is made", || bench.has_journal(&outcome("make")));
        bench.sql("CREATE TABLE public.theirs AS SELECT 1 AS a");
        drop(holder);
        let output = running.finish().assert_code(6);
        output.assert_says("theirs");
        assert_eq!(bench.relatives(), Vec::<String>::new());
        assert!(bench.is_open());
        assert_eq!(bench.database.sql("SELECT a FROM public.theirs"), "1");
        bench.call().run(&["rollback", "--strategy", "swap", "--discard-other-writes"]).assert_code(0);
        bench.drop_kept();
    }

    /// While a swap renames, its lock is held from another database; whoever comes then waits all the same.
    fn a_lock_held_from_another_database_counts(server) {
        let shop = Shop::at_head(server);
        let name = shop.database.name();
        let oid = server.psql("postgres", &format!("SELECT oid FROM pg_database WHERE datname = '{name}'"));
        let bench = Bench { database: shop.database, workplace: shop.workplace, role: "postgres" };
        let lock = format!("SELECT pg_advisory_lock(1885823589, {oid});");
        let holder = Somebody::doing(&bench, "swapping", "postgres", &lock);
        let run = ["run", "--lock-wait", "1s", "--", "sh", "-c", "touch ran"];
        bench.call().run(&run).assert_code(4).assert_says("swapping");
        assert!(!bench.workplace.directory().join("ran").exists());
        drop(holder);
        bench.call().run(&run).assert_code(0);
    }

    /// `auto` never swaps by itself; where nothing else did, it names the command.
    fn auto_names_a_swap_where_it_could_do(server) {
        let bench = Bench::of_maker(server);
        bench.damaged();
        bench.sql("ALTER TABLE s.users ADD COLUMN flag boolean");
        let damaged = bench.database.dump();
        let name = bench.database.name();
        let reading = Somebody::doing(&bench, "reading", name, "BEGIN; SELECT count(*) FROM s.users;");
        let target = crate::data::target(&bench.database, bench.role);
        let reader = Reader::open(&bench.workplace.archives()[0]).expect("an archive");
        let store = Store::open(&bench.workplace.store()).expect("a store");
        let options = RollbackOptions { lock_timeout: Duration::from_secs(1), ..RollbackOptions::default() };
        let other = crate::data::Bench::empty(server);
        let auto = |options: &RollbackOptions| {
            crate::data::wait(pgbelay::rollback::roll_back(&target, &reader, &store, options, &other.ctx))
        };
        let error = auto(&options).expect_err("somebody reads");
        assert!(error.hints().join("\n").contains("--strategy swap"), "{error:?}");
        bench.database.assert_is(&damaged);
        // A role that may not rename the database is not told to.
        server.psql("postgres", &format!("ALTER DATABASE {name} OWNER TO app; GRANT CONNECT ON DATABASE {name} TO {MAKER}"));
        let error = auto(&options).expect_err("somebody reads");
        assert!(!error.hints().join("\n").contains("--strategy swap"), "{error:?}");
        drop(reading);
    }

    /// A run that waits for the lock is ended with a clear word, and the next one finds everything in order.
    fn whoever_waits_for_the_lock_is_told(server) {
        let bench = Bench::of_superuser(server);
        let before = bench.damaged();
        let holder = Somebody::doing(&bench, "holder", "postgres", LOCK_SETTINGS);
        let running = bench.call().start(&SWAP);
        wait_until("the new database is made", || bench.has_journal(&outcome("make")));
        let waiting = bench.call().start(&["run", "--json", "--", "sh", "-c", "touch ran"]);
        let name = bench.database.name();
        wait_until("another run waits", || bench.is(&format!(
            "SELECT count(DISTINCT split_part(application_name, ' ', 2)) = 2 FROM pg_stat_activity WHERE datname = '{name}' AND application_name LIKE 'pgbelay %'")));
        drop(holder);
        running.finish().assert_code(0);
        let told = waiting.finish();
        assert!(!bench.workplace.directory().join("ran").exists(), "{told}");
        let told = told.assert_code(4);
        told.assert_says("start again");
        bench.assert_back(&before);
        bench.call().run(&["run", "--json", "--", "true"]).assert_code(0);
        bench.drop_kept();
    }
}

/// A table goes, committed, then the tool fails.
const FAILS: &str = "psql -Xq -c 'DROP TABLE comps'; exit 1";

fn settings_of(server: &Server, name: &str) -> String {
    server.psql(
        "postgres",
        &format!(
            "SELECT s.setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
              WHERE d.datname = '{name}'"
        ),
    )
}

fn as_superuser(shop: &Shop) -> Call<'_> {
    shop.call()
        .env("DATABASE_URL", shop.database.url_as("postgres"))
}

/// The one database that a swap of this one has kept.
fn kept_of(database: &Database) -> String {
    let sql = format!(
        "SELECT datname FROM pg_database WHERE starts_with(datname, '{}_failed_')",
        database.name()
    );
    let name = database.server().psql("postgres", &sql);
    assert!(!name.is_empty() && !name.contains('\n'), "{name:?}");
    name
}

on_servers! {
    /// A run behind a fence: neither database is left fenced, the next run is not in anybody's way, and equal failures are
    /// counted although each time it is another database.
    fn a_run_swaps_behind_its_fence(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let failing = ["run", "--json", "--fence", "writes", "--strategy", "swap", "--max-failures", "2", "--", "sh", "-c", FAILS];
        for _ in 0..2 {
            let output = as_superuser(&shop).run(&failing).assert_code(1);
            let json = output.json();
            assert_eq!((json["outcome"].as_str(), json["strategy"].as_str()), (Some("rolled-back"), Some("swap")), "{output}");
            assert_eq!(json["fence"]["taken_down"], true, "{output}");
            let kept = kept_of(&shop.database);
            assert_eq!(json["kept"]["name"], kept.as_str(), "{output}");
            // It is no work of the migration's.
            assert!(!json["outside"].to_string().contains(&kept), "{output}");
            output.assert_says("to drop it");
            shop.database.assert_is(&before);
            assert_eq!(settings_of(server, shop.database.name()), "");
            assert_eq!(settings_of(server, &kept), "");
            assert_eq!(server.psql(&kept, "SELECT to_regclass('comps') IS NULL"), "t");
            as_superuser(&shop).run(&["doctor", "--", "true"]).assert_says(&kept);
            let nothing = as_superuser(&shop).run(&["recover", "--json"]).assert_code(0);
            assert_eq!(nothing.json()["outcome"], "nothing-to-do", "{nothing}");
            drop(Database::existing(server, &kept));
        }
        let refused = as_superuser(&shop).run(&failing).assert_code(3);
        refused.assert_says("2 times in a row");
    }

    /// P6: a run that was killed in its swap, behind its fence: finished by the next run, which goes on with its own work.
    fn p6_the_next_run_finishes_a_swap_behind_a_fence(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let swap = ["run", "--fence", "writes", "--strategy", "swap", "--json", "--", "sh", "-c", FAILS];
        as_superuser(&shop).run(&swap).assert_code(1);
        let bench = Bench { database: shop.database, workplace: shop.workplace, role: "postgres" };
        bench.cut_journal_after(&intent("rename"));
        let output = bench.call().run(&["run", "--json", "--", "true"]).assert_code(0);
        assert!(output.json()["recovered"].to_string().contains("is kept in the database"), "{output}");
        bench.database.assert_is(&before);
        assert_eq!(settings_of(server, bench.database.name()), "");
        bench.drop_kept();
    }

    /// What could not follow, or may not be done, refuses a swap by name, before anything is made.
    fn each_obstacle_is_named(server) {
        let server = server.with_settings(&[("wal_level", "logical"), ("max_prepared_transactions", "5")]);
        let bench = Bench::of_superuser(server);
        bench.damaged();
        let damaged = bench.database.dump();
        let name = bench.database.name();
        let cases = [
            ("SELECT pg_create_logical_replication_slot('slot_here', 'pgoutput')", "slot_here",
             "SELECT pg_drop_replication_slot('slot_here')".to_owned()),
            ("CREATE SUBSCRIPTION from_there CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false)", "from_there",
             "ALTER SUBSCRIPTION from_there SET (slot_name = NONE); DROP SUBSCRIPTION from_there".to_owned()),
            ("BEGIN; CREATE TABLE public.p (a integer); PREPARE TRANSACTION 'is_prepared'", "is_prepared",
             "ROLLBACK PREPARED 'is_prepared'".to_owned()),
            (&format!("ALTER DATABASE {name} IS_TEMPLATE true"), "is a template", format!("ALTER DATABASE {name} IS_TEMPLATE false")),
        ];
        for (obstacle, named, undo) in &cases {
            bench.sql(obstacle);
            let output = bench.call().run(&["rollback", "--strategy", "swap", "--discard-other-writes"]).assert_code(3);
            output.assert_says(named);
            let run = bench.call().run(&["run", "--strategy", "swap", "--accept-loss", "all", "--force", "--", "sh", "-c", "touch ran"]);
            run.assert_says(named);
            assert!(!bench.workplace.directory().join("ran").exists(), "{named}");
            for statement in undo.split("; ") {
                bench.database.sql(statement);
            }
            assert_eq!(bench.relatives(), Vec::<String>::new(), "{named}");
            assert!(bench.is_open());
        }
        // No other database to connect to: only superusers may, and this role is none.
        let maker = Bench::of_maker(server);
        maker.damaged();
        server.psql("postgres", "REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC");
        let refused = maker.call().run(&SWAP).assert_code(3);
        refused.assert_says("connect to another database");
        bench.database.assert_is(&damaged);
        // The database that others are renamed from.
        let postgres = bench.call().env("DATABASE_URL", bench.database.url_as("postgres").replace(name, "postgres"));
        postgres.run(&["run", "--strategy", "swap", "--", "true"]).assert_code(3).assert_says("renaming others needs");
    }

    /// Rights, names and properties that the role may not give.
    fn what_a_role_may_not_do_refuses_a_swap(server) {
        let server = server.of_our_own();
        let bench = Bench::of_maker(server);
        bench.damaged();
        let damaged = bench.database.dump();
        let name = bench.database.name().to_owned();
        // A setting of somebody else's role, which the archive has and this role may not give.
        let (archive, refuse) = (bench.workplace.archives()[0].clone(), |says: &str| {
            bench.call().run(&SWAP).assert_code(3).assert_says(says);
            assert_eq!(bench.relatives(), Vec::<String>::new(), "{says}");
            bench.database.assert_is(&damaged);
            assert!(bench.is_open());
        });
        server.psql("postgres", &format!("ALTER ROLE {MAKER} NOCREATEDB"));
        refuse("may not create databases");
        server.psql("postgres", &format!("ALTER ROLE {MAKER} CREATEDB; ALTER DATABASE {name} OWNER TO app; GRANT CONNECT ON DATABASE {name} TO {MAKER}"));
        refuse("belongs to app");
        server.psql("postgres", &format!("ALTER DATABASE {name} OWNER TO {MAKER}; GRANT app TO {MAKER}"));
        std::fs::remove_file(&archive).expect("an archive");
        server.psql("postgres", &format!("ALTER ROLE reader IN DATABASE {name} SET work_mem = '3MB'"));
        bench.call().run(&["backup"]).assert_code(0);
        bench.sql("DROP TABLE s.events");
        let damaged = bench.database.dump();
        let output = bench.call().run(&SWAP).assert_code(3);
        output.assert_says("nothing was swapped");
        bench.database.assert_is(&damaged);
        assert_eq!(bench.relatives(), Vec::<String>::new());
        server.psql("postgres", &format!("REVOKE app FROM {MAKER}"));
    }
}
