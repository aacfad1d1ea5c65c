//! Known failures of migration tools, each with its cure in one line.

use super::Ended;

/// One line on what to do, where the output or the exit shows a known failure.
pub(super) fn explain<'a>(
    argv: &[String],
    ended: Ended,
    lines: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let mut known = None;
    for line in lines {
        known = missing_module(line).or_else(|| known_text(line)).or(known);
    }
    known.or_else(|| match ended {
        Ended::Exited(127) => Some(format!(
            "exit code 127 means that {} started a command that does not exist",
            program(argv)
        )),
        Ended::Exited(126) => Some(format!(
            "exit code 126 means that {} started a command that may not be executed",
            program(argv)
        )),
        Ended::Signaled(9) => Some(
            "it was killed from outside; the usual cause is the machine's or the container's \
             memory limit"
                .to_owned(),
        ),
        Ended::WantsTerminal => Some(
            "nothing reads the terminal here: give the answer beforehand (PGPASSFILE for a password, an option \
             such as --yes for a question)"
                .to_owned(),
        ),
        _ => None,
    })
}

fn program(argv: &[String]) -> &str {
    argv.first().map_or("the command", String::as_str)
}

/// `No module named 'psycopg2'`, also without quotes as `python -m` prints it.
fn missing_module(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("No module named ")?;
    let module = rest
        .trim_start_matches(['\'', '"'])
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
        .next()?;
    Some(match module.split('.').next()? {
        "psycopg2" => "the driver psycopg2 is not installed where the migration tool runs: \
             pip install psycopg2-binary, or use an installed one through the URL's dialect \
             (postgresql+psycopg://, postgresql+pg8000://; asyncpg needs an asynchronous env.py)"
            .to_owned(),
        "psycopg" => "the driver psycopg 3 is not installed where the migration tool runs: \
             pip install 'psycopg[binary]', or use postgresql+psycopg2:// if psycopg2 is there"
            .to_owned(),
        "asyncpg" => "the driver asyncpg is not installed where the migration tool runs: \
             pip install asyncpg, or use a synchronous dialect such as postgresql+psycopg://"
            .to_owned(),
        "pg8000" => "the driver pg8000 is not installed where the migration tool runs: \
             pip install pg8000, or use postgresql+psycopg:// if psycopg is there"
            .to_owned(),
        "alembic" => "alembic is not installed in the Python that ran: pip install alembic, \
             or name the right one (.venv/bin/alembic, uv run alembic, poetry run alembic)"
            .to_owned(),
        other => format!(
            "the Python module {other} was not found: install it where the migration tool runs, \
             or, if it is the project's own, start in the project's directory \
             (alembic.ini's prepend_sys_path = . is relative to it)"
        ),
    })
}

fn known_text(line: &str) -> Option<String> {
    KNOWN
        .iter()
        .find(|(sign, _)| line.contains(sign))
        .map(|(_, cure)| (*cure).to_owned())
}

/// What the output contains, and the cure.
const KNOWN: &[(&str, &str)] = &[
    (
        "no pq wrapper available",
        "psycopg 3 found no libpq: pip install 'psycopg[binary]', or install the system's libpq",
    ),
    (
        "Can't load plugin: sqlalchemy.dialects:postgres",
        "SQLAlchemy no longer knows postgres://; the URL must begin with postgresql:// or \
         postgresql+driver://",
    ),
    (
        "requires an async driver",
        "env.py is asynchronous and the URL names a synchronous driver: use postgresql+asyncpg:// \
         or postgresql+psycopg://",
    ),
    (
        "greenlet_spawn has not been called",
        "the URL names an asynchronous driver and env.py is synchronous: use postgresql+psycopg2:// \
         or postgresql+psycopg://",
    ),
    (
        "No 'script_location' key found",
        "alembic found no configuration here: start in the directory of alembic.ini or name it \
         with -c",
    ),
    (
        "Can't locate revision identified by",
        "the database or the command names a revision that is not among the scripts: an older \
         checkout or image than the one that migrated this database",
    ),
    (
        "Multiple head revisions are present",
        "the scripts have several heads: merge them (alembic merge heads) or upgrade to `heads`",
    ),
    (
        "Target database is not up to date",
        "this command needs the database at its heads first: alembic upgrade heads",
    ),
    (
        "password authentication failed",
        "the password that the migration tool sent is wrong; env.py may take its URL from another \
         place than pgbelay (doctor shows ours)",
    ),
    (
        "value too long for type",
        "existing values do not fit the new column type: shorten or move them first",
    ),
    (
        "canceling statement due to lock timeout",
        "another session holds a lock that the migration needs; pg_locks and pg_stat_activity show \
         whose",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Option<String> {
        explain(
            &["alembic".to_owned()],
            Ended::Exited(1),
            std::iter::once(line),
        )
    }

    #[test]
    fn missing_drivers_are_explained() {
        for (module, cure) in [
            ("psycopg2", "pip install psycopg2-binary"),
            ("psycopg", "pip install 'psycopg[binary]'"),
            ("asyncpg", "pip install asyncpg"),
            ("pg8000", "pip install pg8000"),
            ("alembic", "pip install alembic"),
        ] {
            let line = format!("ModuleNotFoundError: No module named '{module}'");
            assert!(told(&line).unwrap().contains(cure), "{module}");
        }
        let plain = told("/usr/bin/python3: No module named alembic").unwrap();
        assert!(plain.contains("pip install alembic"));
    }

    #[test]
    fn an_unknown_failure_is_not_explained() {
        assert_eq!(told("ZeroDivisionError: division by zero"), None);
    }

    #[test]
    fn exit_codes_of_a_shell_are_explained() {
        let text = explain(&["sh".to_owned()], Ended::Exited(127), std::iter::empty());
        assert!(text.unwrap().contains("does not exist"));
    }
}
