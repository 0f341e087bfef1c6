//! The storage types of ggml by their numbers in a file.

use std::fmt;

use crate::model::TensorFormat;

/// A storage type of a tensor as a GGUF file numbers it.
///
/// Wider than [`TensorFormat::ALL`], the types that the computed lists use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GgmlType {
    number: u32,
}

/// Number, name in lower case, elements of a block, bytes of a block.
///
/// Source: ggml, `include/ggml.h` (numbers) and `src/ggml-common.h` (blocks). The numbers that are missing belonged to types
/// that ggml has removed.
const TYPES: [(u32, &str, u64, u64); 35] = [
    (0, "f32", 1, 4),
    (1, "f16", 1, 2),
    (2, "q4_0", 32, 18),
    (3, "q4_1", 32, 20),
    (6, "q5_0", 32, 22),
    (7, "q5_1", 32, 24),
    (8, "q8_0", 32, 34),
    (9, "q8_1", 32, 40),
    (10, "q2_k", 256, 84),
    (11, "q3_k", 256, 110),
    (12, "q4_k", 256, 144),
    (13, "q5_k", 256, 176),
    (14, "q6_k", 256, 210),
    (15, "q8_k", 256, 292),
    (16, "iq2_xxs", 256, 66),
    (17, "iq2_xs", 256, 74),
    (18, "iq3_xxs", 256, 98),
    (19, "iq1_s", 256, 50),
    (20, "iq4_nl", 32, 18),
    (21, "iq3_s", 256, 110),
    (22, "iq2_s", 256, 82),
    (23, "iq4_xs", 256, 136),
    (24, "i8", 1, 1),
    (25, "i16", 1, 2),
    (26, "i32", 1, 4),
    (27, "i64", 1, 8),
    (28, "f64", 1, 8),
    (29, "iq1_m", 256, 56),
    (30, "bf16", 1, 2),
    (34, "tq1_0", 256, 54),
    (35, "tq2_0", 256, 66),
    (39, "mxfp4", 32, 17),
    (40, "nvfp4", 64, 36),
    (41, "q1_0", 128, 18),
    (42, "q2_0", 64, 18),
];

/// Numbers of types that ggml had and removed, and the type of today's files with the same weights.
///
/// Source: the comments of `enum ggml_type` in `include/ggml.h`.
const REMOVED: [(u32, &str, &str); 8] = [
    (4, "Q4_2", "Q4_0"),
    (5, "Q4_3", "Q4_1"),
    (31, "Q4_0_4_4", "Q4_0"),
    (32, "Q4_0_4_8", "Q4_0"),
    (33, "Q4_0_8_8", "Q4_0"),
    (36, "IQ4_NL_4_4", "IQ4_NL"),
    (37, "IQ4_NL_4_8", "IQ4_NL"),
    (38, "IQ4_NL_8_8", "IQ4_NL"),
];

/// Types of BitNet.cpp, whose numbers are others in ggml.
///
/// Source: `3rdparty/llama.cpp/ggml/include/ggml.h` of microsoft/BitNet.
const OF_BITNET: [(u32, &str); 4] = [(36, "I2_S"), (37, "I8_S"), (38, "TL1"), (39, "TL2")];

/// Numbers of the types that ik_llama.cpp adds.
const OF_IK_LLAMA: std::ops::RangeInclusive<u32> = 97..=399;

/// Names of some of them.
///
/// Source: `ggml/include/ggml.h` of ikawrakow/ik_llama.cpp.
const IK_LLAMA_NAMES: [(u32, &str); 26] = [
    (133, "Q6_0"),
    (134, "IQ1_BN"),
    (135, "IQ2_BN"),
    (137, "IQ2_K"),
    (138, "IQ3_K"),
    (139, "IQ4_K"),
    (140, "IQ5_K"),
    (141, "IQ6_K"),
    (144, "IQ4_KS"),
    (145, "IQ2_KS"),
    (146, "IQ4_KSS"),
    (152, "IQ5_KS"),
    (153, "IQ2_KT"),
    (154, "IQ3_KT"),
    (155, "IQ4_KT"),
    (156, "IQ3_KS"),
    (157, "IQ2_KL"),
    (158, "IQ1_KT"),
    (202, "Q4_0_R8"),
    (206, "Q5_0_R4"),
    (208, "Q8_0_R8"),
    (212, "Q4_K_R4"),
    (214, "Q6_K_R4"),
    (335, "IQ2_BN_R4"),
    (339, "IQ4_K_R4"),
    (399, "Q8_K_R8"),
];

impl GgmlType {
    /// The type of a number in a file.
    ///
    /// # Errors
    /// With what the number is and what to do, where ggml has no such type: it was removed, it is of another program, or
    /// the number is not known. `is_of_bitnet` tells that the architecture is that of BitNet.
    pub(super) fn in_file(number: u32, is_of_bitnet: bool) -> Result<GgmlType, String> {
        let of_bitnet = OF_BITNET.iter().find(|(known, _)| *known == number);
        if let Some((_, name)) = of_bitnet.filter(|_| is_of_bitnet) {
            return Err(format!(
                "number {number} is {name}, a type of BitNet.cpp, which llama.cpp cannot read; take a file in TQ2_0 or TQ1_0"
            ));
        }
        if let Some(known) = GgmlType::from_number(number) {
            return Ok(known);
        }
        if let Some((_, name, now)) = REMOVED.iter().find(|(known, ..)| *known == number) {
            let or = of_bitnet.map_or_else(String::new, |(_, name)| {
                format!(" (in files of BitNet.cpp {name})")
            });
            let repacked = match number {
                ..31 => "",
                _ => ", which llama.cpp repacks for the processor when it loads it",
            };
            return Err(format!(
                "number {number} is {name}{or}, a type that llama.cpp has removed; take the {now} file of the model{repacked}"
            ));
        }
        if OF_IK_LLAMA.contains(&number) {
            let name = IK_LLAMA_NAMES.iter().find(|(known, _)| *known == number);
            let name = name.map_or_else(String::new, |(_, name)| format!("{name}, "));
            return Err(format!(
                "number {number} is {name}a type of ik_llama.cpp, which llama.cpp does not have; take a file of the model in a type of llama.cpp"
            ));
        }
        Err(format!(
            "number {number} is unknown: the file is damaged, or its type is newer than this program"
        ))
    }

    /// The type of a number; `None` where ggml has none, or has it no more.
    pub fn from_number(number: u32) -> Option<GgmlType> {
        let mut types = TYPES.iter();
        let known = types.any(|(known, ..)| *known == number);
        known.then_some(GgmlType { number })
    }

    /// The type of a name in lower case; `None` where ggml has none of it.
    pub fn from_id(id: &str) -> Option<GgmlType> {
        let mut types = TYPES.iter();
        let known = types.find(|row| row.1 == id);
        known.map(|(number, ..)| GgmlType { number: *number })
    }

    /// Its number in a file.
    pub fn number(self) -> u32 {
        self.number
    }

    /// ggml's name in lower case, for instance `q4_k`.
    pub fn id(self) -> &'static str {
        self.row().1
    }

    /// Elements of one block.
    pub fn block_elements(self) -> u64 {
        self.row().2
    }

    /// Bytes of one block, scales included.
    pub fn block_bytes(self) -> u64 {
        self.row().3
    }

    /// The same format as one that the catalogue's tensor lists use; `None` where they never use it.
    pub fn tensor_format(self) -> Option<TensorFormat> {
        TensorFormat::ALL
            .into_iter()
            .find(|format| format.id() == self.id())
    }

    fn row(self) -> &'static (u32, &'static str, u64, u64) {
        let mut types = TYPES.iter();
        types
            .find(|(known, ..)| *known == self.number)
            .expect("only numbers of the table become types")
    }
}

impl fmt::Display for GgmlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_of_the_catalogue_is_a_type_with_the_same_blocks() {
        for format in TensorFormat::ALL {
            let (number, ..) = TYPES.iter().find(|row| row.1 == format.id()).unwrap();
            let ggml_type = GgmlType::from_number(*number).unwrap();
            assert_eq!(ggml_type.block_elements(), format.block_elements());
            assert_eq!(ggml_type.block_bytes(), format.block_bytes());
            assert_eq!(ggml_type.tensor_format(), Some(format));
        }
    }

    #[test]
    fn numbers_of_removed_and_future_types_are_unknown() {
        for number in [4, 5, 31, 33, 36, 38, 43, u32::MAX] {
            assert_eq!(GgmlType::from_number(number), None);
        }
    }
}
