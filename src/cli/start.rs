//! From the process's start to its exit code.

use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::error::ErrorKind;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::app::{App, SCRATCH_URL};
use super::args::{Arguments, Command, Global, LogFormat};
use super::render::{Item, Mask, Painter, Reporter, ReporterOptions, is_dumb, write_stdout};
use super::report::{self, Done};
use super::settings::{self, Settings};
use super::{commands, environment, signals, trace};
use crate::context::{Clock, Context, Environment, SessionCount, Stop, SystemClock};
use crate::durable::LogFile;
use crate::error::{Attempt, Error, Kind, Result};
use crate::exit::Exit;
use crate::pg::Secret;

/// How long a command that changes nothing may go on after a signal.
const READ_ONLY_GRACE: Duration = Duration::from_secs(1);

/// Runs the program and returns its exit code; never panics on purpose, never exits by itself.
pub fn main() -> ExitCode {
    leave_no_core();
    match Arguments::typed() {
        Ok(arguments) => start(&arguments),
        Err(error) => not_parsed(&error),
    }
}

/// A core file would hold the password. The soft limit alone is lowered: the migration tool, which inherits it,
/// may raise its own again. Where that fails nothing is worse than before.
fn leave_no_core() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_CORE) {
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, hard);
    }
}

/// Help and version are answers; anything else is wrong usage.
fn not_parsed(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(Exit::from(Kind::Usage).code()),
    }
}

fn start(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let mask = Mask::default();
    let run_id = environment::new_run_id();
    let environment = environment::read();
    let read = environment.as_ref().cloned().unwrap_or_default();
    learn_early(&mask, arguments, &read);
    let (log, log_error) = open_log(&arguments.global);
    let reporter = Arc::new(reporter(arguments, &read, &run_id, &mask, log));
    trace::install(arguments.global.verbose, &reporter);
    let result = match environment.and(log_error) {
        Ok(()) => guarded(&arguments.command, || {
            execute(arguments, read, &run_id, &mask, &reporter)
        }),
        Err(error) => Err(error),
    };
    let done = result.unwrap_or_else(|error| report::failed(&error));
    finish(arguments, &run_id, &done, &mask, &reporter, began.elapsed())
}

/// A defect of ours ends with an exit code that tells the truth, not with the runtime's 101.
fn guarded(command: &Command, work: impl FnOnce() -> Result<Done>) -> Result<Done> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let error = Error::operation(format!("carry out `{}`", command.name()))
            .because("pgbelay has a defect and stopped; the lines above say where");
        Err(if changes_something(command) {
            error
                .with_kind(Kind::InDoubt)
                .now("unknown to this process; the journal in the store knows how far it came")
                .hint("run `pgbelay recover`: it reads the journal, decides and proves")
        } else {
            error.now("nothing was touched: this command only reads")
        })
    })
}

fn execute(
    arguments: &Arguments,
    environment: Environment,
    run_id: &str,
    mask: &Mask,
    reporter: &Arc<Reporter>,
) -> Result<Done> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .attempt(|| "start the runtime".to_owned())?;
    let result = runtime.block_on(async {
        let (sender, stop) = Stop::channel();
        signals::listen(sender, Arc::clone(reporter))?;
        let app = App {
            ctx: Context {
                clock: Arc::new(SystemClock),
                monitor: Arc::clone(reporter) as _,
                stop,
                run_id: run_id.to_owned(),
                sessions: SessionCount::default(),
                environment: Arc::new(environment),
            },
            settings: Settings::new(&arguments.global),
            mask: mask.clone(),
            reporter: Arc::clone(reporter),
        };
        dispatch(&app, &arguments.command).await
    });
    // A blocking read that hangs (a dead network mount) must not hold the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn dispatch(app: &App, command: &Command) -> Result<Done> {
    if shows_phases(command) {
        app.reporter.show(&Item::Banner {
            command: command.name(),
        });
    }
    if changes_something(command) {
        return commands::execute(app, command).await;
    }
    tokio::select! {
        result = commands::execute(app, command) => result,
        signal = stopped_long_enough(app) => Err(Error::new(Kind::Interrupted(signal), command.name())
            .because(format!("interrupted by signal {signal}"))
            .now("nothing was touched: this command only reads")),
    }
}

async fn stopped_long_enough(app: &App) -> i32 {
    let signal = app.ctx.stop.wait().await;
    tokio::time::sleep(READ_ONLY_GRACE).await;
    signal
}

/// Commands that finish by themselves after a signal, because they know what state they are in.
fn changes_something(command: &Command) -> bool {
    matches!(
        command,
        Command::Run(_)
            | Command::Backup(_)
            | Command::Restore(_)
            | Command::Rollback(_)
            | Command::Drill(_)
            | Command::Recover(_)
            | Command::Stamp(_)
    )
}

/// Commands that a person watches; the others only answer.
fn shows_phases(command: &Command) -> bool {
    changes_something(command)
        || matches!(
            command,
            Command::Diff(_) | Command::Verify(_) | Command::Check(_)
        )
}

fn finish(
    arguments: &Arguments,
    run_id: &str,
    done: &Done,
    mask: &Mask,
    reporter: &Reporter,
    total: Duration,
) -> ExitCode {
    let seconds = reporter.seconds();
    let object = arguments
        .global
        .json
        .then(|| report::final_object(arguments.command.name(), run_id, done, &seconds, total));
    let bytes = report::stdout_bytes(done, object, mask);
    let lost = write_stdout(&bytes).err().filter(|_| done.code == 0);
    // The answer did not reach its reader (a full disk behind a redirection): no success.
    let lost = lost.map(|error| match &arguments.command {
        // What was done to the database is the outcome, whoever hears of it.
        command if command.acts() => report::untold(done, &error),
        Command::Backup(_) => report::unprinted(done, &error),
        _ => report::failed(&error),
    });
    let done = lost.as_ref().unwrap_or(done);
    reporter.finish(report::summary(done, &seconds, total));
    ExitCode::from(done.code)
}

fn reporter(
    arguments: &Arguments,
    environment: &Environment,
    run_id: &str,
    mask: &Mask,
    log: Option<LogFile>,
) -> Reporter {
    let global = &arguments.global;
    let is_terminal = std::io::stderr().is_terminal();
    let options = ReporterOptions {
        format: global.log_format,
        painter: Painter::choose(global.color, is_terminal, environment),
        terminal: is_terminal && !is_dumb(environment) && global.log_format == LogFormat::Text,
        quiet: global.quiet,
        progress: !global.no_progress,
        child_name: child_name(&arguments.command),
        log,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Reporter::new(options, clock, run_id.to_owned(), mask.clone())
}

fn child_name(command: &Command) -> String {
    match command {
        Command::Run(run) => settings::child_name(&settings::migration(&run.tool)),
        Command::Doctor(doctor) => settings::child_name(&settings::migration(&doctor.tool)),
        _ => "tool".to_owned(),
    }
}

fn open_log(global: &Global) -> (Option<LogFile>, Result<()>) {
    match global.log_file.as_deref().map(LogFile::create) {
        None => (None, Ok(())),
        Some(Ok(log)) => (Some(log), Ok(())),
        Some(Err(error)) => (None, Err(error.narrowed(Kind::Refused))),
    }
}

/// Secrets that stand in plain sight before settings are resolved: an error about a malformed
/// setting must not show them either.
fn learn_early(mask: &Mask, arguments: &Arguments, environment: &Environment) {
    const NAMES: [&str; 4] = [
        "PGPASSWORD",
        "POSTGRES_PASSWORD",
        "DB_PASSWORD",
        "PGSSLPASSWORD",
    ];
    let urls = [
        arguments.global.database_url.as_deref(),
        environment.get("DATABASE_URL"),
        scratch_url(&arguments.command),
        environment.get(SCRATCH_URL),
    ];
    let from_urls = urls.into_iter().flatten().filter_map(password_in_url);
    let from_names = NAMES.iter().filter_map(|name| environment.get(name));
    let secrets: Vec<Secret> = from_urls.chain(from_names).map(Secret::new).collect();
    let user = ["PGUSER", "POSTGRES_USER", "DB_USER"]
        .iter()
        .filter_map(|name| environment.get(name));
    let public: Vec<&str> = ["postgresql", "pgbelay"].into_iter().chain(user).collect();
    mask.learn(&secrets, &public);
}

/// Another server that was named on the command line.
fn scratch_url(command: &Command) -> Option<&str> {
    match command {
        Command::Drill(drill) => drill.scratch.scratch_url.as_deref(),
        Command::Run(run) => run.scratch.scratch_url.as_deref(),
        _ => None,
    }
}

/// What stands between the user's colon and the last `@` of a URL, however malformed the rest.
fn password_in_url(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let (credentials, _) = rest.rsplit_once('@')?;
    let (user, password) = credentials.split_once(':')?;
    (user != password).then_some(password)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn a_defect_ends_with_the_truth() {
        let parse = |line: &[&str]| Arguments::try_parse_from(line).unwrap().command;
        let code = |line: &[&str]| {
            guarded(&parse(line), || panic!("planted"))
                .unwrap_err()
                .kind()
        };
        assert_eq!(code(&["pgbelay", "run"]), Kind::InDoubt);
        assert_eq!(code(&["pgbelay", "list"]), Kind::Operation);
    }

    #[test]
    fn finds_the_password_of_a_broken_url() {
        assert_eq!(
            password_in_url("postgresql://app:s3cret@db:badport/x"),
            Some("s3cret")
        );
        assert_eq!(password_in_url("nonsense://app:p@ss@db"), Some("p@ss"));
        assert_eq!(password_in_url("postgresql://db/x"), None);
    }
}
