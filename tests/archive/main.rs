//! The archive format from outside: round trips, damage, frozen archives, hand-made bytes.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may"
)]

mod damage;
mod format;
mod frozen;
mod sample;
