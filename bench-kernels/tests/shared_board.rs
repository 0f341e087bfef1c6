//! A board that several users share: the real program as two of them, with everything that one may put in the way of the
//! other. Every test has a mount namespace of its own, with its own folder of locks.
//!
//! Needs root, to be two users: without it each test says `NOT TESTED`.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

#[path = "shared_board/lock.rs"]
mod lock;
#[path = "shared_board/machine.rs"]
mod machine;
#[path = "shared_board/store.rs"]
mod store;
