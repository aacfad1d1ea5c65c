//! What is run: a small database, migrations that succeed or fail in every way, and what the database is before and after.

use crate::support::{Database, Server, Workplace};

/// The database of before.
const BEFORE: &str = "
    CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
    INSERT INTO alembic_version VALUES ('000');
    CREATE TABLE customers (id serial PRIMARY KEY, name text NOT NULL, note text);
    CREATE TABLE orders (id bigserial PRIMARY KEY, customer int NOT NULL REFERENCES customers, amount numeric(10,2) CHECK (amount > 0));
    CREATE INDEX orders_customer ON orders (customer);
    CREATE VIEW totals AS SELECT customer, sum(amount) AS amount FROM orders GROUP BY customer;
    CREATE FUNCTION tax(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 0.19';
    INSERT INTO customers (name) SELECT 'customer ' || i FROM generate_series(1, 120) i;
    INSERT INTO orders (customer, amount) SELECT 1 + i % 120, 1 + i FROM generate_series(1, 400) i;
    COMMENT ON TABLE orders IS 'what was bought';
";

/// Each is committed on its own.
const STEPS: [&str; 4] = [
    "ALTER TABLE customers ADD COLUMN email text; UPDATE customers SET note = 'seen' WHERE id % 3 = 0",
    "DROP VIEW totals; CREATE TABLE tags (id serial PRIMARY KEY, tag text); INSERT INTO tags (tag) VALUES ('a'), ('b')",
    "DELETE FROM orders WHERE id % 5 = 0; ALTER TABLE orders DROP CONSTRAINT orders_amount_check",
    "CREATE OR REPLACE FUNCTION tax(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 0.07'",
];

/// What a migration by `sh` does to the version rows; with files pgbelay sets them.
const VERSION: &str = "UPDATE alembic_version SET version_num = 'b2'";

/// How a migration ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Well.
    Well,
    /// With an error that takes everything back.
    TakesBack,
    /// With an error, after three of four steps were committed.
    HalfWay,
    /// Well, but a check fails.
    Unverified,
}

/// One way to run pgbelay.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub end: End,
    pub strategy: &'static str,
    pub fence: &'static str,
    /// Plain SQL files instead of a command.
    pub files: bool,
    pub drill: bool,
}

const fn plain(name: &'static str, end: End, strategy: &'static str) -> Scenario {
    Scenario {
        name,
        end,
        strategy,
        fence: "none",
        files: false,
        drill: false,
    }
}

const fn fenced(name: &'static str, end: End, strategy: &'static str) -> Scenario {
    Scenario {
        fence: "writes",
        ..plain(name, end, strategy)
    }
}

pub const SCENARIOS: [Scenario; 13] = [
    plain("success", End::Well, "auto"),
    fenced("success, fenced", End::Well, "auto"),
    plain("failed, unchanged", End::TakesBack, "auto"),
    fenced("failed, unchanged, fenced", End::TakesBack, "auto"),
    plain("failed, repair", End::HalfWay, "repair"),
    fenced("failed, repair, fenced", End::HalfWay, "repair"),
    plain("failed, rebuild", End::HalfWay, "rebuild"),
    plain("failed, swap", End::HalfWay, "swap"),
    fenced("failed, swap, fenced", End::HalfWay, "swap"),
    plain("verification fails", End::Unverified, "auto"),
    Scenario {
        files: true,
        ..plain("files, success", End::Well, "auto")
    },
    Scenario {
        files: true,
        ..plain("files, failed", End::HalfWay, "auto")
    },
    Scenario {
        drill: true,
        ..plain("drilled, verification fails", End::Unverified, "auto")
    },
];

impl Scenario {
    /// Writes what the run needs into its directory.
    pub fn prepare(&self, workplace: &Workplace) {
        workplace.write("migrate.sh", &self.script());
        workplace.write("files/000.sql", "SELECT 1;\n");
        for (number, statements) in self.statements().iter().enumerate() {
            let text = format!("{statements};\n");
            workplace.write(&format!("files/{:03}.sql", number + 1), &text);
        }
        let rows = if self.end == End::Unverified {
            "SELECT 1 AS wrong"
        } else {
            "SELECT 1 WHERE false"
        };
        workplace.write("checks/rows.sql", rows);
    }

    fn statements(&self) -> Vec<&'static str> {
        match self.end {
            End::Well | End::Unverified => STEPS.to_vec(),
            End::HalfWay => vec![STEPS[0], STEPS[1], STEPS[2], "SELECT 1 / 0"],
            End::TakesBack => vec!["BEGIN", STEPS[0], STEPS[1], "SELECT 1 / 0"],
        }
    }

    fn script(&self) -> String {
        let psql = "psql -Xq -v ON_ERROR_STOP=1";
        if self.end == End::TakesBack {
            return format!("exec {psql} -c \"{}\"\n", self.statements().join("; "));
        }
        let lines = self
            .statements()
            .into_iter()
            .chain([VERSION])
            .map(|step| format!("{psql} -c \"{}\"\n", step.replace('$', "\\$")));
        format!("set -e\n{}", lines.collect::<String>())
    }

    /// Arguments of `run`.
    pub fn arguments(&self) -> Vec<&'static str> {
        let mut arguments = vec![
            "run",
            "--json",
            "--retries",
            "0",
            "--max-failures",
            "100",
            "--verify-sql",
            "checks",
        ];
        arguments.extend(["--strategy", self.strategy, "--fence", self.fence]);
        if self.drill {
            arguments.push("--drill-first");
        }
        match self.files {
            true => arguments.extend(["--sql", "files"]),
            false => arguments.extend(["--", "sh", "migrate.sh"]),
        }
        arguments
    }

    /// Arguments of `recover`.
    pub fn recovery(&self) -> Vec<&'static str> {
        vec!["recover", "--json", "--strategy", self.strategy]
    }
}

/// A server's template, and what the database has to be.
#[derive(Debug)]
pub struct Truth {
    pub template: String,
    pub before: String,
    /// The same, as pg_dump says it.
    pub raw_before: String,
    /// After the migration, by `sh` and by files.
    pub after: String,
    pub after_files: String,
}

impl Truth {
    pub fn make(server: &'static Server) -> Self {
        let made = Database::create(server);
        made.own_public();
        made.sql_as_owner(BEFORE);
        let (before, raw_before) = (made.dump(), made.raw_dump());
        let template = made.keep();
        let migrated = |extra: &str| {
            let copy = Database::copy_of(server, &template);
            for step in STEPS {
                copy.sql(step);
            }
            copy.sql(extra);
            copy.dump()
        };
        Self {
            before,
            raw_before,
            after: migrated(VERSION),
            after_files: migrated("UPDATE alembic_version SET version_num = '004'"),
            template,
        }
    }

    pub fn after(&self, scenario: &Scenario) -> &str {
        match scenario.files {
            true => &self.after_files,
            false => &self.after,
        }
    }
}
