//! The `PGBELAY_*` variables that give options their values.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command};

/// A variable's value in the process's environment.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The same command line, in which a variable that is set to nothing is not set (`${X:-}` of a compose file), as
/// everywhere else in the settings.
pub(super) fn without_empty(command: Command, lookup: Lookup<'_>) -> Command {
    command
        .mut_args(|arg| match variable_of(&arg).map(|name| lookup(&name)) {
            Some(Some(value)) if value.is_empty() => arg.env(None),
            _ => arg,
        })
        .mut_subcommands(|command| without_empty(command, lookup))
}

/// Adds the variable's name to an error about a value that nobody typed: the option alone would be looked for in the
/// command line.
pub(super) fn name_in(
    error: &mut clap::Error,
    command: &mut Command,
    typed: &[OsString],
    lookup: Lookup<'_>,
) {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let (Some(option), Some(value)) = (
        text(ContextKind::InvalidArg),
        text(ContextKind::InvalidValue),
    ) else {
        return;
    };
    // An argument of a command that was not read has no words for itself yet.
    command.build();
    let named = arguments(command).find(|arg| arg.to_string() == option && !is_typed(arg, typed));
    let Some(variable) = named.and_then(variable_of) else {
        return;
    };
    if lookup(&variable).is_some_and(|found| found.to_string_lossy() == value) {
        let tip = StyledStr::from(format!("the value is that of the variable {variable}"));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
}

/// Those of the whole program and of its commands.
fn arguments(command: &Command) -> Box<dyn Iterator<Item = &Arg> + '_> {
    Box::new(
        command
            .get_arguments()
            .chain(command.get_subcommands().flat_map(arguments)),
    )
}

fn variable_of(arg: &Arg) -> Option<String> {
    arg.get_env()?.to_str().map(str::to_owned)
}

/// Whether the option stands in the command line in front of the migration's own.
fn is_typed(arg: &Arg, typed: &[OsString]) -> bool {
    let Some(long) = arg.get_long().map(|long| format!("--{long}")) else {
        return false;
    };
    let ours = typed.iter().take_while(|word| *word != "--");
    ours.filter_map(|word| word.to_str())
        .any(|word| word.strip_prefix(&long).is_some_and(is_end_of_name))
}

fn is_end_of_name(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('=')
}
