//! The whole path against real hosts: a real sshd per host on loopback, a real qemu, a real browser.
//!
//! Needs what `cargo xtask test` installs: sshd, qemu-user-static and chromium. Nothing here looks at wall-clock time;
//! polling ends when the awaited state is there, and its limit only turns a hang into a failure.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

mod add;
mod aliases;
mod board;
mod browser;
mod compare;
mod controller;
mod decisions;
mod deploy;
mod external;
mod faults;
mod fleet;
mod foreign;
mod gguf;
mod history;
mod interop;
mod lab;
mod lease;
mod logins;
mod manners;
mod orphans;
mod pages;
mod plan;
mod replay;
mod resume;
mod runner;
mod shapes;
mod shards;
mod sshd;
mod whole_path;

#[path = "../../../reports/tests/run_directories/fixture/mod.rs"]
mod fixture;

#[path = "../../../reports/tests/run_directories/hostile.rs"]
mod hostile;

#[path = "../../../reports/tests/run_directories/many.rs"]
mod many;
