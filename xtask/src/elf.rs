//! What an ELF file needs of the machine that runs it.

use object::Endianness;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader};

/// What the headers of a 64-bit ELF file say.
#[derive(Debug, PartialEq, Eq)]
pub struct Elf {
    /// `e_machine`.
    pub machine: u16,
    /// Order of its bytes.
    pub is_little_endian: bool,
    /// Path of the loader that a dynamic program asks for.
    pub loader: Option<String>,
    /// Names of the shared libraries in its `DT_NEEDED` entries; none for a static program.
    pub needed: Vec<String>,
}

impl Elf {
    /// Reads the headers.
    ///
    /// # Errors
    /// When the bytes are not a whole 64-bit ELF file.
    pub fn read(bytes: &[u8]) -> object::read::Result<Elf> {
        let header = elf::FileHeader64::<Endianness>::parse(bytes)?;
        let endian = header.endian()?;
        let segments = header.program_headers(endian, bytes)?;
        let (mut loader, mut needed) = (None, Vec::new());
        for segment in segments {
            if let Some(path) = segment.interpreter(endian, bytes)? {
                loader = Some(String::from_utf8_lossy(path).into_owned());
            }
            let Some(entries) = segment.dynamic(endian, bytes)? else {
                continue;
            };
            let values = |tag: i64| {
                let tagged = entries.iter().filter(move |it| it.d_tag.get(endian) == tag);
                tagged.map(|entry| entry.d_val.get(endian))
            };
            let strings = values(elf::DT_STRTAB).next();
            let strings = strings.and_then(|at| loaded_at(segments, endian, bytes, at));
            let name = |offset| text_at(strings.unwrap_or_default(), offset).unwrap_or_default();
            needed.extend(values(elf::DT_NEEDED).map(name));
        }
        Ok(Elf {
            machine: header.e_machine(endian),
            is_little_endian: header.is_little_endian(),
            loader,
            needed,
        })
    }
}

/// What the file loads at an address, to the end of its segment.
fn loaded_at<'a>(
    segments: &[elf::ProgramHeader64<Endianness>],
    endian: Endianness,
    bytes: &'a [u8],
    address: u64,
) -> Option<&'a [u8]> {
    segments.iter().find_map(|segment| {
        let offset = address.checked_sub(segment.p_vaddr(endian))?;
        let is_within = offset < segment.p_memsz(endian);
        let data = segment.data(endian, bytes).ok().filter(|_| is_within)?;
        data.get(usize::try_from(offset).ok()?..)
    })
}

/// The text that ends with a zero byte.
fn text_at(strings: &[u8], offset: u64) -> Option<String> {
    let text = strings.get(usize::try_from(offset).ok()?..)?;
    let end = text.iter().position(|byte| *byte == 0)?;
    String::from_utf8(text[..end].to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_program_needs() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let elf = Elf::read(&own).unwrap();
        assert!(elf.loader.is_some(), "test binaries are dynamic");
        let is_libc = |name: &String| name.starts_with("libc.so");
        assert!(elf.needed.iter().any(is_libc), "{:?}", elf.needed);
        assert!(Elf::read(b"#!/bin/sh\n").is_err());
        assert!(Elf::read(&own[..40]).is_err());
    }
}
