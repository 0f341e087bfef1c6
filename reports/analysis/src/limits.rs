//! What the hardware and the memory of a board allow.

pub mod bounds;
pub mod fit;
pub mod theory;

/// What sort of bound it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BoundKind {
    /// Theoretical bandwidth of the host's system memory.
    Theory,
    /// Best read bandwidth measured on the same host.
    MeasuredRead,
    /// Highest rate of arithmetic measured on the same host.
    MeasuredPeak,
}
