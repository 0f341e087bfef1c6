//! Theoretical bandwidth from the firmware's table of memory devices.
//!
//! Refuses to fill gaps: one device without a width or a speed makes the whole sum unknown.

use std::collections::BTreeMap;

use bench_inventory::mt_per_s_to_gb_per_s;
use bench_protocol::{Facts, SmbiosMemoryDevice};

use super::{Theory, formula};
use bench_locales::{Message, message};
use bench_run_dir::format;

/// Sum over the populated channels of data width x configured speed (SMBIOS type 17, fields 0x0A and 0x20).
pub(super) fn theory(facts: &Facts) -> Option<Theory> {
    let mut channels: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let mut n_unnamed = 0;
    for (i, device) in facts.smbios_memory.iter().enumerate() {
        let (width, speed) = (device.data_width_bits?, device.configured_mt_per_s?);
        let key = channel_of(device).unwrap_or_else(|| {
            n_unnamed += 1;
            format!("\u{0}device {i}")
        });
        // Modules of one channel take turns on its wires, at the speed of the slower one.
        let channel = channels.entry(key).or_insert((width, speed));
        *channel = (channel.0.max(width), channel.1.min(speed));
    }
    let gb_per_s: f64 = channels
        .values()
        .map(|(width, speed)| mt_per_s_to_gb_per_s(f64::from(*speed), *width))
        .sum();
    if gb_per_s <= 0.0 {
        return None;
    }
    let bus_bits = (channels.values()).fold(0u32, |sum, (width, _)| sum.saturating_add(*width));
    let slowest = channels.values().map(|(_, speed)| *speed).min()?;
    let kind = facts
        .smbios_memory
        .first()
        .map(|device| format::foreign(&device.kind))
        .unwrap_or_default();
    let n_devices = facts.smbios_memory.len();
    Some(Theory {
        gb_per_s,
        kind: kind.clone(),
        formula: formula(&kind, f64::from(slowest), bus_bits),
        source: message!(
            "theory-smbios",
            devices = message!("devices", n = n_devices),
            channels = message!("channels", n = channels.len()),
        ),
        note: note(facts, n_unnamed),
    })
}

/// What the figure takes for granted.
fn note(facts: &Facts, n_unnamed: usize) -> Option<Message> {
    let by_hypervisor = (facts.hypervisor.as_ref())
        .map(|name| message!("theory-hypervisor", name = format::foreign(name)));
    // A single module is a channel, whatever its slot is called.
    let by_slots = (n_unnamed > 0 && facts.smbios_memory.len() > 1)
        .then(|| message!("theory-unnamed-slots", n = n_unnamed));
    Message::clauses(by_hypervisor.into_iter().chain(by_slots).collect())
}

/// The part of a locator that names the channel, when the text shows one: `P0 CHANNEL A`, `DIMM_A` of `DIMM_A1`.
fn channel_of(device: &SmbiosMemoryDevice) -> Option<String> {
    let texts = [device.bank.to_uppercase(), device.locator.to_uppercase()];
    let by_word = texts.iter().find_map(|text| {
        let end_of_word = text.find("CHANNEL")? + "CHANNEL".len();
        let rest = &text[end_of_word..];
        let name_start = rest.find(|c: char| c.is_ascii_alphanumeric())?;
        let name = &rest[name_start..];
        let name_len = name
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(name.len());
        Some(text[..end_of_word + name_start + name_len].to_owned())
    });
    by_word.or_else(|| {
        // `DIMM_A1`, `CPU0_DIMM_B2`: letter of the channel, number of the slot on it.
        let locator = &texts[1];
        let (head, slot) = locator.split_at_checked(locator.len().checked_sub(2)?)?;
        let mut chars = slot.chars();
        let shown = chars.next()?.is_ascii_uppercase() && chars.next()?.is_ascii_digit();
        (shown && head.contains("DIMM")).then(|| locator[..locator.len() - 1].to_owned())
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::limits::theory) fn device(bank: &str, locator: &str) -> SmbiosMemoryDevice {
        SmbiosMemoryDevice {
            bank: bank.into(),
            locator: locator.into(),
            kind: "DDR5".into(),
            data_width_bits: Some(64),
            configured_mt_per_s: Some(4800),
            ..SmbiosMemoryDevice::default()
        }
    }

    fn check_smbios(devices: &[SmbiosMemoryDevice], expect_gb_per_s: Option<f64>) {
        let facts = Facts {
            smbios_memory: devices.to_vec(),
            ..Facts::default()
        };
        assert_eq!(
            theory(&facts).map(|theory| theory.gb_per_s),
            expect_gb_per_s,
            "{devices:?}"
        );
    }

    #[test]
    fn modules_of_one_channel_count_once() {
        check_smbios(
            &[
                device("P0 CHANNEL A", "DIMM 0"),
                device("P0 CHANNEL B", "DIMM 0"),
            ],
            Some(76.8),
        );
        check_smbios(
            &[
                device("P0 CHANNEL A", "DIMM 0"),
                device("P0 CHANNEL A", "DIMM 1"),
            ],
            Some(38.4),
        );
        check_smbios(
            &[
                device("BANK 0", "Controller0-ChannelA-DIMM0"),
                device("BANK 1", "Controller0-ChannelA-DIMM1"),
            ],
            Some(38.4),
        );
        check_smbios(
            &[
                device("", "DIMM_A1"),
                device("", "DIMM_A2"),
                device("", "DIMM_B1"),
            ],
            Some(76.8),
        );
        check_smbios(&[device("", "DIMM 0"), device("", "DIMM 1")], Some(76.8));
    }

    fn check_note(devices: &[SmbiosMemoryDevice], expect: Option<&str>) {
        let facts = Facts {
            smbios_memory: devices.to_vec(),
            ..Facts::default()
        };
        let note = theory(&facts).unwrap().note;
        match expect {
            None => assert_eq!(note, None),
            Some(part) => assert!(
                note.as_ref()
                    .is_some_and(|it| it.to_string().contains(part)),
                "{note:?}"
            ),
        }
    }

    #[test]
    fn slots_without_a_channel_are_an_assumption_that_is_told() {
        let slots: Vec<_> = (0..4).map(|i| device("", &format!("DIMM {i}"))).collect();
        check_note(&slots, Some("each of the 4 modules"));
        check_note(&slots, Some("state `memory:` in the fleet file"));
        check_note(&slots[..1], None);
        check_note(
            &[device("P0 CHANNEL A", "DIMM 0"), device("", "DIMM 1")],
            Some("counts a module"),
        );
        check_note(&[device("", "DIMM_A1"), device("", "DIMM_B1")], None);
    }

    #[test]
    fn note_keeps_the_hypervisor_beside_the_slots() {
        let facts = Facts {
            smbios_memory: vec![device("", "DIMM 0"), device("", "DIMM 1")],
            hypervisor: Some("KVM".into()),
            ..Facts::default()
        };
        let note = theory(&facts).unwrap().note.unwrap().to_string();
        assert!(
            note.contains("KVM") && note.contains("each of the 2"),
            "{note}"
        );
    }

    #[test]
    fn widths_that_no_memory_has_do_not_break_the_sum() {
        let wide = SmbiosMemoryDevice {
            data_width_bits: Some(u32::MAX),
            ..device("", "DIMM 0")
        };
        let facts = Facts {
            smbios_memory: vec![wide.clone(), wide],
            ..Facts::default()
        };
        assert!(theory(&facts).unwrap().gb_per_s.is_finite());
    }

    #[test]
    fn device_without_speed_makes_the_sum_unknown() {
        let mut silent = device("", "DIMM 1");
        silent.configured_mt_per_s = None;
        check_smbios(&[device("", "DIMM 0"), silent], None);
        check_smbios(&[], None);
    }
}
