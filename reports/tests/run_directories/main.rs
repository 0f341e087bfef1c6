//! From whole run directories to frames and reports.

mod compare;
mod disturbed;
mod experiments;
mod external;
mod fixture;
mod frames;
mod golden;
mod hostile;
mod interop;
mod languages;
mod many;
mod merge;
mod mutate;
mod mutations;
mod pseudo;
mod report;
mod rounds;
mod verdicts;
