//! Headers of GGUF files, made field by field.

use bench_inventory::gguf::{GgufError, GgufHeader};

/// A header under construction.
#[derive(Clone)]
pub struct Header(pub Vec<u8>);

impl Header {
    pub fn new(n_tensors: u64, n_entries: u64) -> Header {
        Header(b"GGUF".to_vec())
            .u32(3)
            .u64(n_tensors)
            .u64(n_entries)
    }

    pub fn u32(mut self, value: u32) -> Header {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn u64(mut self, value: u64) -> Header {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn text(mut self, text: &str) -> Header {
        self = self.u64(text.len() as u64);
        self.0.extend(text.as_bytes());
        self
    }

    pub fn tensor(self, name: &str, dims: &[u64], number: u32, offset: u64) -> Header {
        let described = self.text(name).u32(dims.len() as u32);
        let described = dims.iter().fold(described, |header, dim| header.u64(*dim));
        described.u32(number).u64(offset)
    }

    pub fn read(&self) -> Result<GgufHeader, GgufError> {
        GgufHeader::read(self.0.as_slice())
    }
}
