//! Quantised weights in memory: ggml's block formats, eight rows interleaved.
//!
//! A file holds each row on its own. Here a group of eight rows is stored block by block, so that a product reads one
//! linear stream and keeps one register lane per row. The bytes per row are exactly those of the file.
//!
//! A *vector* below is 32 bytes, four consecutive elements of each of the eight rows; a *chunk* is the four elements
//! themselves, chunk c being elements 4c .. 4c+3 of the block.

#[cfg(test)]
mod layout;

use crate::numeric::split_mix;

/// Rows of one group.
pub const GROUP_ROWS: usize = 8;

/// A block format of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Half-precision floats; a block is 8 elements, 16 bytes, so that a vector holds what one row adds at a time.
    ///
    /// Group of 128 bytes: the 16 bytes of each row. A row has eight running sums, one for every eighth column.
    F16,
    /// 32 elements, 18 bytes: f16 d, 16 bytes of nibbles; x = d * (q - 8).
    ///
    /// Group of 144 bytes: d of 8 rows; then 4 vectors, vector c with chunk c in the low nibbles and chunk 4+c in the
    /// high ones.
    Q4_0,
    /// 32 elements, 22 bytes: f16 d, 32 fifth bits, 16 bytes of nibbles; x = d * (q - 16).
    ///
    /// Group of 176 bytes: d of 8 rows; one vector of fifth bits, bit c of byte k of a row for element 4c+k; then 4
    /// vectors as in Q4_0.
    Q5_0,
    /// 32 elements, 34 bytes: f16 d, 32 signed bytes; x = d * q.
    ///
    /// Group of 272 bytes: d of 8 rows; then 8 vectors, one per chunk.
    Q8_0,
    /// 32 elements, 18 bytes: f16 d, 16 bytes of nibbles; x = d * [`IQ4_NL_VALUES`]\[q\].
    ///
    /// Group of 144 bytes as in Q4_0.
    Iq4Nl,
    /// 256 elements, 84 bytes: 16 x (4-bit scale, 4-bit minimum), 2-bit q, f16 d and dmin;
    /// x = d * scale * q - dmin * minimum.
    ///
    /// Group of 672 bytes: d of 8 rows; dmin of 8 rows; 8 pairs of sub-blocks x 8 rows x 2 bytes, the scale in the low
    /// nibble; 16 vectors, vector 8h+i with chunks 32h+8j+i at bits 2j, for j = 0 .. 3.
    Q2K,
    /// 256 elements, 110 bytes: 3-bit q, 16 6-bit scales, f16 d; x = d * (scale - 32) * (q - 4).
    ///
    /// Group of 880 bytes: d of 8 rows; 64 bytes of low scale nibbles, byte 16t+2r+p for row r with sub-block 2t+p in
    /// the low and 8+2t+p in the high nibble; 32 bytes of high scale bits, byte 16u+2r+p with sub-block 4v+2u+p at
    /// bits 2v; 8 vectors of third bits, vector i with chunk 8s+i at bit s; 16 vectors of low bits as in Q2_K.
    Q3K,
    /// 256 elements, 144 bytes: f16 d and dmin, 8 x (6-bit scale, 6-bit minimum), 4-bit q;
    /// x = d * scale * q - dmin * minimum.
    ///
    /// Group of 1152 bytes: d of 8 rows; dmin of 8 rows; 64 bytes of scales, byte 16t+2r+p for row r and sub-block
    /// 2t+p with the two lowest bits of the minimum above the scale; 32 bytes of high bits of the minima, byte
    /// 16u+2r+p with sub-block 2u+p in the low and 4+2u+p in the high nibble; 32 vectors, vector 8j+i with chunk
    /// 16j+i in the low and 16j+8+i in the high nibbles.
    Q4K,
    /// 256 elements, 176 bytes: as Q4_K, with a fifth bit of q.
    ///
    /// Group of 1408 bytes: the first 128 bytes as in Q4_K; 8 vectors of fifth bits, vector i with chunk 8s+i at bit
    /// s; 32 vectors as in Q4_K.
    Q5K,
    /// 256 elements, 210 bytes: 6-bit q, 16 signed 8-bit scales, f16 d; x = d * scale * (q - 32).
    ///
    /// Group of 1680 bytes: d of 8 rows; 16 sub-blocks x 8 rows of scales; 32 vectors of low nibbles (vector v: chunk
    /// v low, chunk v+32 high); 16 vectors of high bits (vector v: chunks v, v+16, v+32, v+48 from the low bits up).
    Q6K,
}

/// What the nibbles of IQ4_NL stand for (`kvalues_iq4nl` in ggml-common.h).
pub const IQ4_NL_VALUES: [i8; 16] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];

impl Format {
    /// All formats.
    pub const ALL: [Format; 10] = [
        Format::F16,
        Format::Q4_0,
        Format::Q5_0,
        Format::Q8_0,
        Format::Iq4Nl,
        Format::Q2K,
        Format::Q3K,
        Format::Q4K,
        Format::Q5K,
        Format::Q6K,
    ];

    /// The format of that id.
    pub fn from_id(id: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.id() == id)
    }

    /// Stable id, as in the tensor lists.
    pub fn id(self) -> &'static str {
        match self {
            Format::F16 => "f16",
            Format::Q4_0 => "q4_0",
            Format::Q5_0 => "q5_0",
            Format::Q8_0 => "q8_0",
            Format::Iq4Nl => "iq4_nl",
            Format::Q2K => "q2_k",
            Format::Q3K => "q3_k",
            Format::Q4K => "q4_k",
            Format::Q5K => "q5_k",
            Format::Q6K => "q6_k",
        }
    }

    /// Elements of one block of one row.
    pub fn block_elements(self) -> usize {
        match self {
            Format::F16 => 8,
            Format::Q4_0 | Format::Q5_0 | Format::Q8_0 | Format::Iq4Nl => 32,
            Format::Q2K | Format::Q3K | Format::Q4K | Format::Q5K | Format::Q6K => 256,
        }
    }

    /// Bytes of one block of one row.
    pub fn block_bytes(self) -> usize {
        match self {
            Format::F16 => 16,
            Format::Q4_0 | Format::Iq4Nl => 18,
            Format::Q5_0 => 22,
            Format::Q8_0 => 34,
            Format::Q2K => 84,
            Format::Q3K => 110,
            Format::Q4K => 144,
            Format::Q5K => 176,
            Format::Q6K => 210,
        }
    }

    /// Elements that share a scale in the activations this format is multiplied with; 1 where they stay floats.
    pub fn activation_block(self) -> usize {
        match self {
            Format::F16 => 1,
            _ => self.block_elements(),
        }
    }

    /// Bytes of one row of `cols` elements, a multiple of [`Format::block_elements`].
    pub fn row_bytes(self, cols: usize) -> usize {
        cols / self.block_elements() * self.block_bytes()
    }

    /// Top bytes of the half-precision numbers a block of a group begins with, without sign and two mantissa bits: d
    /// of every row and, where there is one, dmin of every row; in F16 the whole block.
    ///
    /// They give synthetic weights a magnitude of about 0.1 and a mean near zero, as a model has them: 2^-8 for four
    /// bits, less where an 8-bit value or a scale comes on top, and dmin as much larger than d as the mean of
    /// scale * q is larger than that of the minimum.
    fn exponents(self) -> &'static [u8] {
        match self {
            Format::F16 => &[0x28; 8],
            Format::Q4_0 => &[0x1c],
            Format::Q5_0 => &[0x18],
            Format::Q8_0 | Format::Iq4Nl | Format::Q3K => &[0x0c],
            Format::Q6K => &[0x04],
            Format::Q2K => &[0x14, 0x14],
            Format::Q4K => &[0x04, 0x10],
            Format::Q5K => &[0x04, 0x14],
        }
    }

    /// Bytes of half-precision numbers at the start of every block of a group.
    pub fn scale_bytes(self) -> usize {
        self.exponents().len() * 2 * GROUP_ROWS
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
            let (scales, rest) = block.split_at_mut(self.scale_bytes());
            for (scales, exponent) in scales
                .chunks_exact_mut(2 * GROUP_ROWS)
                .zip(self.exponents())
            {
                // Scales are positive, weights are not.
                let kept = if self == Format::F16 { 0x83 } else { 3 };
                for half in scales.chunks_exact_mut(2) {
                    half[1] = exponent | (half[1] & kept);
                }
            }
            if self == Format::Q8_0 {
                // ggml never writes -128, and the AVX2 product relies on it.
                for byte in rest {
                    *byte = if *byte == 0x80 { 0x81 } else { *byte };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_names_every_format() {
        assert_eq!(bench_protocol::MATRIX_FORMATS, Format::ALL.map(Format::id));
    }
}
