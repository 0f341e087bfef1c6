//! Interleaved groups to bytes (or floats) and single-precision scales: plain loops over vectors of 32 bytes, which the
//! compiler turns into vector instructions in every variant that inlines them.

use super::{PANEL_ROWS, Unpacked};
use crate::kernels::weights::{Format, GROUP_ROWS, IQ4_NL_VALUES};

/// Four elements of each of the eight rows of a group.
type Vector = [u8; 32];

/// Unpacks consecutive blocks of a group into place `place` of a panel.
///
/// With `FLIP` signed values become unsigned by adding 128, as VPDPBUSD wants its first operand.
#[inline(always)]
pub fn unpack<const FLIP: bool>(format: Format, blocks: &[u8], place: usize, to: Unpacked<'_>) {
    let mut group = Group { place, to };
    let blocks = blocks
        .chunks_exact(format.block_bytes() * GROUP_ROWS)
        .enumerate();
    // Loops, not `for_each`: a closure that is not inlined would be compiled for the baseline of the target.
    for (idx, block) in blocks {
        match format {
            Format::F16 => group.f16(idx, block),
            Format::Q4_0 => group.nibbles(idx, block, &block[16..], |_, q| {
                q.wrapping_sub(8) ^ flip::<FLIP>()
            }),
            Format::Iq4Nl => group.nibbles(idx, block, &block[16..], |_, q| {
                nibble_value(q) ^ flip::<FLIP>()
            }),
            Format::Q5_0 => {
                let fifth = vector(block, 16);
                group.nibbles(idx, block, &block[48..], |(chunk, lane), q| {
                    (q | (fifth[lane] >> chunk & 1) << 4).wrapping_sub(16) ^ flip::<FLIP>()
                });
            }
            Format::Q8_0 => {
                group.scale(idx, &halves(block), |_| 1.0);
                for chunk in 0..8 {
                    let bytes = vector(block, 16 + chunk * 32);
                    group.chunk(idx * 8 + chunk, |lane| bytes[lane] ^ flip::<FLIP>());
                }
            }
            Format::Q2K => group.q2_k(idx, block),
            Format::Q3K => group.q3_k::<FLIP>(idx, block),
            Format::Q4K => group.q45_k::<false>(idx, block),
            Format::Q5K => group.q45_k::<true>(idx, block),
            Format::Q6K => group.q6_k::<FLIP>(idx, block),
        }
    }
}

/// One of the four groups of a panel.
struct Group<'a> {
    place: usize,
    to: Unpacked<'a>,
}

impl Group<'_> {
    /// Writes the bytes of one chunk of the slice.
    #[inline(always)]
    fn chunk(&mut self, chunk_idx: usize, value: impl Fn(usize) -> u8) {
        let at = chunk_idx * PANEL_ROWS * 4 + self.place * 32;
        let to: &mut Vector = (&mut self.to.values[at..at + 32])
            .try_into()
            .expect("32 bytes were cut out");
        *to = std::array::from_fn(value);
    }

    /// Writes `d * factor` of one sub-block of the slice.
    #[inline(always)]
    fn scale(&mut self, sub_block: usize, d: &[f32; 8], factor: impl Fn(usize) -> f32) {
        row_floats(self.to.scales, sub_block, self.place, |row| {
            d[row] * factor(row)
        });
    }

    /// Writes `dmin * factor` of one sub-block of the slice.
    #[inline(always)]
    fn minimum(&mut self, sub_block: usize, dmin: &[f32; 8], factor: impl Fn(usize) -> f32) {
        row_floats(self.to.minima, sub_block, self.place, |row| {
            dmin[row] * factor(row)
        });
    }

    /// A block of 32 nibbles; `value` gets chunk and lane of each.
    #[inline(always)]
    fn nibbles(
        &mut self,
        idx: usize,
        block: &[u8],
        vectors: &[u8],
        value: impl Fn((usize, usize), u8) -> u8,
    ) {
        self.scale(idx, &halves(block), |_| 1.0);
        for chunk in 0..4 {
            let bytes = vector(vectors, chunk * 32);
            self.chunk(idx * 8 + chunk, |lane| {
                value((chunk, lane), bytes[lane] & 15)
            });
            self.chunk(idx * 8 + chunk + 4, |lane| {
                value((chunk + 4, lane), bytes[lane] >> 4)
            });
        }
    }

    #[inline(always)]
    fn f16(&mut self, idx: usize, block: &[u8]) {
        for row in 0..GROUP_ROWS {
            let floats = halves(&block[row * 16..]);
            for (col, float) in floats.into_iter().enumerate() {
                let at = (idx * 8 + col) * PANEL_ROWS + self.place * GROUP_ROWS + row;
                self.to.floats[at] = float;
            }
        }
    }

    #[inline(always)]
    fn q2_k(&mut self, idx: usize, block: &[u8]) {
        let (d, dmin) = (halves(block), halves(&block[16..]));
        for sub_block in 0..16 {
            let scale = paired(block, 32, sub_block);
            self.scale(idx * 16 + sub_block, &d, |row| f32::from(scale[row] & 15));
            self.minimum(idx * 16 + sub_block, &dmin, |row| {
                f32::from(scale[row] >> 4)
            });
        }
        for vector_idx in 0..16 {
            let bytes = vector(block, 160 + vector_idx * 32);
            for run in 0..4 {
                let chunk = vector_idx / 8 * 32 + run * 8 + vector_idx % 8;
                self.chunk(idx * 64 + chunk, |lane| bytes[lane] >> (run * 2) & 3);
            }
        }
    }

    #[inline(always)]
    fn q3_k<const FLIP: bool>(&mut self, idx: usize, block: &[u8]) {
        let d = halves(block);
        for sub_block in 0..16 {
            let low = paired(block, 16, sub_block % 8);
            let high = paired(block, 80, sub_block % 4);
            self.scale(idx * 16 + sub_block, &d, |row| {
                let low = low[row] >> (sub_block / 8 * 4) & 15;
                let high = high[row] >> (sub_block / 4 * 2) & 3;
                f32::from(low | high << 4) - 32.0
            });
        }
        for vector_idx in 0..16 {
            let bytes = vector(block, 368 + vector_idx * 32);
            let third = vector(block, 112 + vector_idx % 8 * 32);
            for run in 0..4 {
                let bit = vector_idx / 8 * 4 + run;
                let chunk = bit * 8 + vector_idx % 8;
                self.chunk(idx * 64 + chunk, |lane| {
                    let q = bytes[lane] >> (run * 2) & 3 | (third[lane] >> bit & 1) << 2;
                    q.wrapping_sub(4) ^ flip::<FLIP>()
                });
            }
        }
    }

    #[inline(always)]
    fn q45_k<const FIFTH: bool>(&mut self, idx: usize, block: &[u8]) {
        let (d, dmin) = (halves(block), halves(&block[16..]));
        for sub_block in 0..8 {
            let scale = paired(block, 32, sub_block);
            let high = paired(block, 96, sub_block % 4);
            self.scale(idx * 8 + sub_block, &d, |row| f32::from(scale[row] & 63));
            self.minimum(idx * 8 + sub_block, &dmin, |row| {
                let high = high[row] >> (sub_block / 4 * 4) & 15;
                f32::from(scale[row] >> 6 | high << 2)
            });
        }
        for vector_idx in 0..32 {
            let (step, in_step) = (vector_idx / 8, vector_idx % 8);
            let bytes = vector(block, if FIFTH { 384 } else { 128 } + vector_idx * 32);
            let fifth = if FIFTH {
                vector(block, 128 + in_step * 32)
            } else {
                [0; 32]
            };
            let chunk = idx * 64 + step * 16 + in_step;
            self.chunk(chunk, |lane| {
                bytes[lane] & 15 | (fifth[lane] >> (step * 2) & 1) << 4
            });
            self.chunk(chunk + 8, |lane| {
                bytes[lane] >> 4 | (fifth[lane] >> (step * 2 + 1) & 1) << 4
            });
        }
    }

    #[inline(always)]
    fn q6_k<const FLIP: bool>(&mut self, idx: usize, block: &[u8]) {
        let d = halves(block);
        for sub_block in 0..16 {
            let scale = &block[16 + sub_block * GROUP_ROWS..][..GROUP_ROWS];
            self.scale(idx * 16 + sub_block, &d, |row| f32::from(scale[row] as i8));
        }
        for vector_idx in 0..32 {
            let low = vector(block, 144 + vector_idx * 32);
            let high = vector(block, 1168 + vector_idx % 16 * 32);
            for half in 0..2 {
                let chunk = vector_idx + half * 32;
                self.chunk(idx * 64 + chunk, |lane| {
                    let q =
                        low[lane] >> (half * 4) & 15 | (high[lane] >> (chunk / 16 * 2) & 3) << 4;
                    q.wrapping_sub(32) ^ flip::<FLIP>()
                });
            }
        }
    }
}

/// What makes a signed byte unsigned, adding 128.
#[inline(always)]
fn flip<const FLIP: bool>() -> u8 {
    if FLIP { 0x80 } else { 0 }
}

/// The value of IQ4_NL as a byte: a chain of selections has vector instructions on every CPU, a table look-up has none
/// that the compiler would find.
#[inline(always)]
fn nibble_value(q: u8) -> u8 {
    let mut value = 0;
    let mut idx = 0;
    while idx < IQ4_NL_VALUES.len() {
        let mask = if q == idx as u8 { 0xff } else { 0 };
        value |= mask & IQ4_NL_VALUES[idx] as u8;
        idx += 1;
    }
    value
}

#[inline(always)]
fn vector(bytes: &[u8], at: usize) -> Vector {
    bytes[at..at + 32]
        .try_into()
        .expect("32 bytes were cut out")
}

/// The byte of each row in a run of pairs of sub-blocks.
#[inline(always)]
fn paired(block: &[u8], at: usize, sub_block: usize) -> [u8; 8] {
    let run = &block[at + sub_block / 2 * 16..][..16];
    std::array::from_fn(|row| run[row * 2 + sub_block % 2])
}

/// Eight finite half-precision numbers as floats: exponent and mantissa are moved into place, and one multiplication
/// corrects the bias of the exponent, for subnormal numbers too.
#[inline(always)]
fn halves(bytes: &[u8]) -> [f32; 8] {
    const BIAS: f32 = f32::from_bits((127 + 112) << 23);
    let bytes = &bytes[..16];
    std::array::from_fn(|idx| {
        let bits = u32::from(u16::from_le_bytes([bytes[idx * 2], bytes[idx * 2 + 1]]));
        let magnitude = f32::from_bits((bits & 0x7fff) << 13) * BIAS;
        f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
    })
}

#[inline(always)]
fn row_floats(to: &mut [f32], sub_block: usize, place: usize, value: impl Fn(usize) -> f32) {
    let at = sub_block * PANEL_ROWS + place * GROUP_ROWS;
    let to: &mut [f32; 8] = (&mut to[at..at + 8])
        .try_into()
        .expect("8 floats were cut out");
    *to = std::array::from_fn(value);
}
