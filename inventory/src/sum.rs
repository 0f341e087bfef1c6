//! Sums of numbers from outside: files say any number, and an overflow must neither wrap around nor end the program.

/// The sum, or the largest number where it is beyond that.
pub fn saturating_sum(numbers: impl IntoIterator<Item = u64>) -> u64 {
    numbers.into_iter().fold(0, u64::saturating_add)
}
