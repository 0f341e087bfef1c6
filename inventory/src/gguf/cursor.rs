//! Reading little-endian fields from a stream, with the place of each for messages.

use std::io::{ErrorKind, Read};

use super::{GgufError, MAX_HEADER_BYTES};

/// Bytes that are taken at once, whatever a length promises. Small, since most strings that are passed over are tokens.
const CHUNK_BYTES: usize = 512;

pub(super) struct Cursor<R> {
    input: R,
    /// Bytes read so far.
    offset: u64,
}

impl<R: Read> Cursor<R> {
    pub(super) fn new(input: R) -> Cursor<R> {
        Cursor { input, offset: 0 }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn u32(&mut self, field: &str) -> Result<u32, GgufError> {
        self.array(field).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, field: &str) -> Result<u64, GgufError> {
        self.array(field).map(u64::from_le_bytes)
    }

    pub(super) fn array<const N: usize>(&mut self, field: &str) -> Result<[u8; N], GgufError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes, field)?;
        Ok(bytes)
    }

    /// A count or length of 8 bytes that must not exceed `max`.
    pub(super) fn count(&mut self, field: &str, max: u64) -> Result<u64, GgufError> {
        let offset = self.offset;
        let count = self.u64(field)?;
        match count <= max {
            true => Ok(count),
            false => Err(too_large(offset, field, count, max)),
        }
    }

    /// A string of at most `max` bytes, which must be UTF-8 without control characters.
    pub(super) fn name(&mut self, field: &str, max: u64) -> Result<String, GgufError> {
        let offset = self.offset;
        let n_bytes = self.count(&format!("length of the {field}"), max)?;
        let bytes = self.bytes(n_bytes, field)?;
        match String::from_utf8(bytes) {
            Ok(name) if name.is_empty() => Err(GgufError::at(offset, field, "is empty")),
            Ok(name) if name.chars().any(char::is_control) => Err(GgufError::at(
                offset,
                field,
                "holds control characters; the file is damaged",
            )),
            Ok(name) => Ok(name),
            Err(_) => Err(GgufError::at(
                offset,
                field,
                "is no UTF-8; the file is damaged",
            )),
        }
    }

    /// So many bytes, read piece by piece: a file that ends early never costs what it promised.
    pub(super) fn bytes(&mut self, n_bytes: u64, field: &str) -> Result<Vec<u8>, GgufError> {
        let mut bytes = Vec::new();
        let mut chunk = [0; CHUNK_BYTES];
        let mut left = n_bytes;
        while left > 0 {
            let n = left.min(CHUNK_BYTES as u64) as usize;
            self.fill(&mut chunk[..n], field)?;
            bytes.extend_from_slice(&chunk[..n]);
            left -= n as u64;
        }
        Ok(bytes)
    }

    /// Passes over so many bytes.
    pub(super) fn skip(&mut self, n_bytes: u64, field: &str) -> Result<(), GgufError> {
        let mut chunk = [0; CHUNK_BYTES];
        let mut left = n_bytes;
        while left > 0 {
            let n = left.min(CHUNK_BYTES as u64) as usize;
            self.fill(&mut chunk[..n], field)?;
            left -= n as u64;
        }
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8], field: &str) -> Result<(), GgufError> {
        let offset = self.offset;
        // Both stay far below 2^64: the limit is checked before the offset grows.
        let end = offset + bytes.len() as u64;
        if end > MAX_HEADER_BYTES {
            let problem = format!(
                "the header goes on beyond {MAX_HEADER_BYTES} bytes, more than that of any model; the file is damaged"
            );
            return Err(GgufError::at(offset, field, problem));
        }
        self.input
            .read_exact(bytes)
            .map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => GgufError::at(
                    offset,
                    field,
                    "the file ends inside the header; fetch it again",
                ),
                _ => GgufError::at(offset, field, format!("cannot be read: {error}")),
            })?;
        self.offset = end;
        Ok(())
    }
}

pub(super) fn too_large(offset: u64, field: &str, found: u64, max: u64) -> GgufError {
    let problem = format!("{found} is more than {max}, the most accepted; the file is damaged");
    GgufError::at(offset, field, problem)
}
