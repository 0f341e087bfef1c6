//! Imported results: real outputs of every program, what their numbers mean, and what is refused.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

mod hostile;
mod llama_bench;
mod memory;
mod pasted;
mod suites;
