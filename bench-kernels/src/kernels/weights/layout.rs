//! The layouts in both directions, as slow and as plain as possible: the tests compare the products with them.

use super::{Format, GROUP_ROWS, IQ4_NL_VALUES};
use crate::numeric::f16_to_f32;

fn f16(bytes: &[u8]) -> f32 {
    f16_to_f32(u16::from_le_bytes([bytes[0], bytes[1]]))
}

impl Format {
    /// Where d and, if there is one, dmin lie in a block as a file stores it; in F16 where the elements lie.
    pub fn file_scales_at(self) -> &'static [usize] {
        match self {
            Format::F16 => &[0, 2, 4, 6, 8, 10, 12, 14],
            Format::Q4_0 | Format::Q5_0 | Format::Q8_0 | Format::Iq4Nl => &[0],
            Format::Q2K => &[80, 82],
            Format::Q3K => &[108],
            Format::Q4K | Format::Q5K => &[0, 2],
            Format::Q6K => &[208],
        }
    }

    /// Interleaves eight rows as a file stores them into one group.
    ///
    /// # Panics
    /// When the rows differ in length or are no whole blocks.
    pub fn interleave(self, rows: [&[u8]; GROUP_ROWS]) -> Vec<u8> {
        let n_blocks = rows[0].len() / self.block_bytes();
        (0..n_blocks)
            .flat_map(|block_idx| {
                self.interleave_block(
                    rows.map(|row| &row[block_idx * self.block_bytes()..][..self.block_bytes()]),
                )
            })
            .collect()
    }

    fn interleave_block(self, blocks: [&[u8]; GROUP_ROWS]) -> Vec<u8> {
        if self == Format::F16 {
            return blocks.concat();
        }
        let mut group = Vec::new();
        for at in self.file_scales_at() {
            group.extend(blocks.iter().flat_map(|block| block[*at..at + 2].to_vec()));
        }
        // Bytes of a file, four at a time from each row: their order inside a row stays.
        let vectors = |group: &mut Vec<u8>, from: usize, n: usize| {
            for at in (from..from + 4 * n).step_by(4) {
                group.extend(blocks.iter().flat_map(|block| block[at..at + 4].to_vec()));
            }
        };
        // `n` runs of 16 bytes: for each row the two sub-blocks of a pair.
        let pairs = |group: &mut Vec<u8>, n: usize, byte: &dyn Fn(&[u8], usize) -> u8| {
            for pair in 0..n {
                for block in blocks {
                    group.extend([byte(block, 2 * pair), byte(block, 2 * pair + 1)]);
                }
            }
        };
        match self {
            Format::F16 => unreachable!("the rows of a block follow each other"),
            Format::Q4_0 | Format::Iq4Nl => vectors(&mut group, 2, 4),
            Format::Q8_0 => vectors(&mut group, 2, 8),
            Format::Q5_0 => {
                for (row, k) in (0..32).map(|lane| (lane / 4, lane % 4)) {
                    let bits = u32::from_le_bytes(blocks[row][2..6].try_into().unwrap());
                    group.push((0..8).fold(0, |byte, chunk| {
                        byte | ((bits >> (chunk * 4 + k) & 1) as u8) << chunk
                    }));
                }
                vectors(&mut group, 6, 4);
            }
            Format::Q2K => {
                pairs(&mut group, 8, &|block, sub_block| block[sub_block]);
                vectors(&mut group, 16, 16);
            }
            Format::Q3K => {
                pairs(&mut group, 4, &|block, sub_block| {
                    let scale = |sub_block| q3_k_scale(block, sub_block);
                    scale(sub_block) & 15 | (scale(sub_block + 8) & 15) << 4
                });
                pairs(&mut group, 2, &|block, sub_block| {
                    (0..4).fold(0, |byte, v| {
                        byte | (q3_k_scale(block, 4 * v + sub_block) >> 4) << (2 * v)
                    })
                });
                vectors(&mut group, 0, 24);
            }
            Format::Q4K | Format::Q5K => {
                pairs(&mut group, 4, &|block, sub_block| {
                    let (scale, minimum) = k_scale_and_minimum(block, sub_block);
                    scale | (minimum & 3) << 6
                });
                pairs(&mut group, 2, &|block, sub_block| {
                    let high = |sub_block| k_scale_and_minimum(block, sub_block).1 >> 2;
                    high(sub_block) | high(sub_block + 4) << 4
                });
                vectors(&mut group, 16, (self.block_bytes() - 16) / 4);
            }
            Format::Q6K => {
                for sub_block in 0..16 {
                    group.extend(blocks.iter().map(|block| block[192 + sub_block]));
                }
                let q = |row: usize, element: usize| q6_k_value(blocks[row], element);
                for vector in 0..32 {
                    for (row, k) in (0..32).map(|lane| (lane / 4, lane % 4)) {
                        let (low, high) = (q(row, vector * 4 + k), q(row, (vector + 32) * 4 + k));
                        group.push((low & 15) | (high & 15) << 4);
                    }
                }
                for vector in 0..16 {
                    for (row, k) in (0..32).map(|lane| (lane / 4, lane % 4)) {
                        let bits = |quarter: usize| {
                            (q(row, (vector + quarter * 16) * 4 + k) >> 4) << (2 * quarter)
                        };
                        group.push(bits(0) | bits(1) | bits(2) | bits(3));
                    }
                }
            }
        }
        group
    }

    /// The floats of the eight rows of an interleaved group, by the layouts documented at each format.
    pub fn dequantise_group(self, group: &[u8]) -> [Vec<f32>; GROUP_ROWS] {
        std::array::from_fn(|row| {
            group
                .chunks_exact(GROUP_ROWS * self.block_bytes())
                .flat_map(|block| {
                    (0..self.block_elements())
                        .map(move |element| self.group_value(block, row, element))
                })
                .collect()
        })
    }

    fn group_value(self, block: &[u8], row: usize, element: usize) -> f32 {
        let d = f16(&block[row * 2..]);
        let chunk = element / 4;
        // The byte of this row and element in the vector that begins there.
        let byte = |vector_at: usize| block[vector_at + row * 4 + element % 4];
        let nibble = |byte: u8, is_high: bool| if is_high { byte >> 4 } else { byte & 15 };
        // The byte of this row in a run of pairs, for a sub-block counted from the start of the run.
        let paired =
            |at: usize, sub_block: usize| block[at + sub_block / 2 * 16 + row * 2 + sub_block % 2];
        match self {
            Format::F16 => f16(&block[row * 16 + element * 2..]),
            Format::Q4_0 => d * (f32::from(nibble(byte(16 + chunk % 4 * 32), chunk >= 4)) - 8.0),
            Format::Iq4Nl => {
                let q = nibble(byte(16 + chunk % 4 * 32), chunk >= 4);
                d * f32::from(IQ4_NL_VALUES[usize::from(q)])
            }
            Format::Q5_0 => {
                let fifth = byte(16) >> chunk & 1;
                let q = nibble(byte(48 + chunk % 4 * 32), chunk >= 4) | fifth << 4;
                d * (f32::from(q) - 16.0)
            }
            Format::Q8_0 => d * f32::from(byte(16 + chunk * 32) as i8),
            Format::Q2K => {
                let scale = paired(32, element / 16);
                let vector = element / 128 * 8 + chunk % 8;
                let q = byte(160 + vector * 32) >> (element / 32 % 4 * 2) & 3;
                d * f32::from(scale & 15) * f32::from(q)
                    - f16(&block[16 + row * 2..]) * f32::from(scale >> 4)
            }
            Format::Q3K => {
                let sub_block = element / 16;
                let low = nibble(paired(16, sub_block % 8), sub_block >= 8);
                let high = paired(80, sub_block % 4) >> (sub_block / 4 * 2) & 3;
                let vector = element / 128 * 8 + chunk % 8;
                let q = byte(368 + vector * 32) >> (element / 32 % 4 * 2) & 3;
                let third = byte(112 + chunk % 8 * 32) >> (element / 32) & 1;
                d * (f32::from(low | high << 4) - 32.0) * (f32::from(q | third << 2) - 4.0)
            }
            Format::Q4K | Format::Q5K => {
                let sub_block = element / 32;
                let scale = paired(32, sub_block);
                let high = nibble(paired(96, sub_block % 4), sub_block >= 4);
                let (fifth, nibbles_at) = match self {
                    Format::Q4K => (0, 128),
                    _ => (byte(128 + chunk % 8 * 32) >> sub_block & 1, 384),
                };
                let vector = element / 64 * 8 + chunk % 8;
                let q = nibble(byte(nibbles_at + vector * 32), sub_block % 2 == 1) | fifth << 4;
                d * f32::from(scale & 63) * f32::from(q)
                    - f16(&block[16 + row * 2..]) * f32::from(scale >> 6 | high << 2)
            }
            Format::Q6K => {
                let scale = block[16 + chunk / 4 * GROUP_ROWS + row] as i8;
                let low = byte(144 + chunk % 32 * 32) >> (chunk / 32 * 4) & 15;
                let high = byte(1168 + chunk % 16 * 32) >> (chunk / 16 * 2) & 3;
                d * f32::from(scale) * (f32::from(low | high << 4) - 32.0)
            }
        }
    }

    /// The floats that one row of a file stands for; ggml's definition of the format.
    pub fn dequantise(self, row: &[u8]) -> Vec<f32> {
        row.chunks_exact(self.block_bytes())
            .flat_map(|block| {
                (0..self.block_elements()).map(move |element| self.file_value(block, element))
            })
            .collect()
    }

    fn file_value(self, block: &[u8], element: usize) -> f32 {
        let [d, dmin] = [0, 1].map(|idx| match self.file_scales_at().get(idx) {
            Some(at) => f16(&block[*at..]),
            None => 0.0,
        });
        let nibble = |byte: u8, is_high: bool| if is_high { byte >> 4 } else { byte & 15 };
        // Two bits of `qs`: two halves of 128 elements, in each 32 bytes of four runs of 32.
        let two_bits =
            |qs: &[u8]| qs[element / 128 * 32 + element % 32] >> (element / 32 % 4 * 2) & 3;
        match self {
            Format::F16 => f16(&block[element * 2..]),
            Format::Q4_0 => d * (f32::from(nibble(block[2 + element % 16], element >= 16)) - 8.0),
            Format::Iq4Nl => {
                let q = nibble(block[2 + element % 16], element >= 16);
                d * f32::from(IQ4_NL_VALUES[usize::from(q)])
            }
            Format::Q5_0 => {
                let fifth = block[2 + element / 8] >> (element % 8) & 1;
                let q = nibble(block[6 + element % 16], element >= 16) | fifth << 4;
                d * (f32::from(q) - 16.0)
            }
            Format::Q8_0 => d * f32::from(block[2 + element] as i8),
            Format::Q2K => {
                let scale = block[element / 16];
                d * f32::from(scale & 15) * f32::from(two_bits(&block[16..]))
                    - dmin * f32::from(scale >> 4)
            }
            Format::Q3K => {
                let third = block[element % 32] >> (element / 32) & 1;
                let q = two_bits(&block[32..]) | third << 2;
                let scale = f32::from(q3_k_scale(block, element / 16)) - 32.0;
                d * scale * (f32::from(q) - 4.0)
            }
            Format::Q4K | Format::Q5K => {
                let sub_block = element / 32;
                let (scale, minimum) = k_scale_and_minimum(block, sub_block);
                let (fifth, nibbles_at) = match self {
                    Format::Q4K => (0, 16),
                    _ => (block[16 + element % 32] >> sub_block & 1, 48),
                };
                let byte = block[nibbles_at + element / 64 * 32 + element % 32];
                let q = nibble(byte, sub_block % 2 == 1) | fifth << 4;
                d * f32::from(scale) * f32::from(q) - dmin * f32::from(minimum)
            }
            Format::Q6K => {
                let scale = f32::from(block[192 + element / 16] as i8);
                d * scale * (f32::from(q6_k_value(block, element)) - 32.0)
            }
        }
    }
}

/// The 6-bit value of an element of a Q6_K block as ggml stores it: two halves of 128; in each, 32 bytes of `qh` give
/// the high bits of four runs of 32, and 64 bytes of `ql` their low nibbles.
fn q6_k_value(block: &[u8], element: usize) -> u8 {
    let (half, in_half) = (element / 128, element % 128);
    let (run, lane) = (in_half / 32, in_half % 32);
    let low = block[half * 64 + (run % 2) * 32 + lane] >> (run / 2 * 4) & 15;
    let high = block[128 + half * 32 + lane] >> (run * 2) & 3;
    low | high << 4
}

/// Scale and minimum of a sub-block of Q4_K and Q5_K: six bits each; those of the last four sub-blocks have their low
/// nibbles in the last four bytes and their high bits on top of those of the first four (`get_scale_min_k4` in ggml).
fn k_scale_and_minimum(block: &[u8], sub_block: usize) -> (u8, u8) {
    let bytes = &block[4..16];
    match sub_block {
        0..4 => (bytes[sub_block] & 63, bytes[sub_block + 4] & 63),
        _ => (
            bytes[sub_block + 4] & 15 | bytes[sub_block - 4] >> 6 << 4,
            bytes[sub_block + 4] >> 4 | bytes[sub_block] >> 6 << 4,
        ),
    }
}

/// The 6-bit scale of a sub-block of Q3_K: eight bytes of low nibbles, then four bytes with two high bits of four
/// sub-blocks each (`dequantize_row_q3_K` in ggml).
fn q3_k_scale(block: &[u8], sub_block: usize) -> u8 {
    let bytes = &block[96..108];
    let low = bytes[sub_block % 8] >> (sub_block / 8 * 4) & 15;
    low | (bytes[8 + sub_block % 4] >> (sub_block / 4 * 2) & 3) << 4
}

mod tests {
    use super::*;
    use crate::numeric::split_mix;

    const GOLDEN: &str = include_str!("../../../testdata/golden-blocks.txt");

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn blocks_stand_for_what_the_gguf_package_says() {
        let mut n_formats = 0;
        for line in GOLDEN.lines() {
            let [id, block, floats] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let Some(format) = Format::from_id(id) else {
                continue;
            };
            let expected: Vec<f32> = bytes(floats)
                .chunks_exact(4)
                .map(|float| f32::from_le_bytes(float.try_into().unwrap()))
                .collect();
            assert_eq!(format.dequantise(&bytes(block)), expected, "{id}");
            n_formats += 1;
        }
        assert_eq!(n_formats, Format::ALL.len(), "every format has a line");
    }

    #[test]
    fn interleaving_keeps_every_value_and_the_bytes() {
        for format in Format::ALL {
            let mut state = 31;
            let row_bytes = 2 * format.block_bytes();
            let mut rows: Vec<u8> = (0..GROUP_ROWS * row_bytes)
                .map(|_| split_mix(&mut state) as u8)
                .collect();
            for block in rows.chunks_exact_mut(format.block_bytes()) {
                for at in format.file_scales_at() {
                    block[at + 1] &= 0x3f;
                }
            }
            let rows: Vec<&[u8]> = rows.chunks_exact(row_bytes).collect();
            let group = format.interleave(rows.clone().try_into().unwrap());
            assert_eq!(group.len(), GROUP_ROWS * row_bytes, "{}", format.id());
            for (row, floats) in rows.iter().zip(format.dequantise_group(&group)) {
                assert_eq!(floats, format.dequantise(row), "{}", format.id());
            }
        }
    }
}
