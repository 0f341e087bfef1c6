//! From run directories to frames, bounds, verdicts and reports.
//!
//! Owns everything derived: rates, ratios, bounds, statistics, charts, pages. Reads run directories only; refuses to
//! connect to anything and to change what was measured.

#![forbid(unsafe_code)]

pub mod run_dir;

pub mod analysis;
pub mod bounds;
pub mod compare;
pub mod decide;
pub mod decisions;
pub mod epoch;
pub mod export;
pub mod findings;
pub mod fit;
pub mod format;
pub mod frames;
pub mod gate;
pub mod health;
pub mod history;
pub mod import;
pub mod label;
pub mod predict;
pub mod recommend;
pub mod report;
pub mod stats;
pub mod theory;
pub mod verdict;
pub mod words;

mod guard;
mod sections;
mod svg;
