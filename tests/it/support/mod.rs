//! What the integration tests share.
//!
//! [`Server`]: a private PostgreSQL of one major · [`Database`]: one per test, dropped on success ·
//! [`Workplace`]: a directory to work in, with a store and an Alembic project ·
//! [`Shop`]: both together, the sample database with rows · [`CorpusFile`]: a small script with a
//! database of its own ·
//! [`Pooler`] and its neighbours: what may stand in between · [`Call`] and
//! [`Output`]: one execution of `pgbelay`; every output and every file it leaves is searched for
//! the marker password, which every connection of the tests uses.

mod between;
mod call;
mod corpus;
mod database;
mod figures;
mod lexer;
mod server;
mod shop;
mod workplace;
mod writer;

pub use between::{
    Pooler, closed_port, not_postgresql, server_for_the_first, server_of_version,
    server_that_freezes_at, server_that_is_cut_at,
};
pub use call::{Call, Output, Running};
pub use corpus::{CorpusFile, has_turn, wants_everything};
pub use database::Database;
pub use figures::note_figure;
pub use lexer::psql_commands;
pub use server::{Server, run_as};
pub use shop::Shop;
pub use workplace::{Workplace, gunzip, repository};
pub use writer::Writer;

/// Password of every role the tests connect as; it must never be seen again. It has every
/// character that URLs, conninfo strings and pass files treat in their own way.
pub const MARKER: &str = r"mArk3r-Pa55/w@rd:x%y 'z\q";

/// What is searched for: no encoding changes this part of [`MARKER`].
pub const MARKER_CORE: &str = "mArk3r-Pa55";

/// [`MARKER`] as it stands in a URL.
pub const MARKER_IN_URL: &str = "mArk3r-Pa55%2Fw%40rd%3Ax%25y%20%27z%5Cq";

/// The majors that the tests know; CI demands them by name.
pub const MAJORS: [u32; 5] = [14, 15, 16, 17, 18];

/// Makes one test per major out of a function that takes a `&'static Server`:
/// `tests_of_majors! { [pg15 15, pg18 18] fn all_is_well(server) { … } }` gives `all_is_well::pg15`
/// and `all_is_well::pg18`. Tests say `on_servers!`, `on_three_servers!` or
/// `on_all_servers!`.
macro_rules! tests_of_majors {
    ($majors:tt $($(#[$attribute:meta])* fn $name:ident($server:ident) $body:block)*) => {$(
        $(#[$attribute])*
        mod $name {
            #[allow(unused_imports, reason = "not every test needs its file's imports")]
            use super::*;

            fn on($server: &'static $crate::support::Server) $body

            tests_of_majors!(@each $majors);
        }
    )*};
    (@each [$($test:ident $major:literal),*]) => {$(
        #[test]
        fn $test() {
            if let Some(server) = $crate::support::Server::of_major($major) {
                on(server);
            }
        }
    )*};
}

/// For what surrounds the database (command line, runs, Alembic, connections, poolers): the major
/// that Debian has, and the newest.
macro_rules! on_servers {
    ($($tests:tt)*) => { tests_of_majors!([pg15 15, pg18 18] $($tests)*); };
}

/// For single cases of what reads, writes or compares what is in a database: the oldest major, the one that Debian has, the
/// newest. What goes through whole databases (corpus, scenarios, mutations) is tested on every major, and would show what
/// only one in between does.
macro_rules! on_three_servers {
    ($($tests:tt)*) => { tests_of_majors!([pg14 14, pg15 15, pg18 18] $($tests)*); };
}

/// For what reads, writes or compares what is in a database: every major.
macro_rules! on_all_servers {
    ($($tests:tt)*) => {
        tests_of_majors!([pg14 14, pg15 15, pg16 16, pg17 17, pg18 18] $($tests)*);
    };
}
