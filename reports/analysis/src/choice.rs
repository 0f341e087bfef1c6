//! Which model to run on which board: what each combination reaches, what is predicted, what would help.

pub mod bounds;
pub mod decide;
pub mod decisions;
pub mod predict;
pub mod recommend;
