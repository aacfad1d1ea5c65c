//! `pgbelay completions` and `pgbelay man`: generated from the command line's definition.

use clap::CommandFactory;

use crate::cli::args::Arguments;
use crate::cli::report::Done;
use crate::error::{Attempt, Result};

/// The completion script of a shell, on stdout.
pub(super) fn completions(shell: clap_complete::Shell) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "pgbelay", &mut script);
    Done::brief(format!("completions for {shell}")).printing(script)
}

/// The manual page, its commands included, on stdout.
pub(super) fn manual() -> Result<Done> {
    let mut page = Vec::new();
    let mut command = Arguments::command();
    command.build();
    let render = |command: clap::Command, page: &mut Vec<u8>| {
        clap_mangen::Man::new(command)
            .render(page)
            .attempt(|| "write the manual page".to_owned())
    };
    render(command.clone(), &mut page)?;
    for subcommand in command.get_subcommands() {
        render(subcommand.clone(), &mut page)?;
    }
    Ok(Done::brief("the manual page; read it with `pgbelay man | man -l -`").printing(page))
}
