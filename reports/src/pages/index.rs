//! The first page of a report.

pub(super) mod answers;
pub(super) mod choose;
pub(super) mod failed;
pub(super) mod hosts;
pub(super) mod imported;
pub(super) mod inference;
pub(super) mod method;
pub(super) mod models;
pub(super) mod overview;
pub(super) mod provenance;
pub(super) mod summary;
