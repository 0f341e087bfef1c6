//! GGUF files: the exact tensor list of a real model file, from its header alone.
//!
//! Owns the format's versions 2 and 3, split files and the limits on what a header may hold. Weights are never read,
//! and what tells nothing about memory, such as a tokenizer's vocabulary, is passed over without being stored.
//!
//! A header comes from anywhere, so every count and length in it is a claim: it is held against a limit first, and
//! memory grows with the bytes that were read, never with what they promise.
//!
//! Source: the specification of the format, `docs/gguf.md` of the ggml project, and its reader, `src/gguf.cpp`.

mod arch;
mod compare;
mod cursor;
mod file;
mod ggml_type;
mod header;
mod read;
mod weights;

pub use arch::{Expressed, GgufArch};
pub use compare::{Comparison, FormatDifference, compare};
pub use file::{GgufModel, GgufPart, GgufTensor};
pub use ggml_type::GgmlType;
pub use header::{GgufHeader, TensorInfo, Value};

use std::path::PathBuf;

/// Bytes of one header. The largest vocabularies (256 Ki tokens with their merges) make 10 to 30 MB.
pub const MAX_HEADER_BYTES: u64 = 128 << 20;
/// Tensors of all parts of one model. Models with hundreds of experts, each in tensors of its own, have some 50 000.
pub const MAX_TENSORS: u64 = 1 << 16;
/// Metadata entries of one file. Real files have 10 to 60.
pub const MAX_ENTRIES: u64 = 4096;
/// Bytes of a key. The format allows 65535; real keys are shorter than 64, and all keys are stored.
pub const MAX_KEY_BYTES: u64 = 1024;
/// Bytes of a tensor's name, by the format.
pub const MAX_TENSOR_NAME_BYTES: u64 = 64;
/// Bytes of one string. A tokenizer's whole JSON file may be one; it is not stored.
pub const MAX_STRING_BYTES: u64 = 64 << 20;
/// Bytes of a string that is stored. Names and addresses are shorter; chat templates are longer, and nobody asks.
pub const MAX_STORED_STRING_BYTES: u64 = 1024;
/// Elements of one array: as many as the catalogue allows tokens in a vocabulary.
pub const MAX_ARRAY_ELEMENTS: u64 = 1 << 24;
/// Integers of an array that are stored: one for each layer is what anybody asks for.
pub const MAX_STORED_INTEGERS: u64 = 1024;
/// Arrays in arrays. Real files have none; the format sets no limit, but each level is a level of recursion.
pub const MAX_ARRAY_DEPTH: u32 = 4;
/// Dimensions of a tensor, by the format.
pub const MAX_DIMS: u32 = 4;
/// Largest alignment of tensor data, bytes. 32 is usual, and nothing is gained beyond a page.
pub const MAX_ALIGNMENT: u64 = 1 << 20;
/// Parts of a split model. Real ones have up to some hundred.
pub const MAX_PARTS: u64 = 1024;

/// Why a file cannot be read as GGUF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{field}: {problem}", in_file(path.as_ref()), at_byte(*offset))]
pub struct GgufError {
    /// The file, where there is one.
    pub path: Option<PathBuf>,
    /// Where in the file the field begins, bytes; `None` where the problem is of the file as a whole.
    pub offset: Option<u64>,
    /// What was read, for instance `number of tensors`.
    pub field: String,
    /// What is wrong with it and what to do.
    pub problem: String,
}

impl GgufError {
    pub(crate) fn at(
        offset: u64,
        field: impl Into<String>,
        problem: impl Into<String>,
    ) -> GgufError {
        GgufError {
            path: None,
            offset: Some(offset),
            field: field.into(),
            problem: problem.into(),
        }
    }

    pub(crate) fn whole(field: impl Into<String>, problem: impl Into<String>) -> GgufError {
        GgufError {
            path: None,
            offset: None,
            field: field.into(),
            problem: problem.into(),
        }
    }

    pub(crate) fn in_file(self, path: impl Into<PathBuf>) -> GgufError {
        GgufError {
            path: Some(path.into()),
            ..self
        }
    }
}

fn in_file(path: Option<&PathBuf>) -> String {
    path.map_or_else(String::new, |path| format!("`{}`: ", path.display()))
}

fn at_byte(offset: Option<u64>) -> String {
    offset.map_or_else(String::new, |offset| format!("byte {offset}: "))
}
