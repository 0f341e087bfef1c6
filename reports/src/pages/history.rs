//! The pages of the history.

pub(super) mod changes;
pub(super) mod charts;
pub(super) mod host;
pub(super) mod hosts;
pub(super) mod runs;
pub(super) mod summary;
pub(super) mod words;
