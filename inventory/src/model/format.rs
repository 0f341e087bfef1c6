//! Quantisations of whole files and storage formats of single tensors.

use std::str::FromStr;

use crate::gguf::GgmlType;
use crate::suggest::suggest;

/// A quantisation of a whole model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quant {
    /// Half precision.
    F16,
    /// 8.5 bits per weight.
    Q8_0,
    /// 6.5625 bits per weight.
    Q6K,
    /// Mixed Q5_K and Q6_K.
    Q5KM,
    /// Mixed Q4_K and Q6_K.
    Q4KM,
    /// Q4_K with a few tensors in Q5_K.
    Q4KS,
    /// 4.5 bits per weight in blocks of 32; the output matrix has 6.56.
    Q4_0,
    /// 4.5 bits per weight in blocks of 32 with unevenly spaced values.
    Iq4Nl,
    /// Mixed Q3_K, Q4_K and Q5_K.
    Q3KM,
    /// Q3_K but for the output matrix.
    Q3KS,
    /// Mixed Q2_K, Q3_K and Q4_K.
    Q2K,
}

impl Quant {
    /// Every quantisation whose tensor list is known, largest first.
    pub const ALL: [Quant; 11] = [
        Quant::F16,
        Quant::Q8_0,
        Quant::Q6K,
        Quant::Q5KM,
        Quant::Q4KM,
        Quant::Q4KS,
        Quant::Q4_0,
        Quant::Iq4Nl,
        Quant::Q3KM,
        Quant::Q3KS,
        Quant::Q2K,
    ];

    /// Those that people usually choose between, largest first: what tables show.
    pub const USUAL: [Quant; 6] = [
        Quant::F16,
        Quant::Q8_0,
        Quant::Q5KM,
        Quant::Q4KM,
        Quant::Q4_0,
        Quant::Q3KM,
    ];

    /// Stable id: the usual name in lower case, for instance `q4_k_m`.
    pub fn id(self) -> &'static str {
        match self {
            Quant::F16 => "f16",
            Quant::Q8_0 => "q8_0",
            Quant::Q6K => "q6_k",
            Quant::Q5KM => "q5_k_m",
            Quant::Q4KM => "q4_k_m",
            Quant::Q4KS => "q4_k_s",
            Quant::Q4_0 => "q4_0",
            Quant::Iq4Nl => "iq4_nl",
            Quant::Q3KM => "q3_k_m",
            Quant::Q3KS => "q3_k_s",
            Quant::Q2K => "q2_k",
        }
    }

    /// The quantisation of a stable id.
    ///
    /// # Errors
    /// When no quantisation has this id; the error names the nearest one and all choices.
    pub fn from_id(id: &str) -> Result<Quant, UnknownId> {
        Quant::ALL
            .into_iter()
            .find(|quant| quant.id() == id)
            .ok_or_else(|| UnknownId::new("quantisation", id, Quant::ALL.map(Quant::id).to_vec()))
    }
}

impl FromStr for Quant {
    type Err = UnknownId;

    fn from_str(id: &str) -> Result<Quant, UnknownId> {
        Quant::from_id(id)
    }
}

/// Storage format of the keys and values of past tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KvFormat {
    /// 2 bytes an element.
    F16,
    /// 34 bytes for 32 elements.
    Q8_0,
    /// 18 bytes for 32 elements.
    Q4_0,
}

impl KvFormat {
    /// Every format of the cache, largest first.
    pub const ALL: [KvFormat; 3] = [KvFormat::F16, KvFormat::Q8_0, KvFormat::Q4_0];

    /// Stable id: `f16`, `q8_0`, `q4_0`.
    pub fn id(self) -> &'static str {
        self.tensor_format().id()
    }

    /// The same format as one of a tensor.
    pub fn tensor_format(self) -> TensorFormat {
        match self {
            KvFormat::F16 => TensorFormat::F16,
            KvFormat::Q8_0 => TensorFormat::Q8_0,
            KvFormat::Q4_0 => TensorFormat::Q4_0,
        }
    }
}

impl FromStr for KvFormat {
    type Err = UnknownId;

    fn from_str(id: &str) -> Result<KvFormat, UnknownId> {
        KvFormat::ALL
            .into_iter()
            .find(|format| format.id() == id)
            .ok_or_else(|| {
                UnknownId::new("KV format", id, KvFormat::ALL.map(KvFormat::id).to_vec())
            })
    }
}

/// An id that nothing has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{given}`{}; choices: {}", did_you_mean(*nearest), choices.join(", "))]
pub struct UnknownId {
    /// What was asked for, for instance `quantisation`.
    pub what: &'static str,
    /// The id that was given.
    pub given: String,
    /// The nearest id there is.
    pub nearest: Option<&'static str>,
    /// All ids there are.
    pub choices: Vec<&'static str>,
}

impl UnknownId {
    fn new(what: &'static str, given: &str, choices: Vec<&'static str>) -> UnknownId {
        UnknownId {
            what,
            given: given.to_owned(),
            nearest: suggest(given, choices.iter().copied()),
            choices,
        }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |id| format!(", did you mean `{id}`?"))
}

/// Storage format of one tensor.
///
/// Source of the block layouts: ggml, `ggml-common.h`; a row is a whole number of blocks, without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TensorFormat {
    /// 4 bytes an element.
    F32,
    /// 2 bytes an element.
    F16,
    /// 34 bytes for 32 elements.
    Q8_0,
    /// 18 bytes for 32 elements.
    Q4_0,
    /// 22 bytes for 32 elements.
    Q5_0,
    /// 24 bytes for 32 elements.
    Q5_1,
    /// 18 bytes for 32 elements.
    Iq4Nl,
    /// 84 bytes for 256 elements.
    Q2K,
    /// 110 bytes for 256 elements.
    Q3K,
    /// 144 bytes for 256 elements.
    Q4K,
    /// 176 bytes for 256 elements.
    Q5K,
    /// 210 bytes for 256 elements.
    Q6K,
    /// Any other type of ggml: files have it, the computed lists and the kernels do not.
    Other(GgmlType),
}

impl TensorFormat {
    /// Every format of the computed lists, in the order of ggml's own numbering of types.
    pub const ALL: [TensorFormat; 12] = [
        TensorFormat::F32,
        TensorFormat::F16,
        TensorFormat::Q4_0,
        TensorFormat::Q5_0,
        TensorFormat::Q5_1,
        TensorFormat::Q8_0,
        TensorFormat::Q2K,
        TensorFormat::Q3K,
        TensorFormat::Q4K,
        TensorFormat::Q5K,
        TensorFormat::Q6K,
        TensorFormat::Iq4Nl,
    ];

    /// Stable id: ggml's name in lower case, for instance `q4_k`.
    pub fn id(self) -> &'static str {
        match self {
            TensorFormat::F32 => "f32",
            TensorFormat::F16 => "f16",
            TensorFormat::Q8_0 => "q8_0",
            TensorFormat::Q4_0 => "q4_0",
            TensorFormat::Q5_0 => "q5_0",
            TensorFormat::Q5_1 => "q5_1",
            TensorFormat::Iq4Nl => "iq4_nl",
            TensorFormat::Q2K => "q2_k",
            TensorFormat::Q3K => "q3_k",
            TensorFormat::Q4K => "q4_k",
            TensorFormat::Q5K => "q5_k",
            TensorFormat::Q6K => "q6_k",
            TensorFormat::Other(ggml_type) => ggml_type.id(),
        }
    }

    /// The format of a stable id, those beyond [`TensorFormat::ALL`] included; `None` where ggml has no such type.
    pub fn from_id(id: &str) -> Option<TensorFormat> {
        GgmlType::from_id(id).map(TensorFormat::from)
    }

    /// Elements of one block.
    pub fn block_elements(self) -> u64 {
        match self {
            TensorFormat::F32 | TensorFormat::F16 => 1,
            TensorFormat::Q8_0
            | TensorFormat::Q4_0
            | TensorFormat::Q5_0
            | TensorFormat::Q5_1
            | TensorFormat::Iq4Nl => 32,
            TensorFormat::Q2K
            | TensorFormat::Q3K
            | TensorFormat::Q4K
            | TensorFormat::Q5K
            | TensorFormat::Q6K => 256,
            TensorFormat::Other(ggml_type) => ggml_type.block_elements(),
        }
    }

    /// Bytes of one block, scales included.
    pub fn block_bytes(self) -> u64 {
        match self {
            TensorFormat::F32 => 4,
            TensorFormat::F16 => 2,
            TensorFormat::Q8_0 => 34,
            TensorFormat::Q4_0 | TensorFormat::Iq4Nl => 18,
            TensorFormat::Q5_0 => 22,
            TensorFormat::Q5_1 => 24,
            TensorFormat::Q2K => 84,
            TensorFormat::Q3K => 110,
            TensorFormat::Q4K => 144,
            TensorFormat::Q5K => 176,
            TensorFormat::Q6K => 210,
            TensorFormat::Other(ggml_type) => ggml_type.block_bytes(),
        }
    }

    /// Bytes of one row; a last block that is not full counts whole. The largest number where they are beyond that.
    pub fn row_bytes(self, cols: u64) -> u64 {
        let n_blocks = cols.div_ceil(self.block_elements());
        n_blocks.saturating_mul(self.block_bytes())
    }
}

impl From<GgmlType> for TensorFormat {
    fn from(ggml_type: GgmlType) -> TensorFormat {
        let known = ggml_type.tensor_format();
        known.unwrap_or(TensorFormat::Other(ggml_type))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_found_again() {
        for quant in Quant::ALL {
            assert_eq!(Quant::from_id(quant.id()), Ok(quant));
        }
        for format in KvFormat::ALL {
            assert_eq!(format.id().parse(), Ok(format));
        }
    }

    #[test]
    fn an_unknown_id_names_the_nearest_and_all_choices() {
        assert_eq!(
            Quant::from_id("q4_K_M").unwrap_err().to_string(),
            "unknown quantisation `q4_K_M`, did you mean `q4_k_m`?; choices: f16, q8_0, q6_k, q5_k_m, q4_k_m, q4_k_s, q4_0, iq4_nl, q3_k_m, q3_k_s, q2_k"
        );
        assert_eq!(
            "bfloat".parse::<KvFormat>().unwrap_err().to_string(),
            "unknown KV format `bfloat`; choices: f16, q8_0, q4_0"
        );
    }

    #[test]
    fn rows_are_whole_blocks() {
        assert_eq!(TensorFormat::Q4_0.row_bytes(1536), 864);
        assert_eq!(TensorFormat::Q6K.row_bytes(256), 210);
        assert_eq!(TensorFormat::Q8_0.row_bytes(33), 68);
        assert_eq!(TensorFormat::F32.row_bytes(3), 12);
    }
}
