//! Populated memory devices from the SMBIOS table (structure type 17, DSP0134 section 7.18).

use std::fs;

use bench_protocol::SmbiosMemoryDevice;

const TABLE: &str = "/sys/firmware/dmi/tables/DMI";

/// Structure type of a memory device.
const MEMORY_DEVICE: u8 = 17;

/// Structure type that ends the table.
const END_OF_TABLE: u8 = 127;

/// All populated devices.
///
/// # Errors
/// A sentence that says why there are none: no table, no permission, or no populated device in it.
pub fn memory_devices() -> Result<Vec<SmbiosMemoryDevice>, String> {
    let table = fs::read(TABLE).map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => format!("`{TABLE}` is readable by root only"),
        std::io::ErrorKind::NotFound => "this machine has no SMBIOS table".to_string(),
        _ => format!("cannot read `{TABLE}`: {error}"),
    })?;
    let devices = parse(&table);
    match devices.is_empty() {
        true => Err("the SMBIOS table lists no populated memory device".to_string()),
        false => Ok(devices),
    }
}

fn parse(table: &[u8]) -> Vec<SmbiosMemoryDevice> {
    let mut devices = Vec::new();
    let mut rest = table;
    while let Some((structure, strings, next)) = split_structure(rest) {
        match structure[0] {
            MEMORY_DEVICE => devices.extend(device(structure, &strings)),
            END_OF_TABLE => break,
            _ => {}
        }
        rest = next;
    }
    devices
}

/// The formatted part, its strings, and what follows; `None` at the end or where the table is cut short.
fn split_structure(table: &[u8]) -> Option<(&[u8], Vec<String>, &[u8])> {
    let length = usize::from(*table.get(1)?);
    if length < 4 || length > table.len() {
        return None;
    }
    let (structure, tail) = table.split_at(length);
    let end = tail.windows(2).position(|pair| pair == [0, 0])?;
    let strings = tail[..end]
        .split(|&byte| byte == 0)
        .map(|text| String::from_utf8_lossy(text).trim().to_string());
    Some((structure, strings.collect(), &tail[end + 2..]))
}

fn device(structure: &[u8], strings: &[String]) -> Option<SmbiosMemoryDevice> {
    let word = |at: usize| {
        Some(u16::from_le_bytes([
            *structure.get(at)?,
            *structure.get(at + 1)?,
        ]))
    };
    let double = |at: usize| Some(u32::from(word(at)?) | u32::from(word(at + 2)?) << 16);
    let text = |at: usize| {
        let number = usize::from(*structure.get(at)?);
        strings.get(number.checked_sub(1)?).cloned()
    };
    // 0 and 0xffff mean unknown throughout; 0xffff in a speed means that the extended field counts.
    let known = |value: Option<u16>| {
        value
            .filter(|value| *value != 0 && *value != 0xffff)
            .map(u32::from)
    };
    let speed = |at: usize, extended_at: usize| match word(at)? {
        0xffff => double(extended_at).map(|speed| speed & 0x7fff_ffff),
        _ => known(word(at)),
    };
    let size_bytes = match word(0x0c)? {
        0 | 0xffff => return None,
        0x7fff => u64::from(double(0x1c)? & 0x7fff_ffff) << 20,
        size if size & 0x8000 != 0 => u64::from(size & 0x7fff) << 10,
        size => u64::from(size) << 20,
    };
    Some(SmbiosMemoryDevice {
        locator: text(0x10).unwrap_or_default(),
        bank: text(0x11).unwrap_or_default(),
        kind: kind_name(*structure.get(0x12)?).to_string(),
        size_bytes,
        data_width_bits: known(word(0x0a)),
        configured_mt_per_s: speed(0x20, 0x58),
        rated_mt_per_s: speed(0x15, 0x54),
    })
}

fn kind_name(value: u8) -> &'static str {
    match value {
        0x18 => "DDR3",
        0x1a => "DDR4",
        0x1b => "LPDDR",
        0x1c => "LPDDR2",
        0x1d => "LPDDR3",
        0x1e => "LPDDR4",
        0x22 => "DDR5",
        0x23 => "LPDDR5",
        0x07 => "RAM",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A type 17 structure of SMBIOS 3.3 with its two strings.
    fn dimm(size_mib: u16, width: u16, speed: u16, configured: u16) -> Vec<u8> {
        let mut bytes = vec![0u8; 0x5c];
        bytes[0] = MEMORY_DEVICE;
        bytes[1] = 0x5c;
        bytes[0x0a..0x0c].copy_from_slice(&width.to_le_bytes());
        bytes[0x0c..0x0e].copy_from_slice(&size_mib.to_le_bytes());
        bytes[0x10] = 1;
        bytes[0x11] = 2;
        bytes[0x12] = 0x22;
        bytes[0x15..0x17].copy_from_slice(&speed.to_le_bytes());
        bytes[0x20..0x22].copy_from_slice(&configured.to_le_bytes());
        bytes.extend_from_slice(b"DIMM_A1\0P0 CHANNEL A\0\0");
        bytes
    }

    #[test]
    fn reads_populated_devices_only() {
        let table = [
            dimm(16384, 64, 5600, 4800),
            dimm(0, 64, 0, 0),
            vec![127, 4, 0, 0, 0, 0],
        ]
        .concat();
        let devices = parse(&table);
        assert_eq!(devices.len(), 1);
        assert_eq!(devices[0].locator, "DIMM_A1");
        assert_eq!(devices[0].bank, "P0 CHANNEL A");
        assert_eq!(devices[0].kind, "DDR5");
        assert_eq!(devices[0].size_bytes, 16 << 30);
        assert_eq!(devices[0].configured_mt_per_s, Some(4800));
        assert_eq!(devices[0].rated_mt_per_s, Some(5600));
    }

    #[test]
    fn survives_a_table_cut_anywhere() {
        let table = [dimm(16384, 64, 5600, 4800), vec![127, 4, 0, 0, 0, 0]].concat();
        for len in 0..table.len() {
            parse(&table[..len]);
        }
        parse(&[0xff; 300]);
    }
}
