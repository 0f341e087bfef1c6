//! What several kinds of pages show.

pub(super) mod decision;
pub(super) mod experiment;
pub(super) mod files;
pub(super) mod history_link;
pub(super) mod published;
pub(super) mod sentences;
