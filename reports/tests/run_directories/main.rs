//! From whole run directories to frames and reports.

mod experiments;
mod fixture;
mod frames;
mod interop;
mod merge;
mod report;
