//! How it is shown: frames, charts, pages, the history.
//!
//! Owns tables, pictures and words. Refuses to connect to anything, to derive figures and to change what was measured.

#![forbid(unsafe_code)]

pub mod compare_page;
pub mod export;
pub mod findings;
pub mod frames;
pub mod history;
pub mod report;

mod sections;
mod svg;
