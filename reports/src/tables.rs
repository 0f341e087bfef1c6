//! Rows for programs: frames, and results in the formats of other programs.

pub mod export;
pub mod frames;
