//! Quantised weights in memory: ggml's block formats, eight rows interleaved.
//!
//! A file holds each row on its own. Here a group of eight rows is stored block by block, so that a product reads one
//! linear stream and keeps one register lane per row. The bytes per row are exactly those of the file.

use crate::numeric::split_mix;

/// Rows of one group.
pub const GROUP_ROWS: usize = 8;

/// A block format of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 32 elements, 18 bytes: f16 d, 16 bytes of nibbles; x = d * (q - 8).
    ///
    /// Group of 144 bytes: d of 8 rows; then 4 chunks of 8 rows x 4 bytes, byte k of chunk c with element 4c+k in its
    /// low and 16+4c+k in its high nibble.
    Q4_0,
    /// 32 elements, 34 bytes: f16 d, 32 signed bytes; x = d * q.
    ///
    /// Group of 272 bytes: d of 8 rows; then 8 chunks of 8 rows x 4 bytes.
    Q8_0,
    /// 256 elements, 210 bytes: 6-bit q, 16 signed 8-bit scales, f16 d; x = d * scale * (q - 32).
    ///
    /// Group of 1680 bytes: d of 8 rows; 16 sub-blocks x 8 rows of scales; 32 vectors of low nibbles (vector v: chunk
    /// v low, chunk v+32 high); 16 vectors of high bits (vector v: chunks v, v+16, v+32, v+48 from the low bits up).
    Q6K,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 3] = [Format::Q4_0, Format::Q8_0, Format::Q6K];

    /// The format of that id.
    pub fn from_id(id: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.id() == id)
    }

    /// Stable id, as in the tensor lists.
    pub fn id(self) -> &'static str {
        match self {
            Format::Q4_0 => "q4_0",
            Format::Q8_0 => "q8_0",
            Format::Q6K => "q6_k",
        }
    }

    /// Elements of one block of one row.
    pub fn block_elements(self) -> usize {
        match self {
            Format::Q4_0 | Format::Q8_0 => 32,
            Format::Q6K => 256,
        }
    }

    /// Bytes of one block of one row.
    pub fn block_bytes(self) -> usize {
        match self {
            Format::Q4_0 => 18,
            Format::Q8_0 => 34,
            Format::Q6K => 210,
        }
    }

    /// Elements that share a scale in the activations this format is multiplied with.
    pub fn activation_block(self) -> usize {
        self.block_elements()
    }

    /// Bytes of one row of `cols` elements, a multiple of [`Format::block_elements`].
    pub fn row_bytes(self, cols: usize) -> usize {
        cols / self.block_elements() * self.block_bytes()
    }

    /// Fills whole groups with weights that look like a model's: small finite scales, every quantised value used.
    pub fn fill_synthetic(self, groups: &mut [u8], seed: u64) {
        let mut state = seed;
        let mut words = groups.chunks_exact_mut(8);
        for word in &mut words {
            word.copy_from_slice(&split_mix(&mut state).to_le_bytes());
        }
        let noise = split_mix(&mut state).to_le_bytes();
        let rest = words.into_remainder();
        rest.copy_from_slice(&noise[..rest.len()]);
        for block in groups.chunks_exact_mut(self.block_bytes() * GROUP_ROWS) {
            let (d, rest) = block.split_at_mut(2 * GROUP_ROWS);
            let exponent = match self {
                // 2^-8 .. 2^-7, and 2^-14 .. 2^-13 where an 8-bit scale comes on top.
                Format::Q4_0 => 0x1c,
                Format::Q8_0 => 0x0c,
                Format::Q6K => 0x04,
            };
            for half in d.chunks_exact_mut(2) {
                half[1] = exponent | (half[1] & 3);
            }
            if self == Format::Q8_0 {
                // ggml never writes -128, and the AVX2 product relies on it.
                for byte in rest {
                    *byte = if *byte == 0x80 { 0x81 } else { *byte };
                }
            }
        }
    }

    /// Interleaves eight rows as a file stores them into one group.
    ///
    /// # Panics
    /// When the rows differ in length or are no whole blocks.
    #[cfg(test)]
    pub fn interleave(self, rows: [&[u8]; GROUP_ROWS]) -> Vec<u8> {
        let mut group = Vec::new();
        let n_blocks = rows[0].len() / self.block_bytes();
        for block_idx in 0..n_blocks {
            let blocks =
                rows.map(|row| &row[block_idx * self.block_bytes()..][..self.block_bytes()]);
            let chunk = |from: usize| {
                blocks
                    .iter()
                    .flat_map(move |block| block[from..from + 4].to_vec())
            };
            match self {
                Format::Q4_0 | Format::Q8_0 => {
                    group.extend(blocks.iter().flat_map(|block| block[..2].to_vec()));
                    (2..self.block_bytes())
                        .step_by(4)
                        .for_each(|from| group.extend(chunk(from)));
                }
                Format::Q6K => {
                    group.extend(blocks.iter().flat_map(|block| block[208..].to_vec()));
                    for sub_block in 0..16 {
                        group.extend(blocks.iter().map(|block| block[192 + sub_block]));
                    }
                    let q = |row: usize, element: usize| q6_k_value(blocks[row], element);
                    for vector in 0..32 {
                        for (row, k) in (0..32).map(|lane| (lane / 4, lane % 4)) {
                            let (low, high) =
                                (q(row, vector * 4 + k), q(row, (vector + 32) * 4 + k));
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
        }
        group
    }

    /// The floats of the eight rows of an interleaved group, by the layouts documented at each format.
    #[cfg(test)]
    pub fn dequantise_group(self, group: &[u8]) -> [Vec<f32>; GROUP_ROWS] {
        std::array::from_fn(|row| {
            let mut out = Vec::new();
            for block in group.chunks_exact(GROUP_ROWS * self.block_bytes()) {
                let d = crate::numeric::f16_to_f32(u16::from_le_bytes([
                    block[row * 2],
                    block[row * 2 + 1],
                ]));
                let byte =
                    |vector_at: usize, element: usize| block[vector_at + row * 4 + element % 4];
                out.extend((0..self.block_elements()).map(|element| {
                    let chunk = element / 4;
                    match self {
                        Format::Q4_0 => {
                            let byte = byte(16 + chunk % 4 * 32, element);
                            d * (f32::from(if chunk < 4 { byte & 15 } else { byte >> 4 }) - 8.0)
                        }
                        Format::Q8_0 => d * f32::from(byte(16 + chunk * 32, element) as i8),
                        Format::Q6K => {
                            let scale = block[16 + chunk / 4 * GROUP_ROWS + row] as i8;
                            let low = byte(144 + chunk % 32 * 32, element) >> (chunk / 32 * 4) & 15;
                            let high =
                                byte(1168 + chunk % 16 * 32, element) >> (chunk / 16 * 2) & 3;
                            d * f32::from(scale) * (f32::from(low | high << 4) - 32.0)
                        }
                    }
                }));
            }
            out
        })
    }

    /// The floats that one row of a file stands for; ggml's definition of the format.
    #[cfg(test)]
    pub fn dequantise(self, row: &[u8]) -> Vec<f32> {
        let f16 =
            |bytes: &[u8]| crate::numeric::f16_to_f32(u16::from_le_bytes([bytes[0], bytes[1]]));
        let mut out = Vec::new();
        for block in row.chunks_exact(self.block_bytes()) {
            match self {
                Format::Q4_0 => out.extend((0..32).map(|idx| {
                    let byte = block[2 + idx % 16];
                    f16(block) * (f32::from(if idx < 16 { byte & 15 } else { byte >> 4 }) - 8.0)
                })),
                Format::Q8_0 => out.extend(
                    block[2..]
                        .iter()
                        .map(|&byte| f16(block) * f32::from(byte as i8)),
                ),
                Format::Q6K => out.extend((0..256).map(|idx| {
                    let scale = f32::from(block[192 + idx / 16] as i8);
                    f16(&block[208..]) * scale * (f32::from(q6_k_value(block, idx)) - 32.0)
                })),
            }
        }
        out
    }
}

/// The 6-bit value of an element of a Q6_K block as ggml stores it: two halves of 128; in each, 32 bytes of `qh` give
/// the high bits of four runs of 32, and 64 bytes of `ql` their low nibbles.
#[cfg(test)]
fn q6_k_value(block: &[u8], element: usize) -> u8 {
    let (half, in_half) = (element / 128, element % 128);
    let (run, lane) = (in_half / 32, in_half % 32);
    let low = block[half * 64 + (run % 2) * 32 + lane] >> (run / 2 * 4) & 15;
    let high = block[128 + half * 32 + lane] >> (run * 2) & 3;
    low | high << 4
}
