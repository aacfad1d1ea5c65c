//! The binary: everything is in the library's `cli` module.

use std::process::ExitCode;

/// Gives memory of finished phases back (how soon stands in .cargo/config.toml): a backup of very many
/// tables takes a quarter less of it, and of the processor, than with the system's allocator (docs/performance.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    pgbelay::cli::main()
}
