//! What follows from a run directory: rates, limits, validity, predictions, comparisons.
//!
//! Owns everything that is derived, as plain values. Refuses to read files, to format pages and to change what was measured.

#![forbid(unsafe_code)]

pub mod choice;
pub mod compare;
pub mod guard;
pub mod label;
pub mod limits;
pub mod measured;
pub mod stats;
pub mod validity;
