//! Whether a figure counts: what disturbed it, what it was measured on, and the verdict on it.

pub mod disturbances;
pub mod fingerprint;
pub mod host_check;
pub mod status;
pub mod verdict;
