//! How it is shown: tables for programs, pages and charts for people, the history.
//!
//! Owns rows, pictures and layout. Refuses to connect to anything, to derive figures and to change what was measured.

#![forbid(unsafe_code)]

pub mod findings;
pub mod history;
pub mod pages;
pub mod report;
pub mod tables;

mod charts;
pub mod date;
