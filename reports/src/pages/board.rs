//! The page of a board.

pub(super) mod memory;
pub(super) mod models;
