//! The page of a model.

pub(super) mod facts;
pub(super) mod places;
