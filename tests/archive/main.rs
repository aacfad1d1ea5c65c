//! The archive format from outside: round trips, damage, frozen archives, hand-made bytes.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may"
)]

mod damage;
mod every_bit;
#[path = "../it/support/figures.rs"]
mod figures;
mod format;
mod frozen;
mod lies;
mod sample;
