//! Damage for texts that tests read: the same from the same seed.

use std::ops::Range;

/// Environment variable with the number of inputs to try.
const INPUTS: &str = "MEMWALL_FUZZ_INPUTS";

/// Enough for a test that runs every day.
const FEW_INPUTS: u64 = 300;

/// Seeds of the inputs to try.
pub fn seeds() -> Range<u64> {
    let n_inputs = std::env::var(INPUTS)
        .ok()
        .and_then(|text| text.parse().ok());
    0..n_inputs.unwrap_or(FEW_INPUTS)
}

/// Numbers that look random (splitmix64, Steele and others 2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, or 0.
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// A text with one to four kinds of damage.
pub fn damage(text: &[u8], seed: u64) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let mut text = text.to_vec();
    for _ in 0..=numbers.below(4) {
        damage_once(&mut text, &mut numbers);
    }
    text
}

fn damage_once(text: &mut Vec<u8>, numbers: &mut Numbers) {
    const ODD: [&[u8]; 8] = [
        b"\n",
        b"\0",
        b"{",
        b"}",
        b"\"",
        b"18446744073709551616",
        b"\xff",
        b"null",
    ];
    let at = numbers.below(text.len());
    let end = (at + 1 + numbers.below(16)).min(text.len());
    match numbers.below(6) {
        0 => text.truncate(at),
        1 => drop(text.drain(at.min(end)..end)),
        2 => {
            if let Some(byte) = text.get_mut(at) {
                *byte = numbers.next() as u8;
            }
        }
        3 => {
            if let Some(byte) = text.get_mut(at) {
                *byte ^= 1 << numbers.below(8);
            }
        }
        4 => drop(text.splice(at..at, ODD[numbers.below(ODD.len())].iter().copied())),
        _ => text[at.min(end)..end].fill(0),
    }
}
