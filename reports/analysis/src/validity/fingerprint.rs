//! What a board is apart from what it does at the moment: two runs with the same epoch may be compared.

use std::collections::BTreeMap;

use bench_locales::{Figure, Message, Text, message};
use bench_protocol::Facts;
use sha2::{Digest, Sha256};

/// Characters of an epoch's name: enough to tell the states of one board apart.
const NAME_CHARS: usize = 12;

/// The facts that a measurement depends on and that stay as they are until somebody changes the board, by name.
pub fn of(facts: &Facts) -> BTreeMap<&'static str, String> {
    // English figures: the names of states are made from them.
    let figure = |figure: Figure| Text::english().figure(figure);
    let clock = |hz: u64| figure(Figure::ClockHz(hz));
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let bytes =
        |value: Option<u64>| value.map_or_else(String::new, |it| figure(Figure::BinaryBytes(it)));
    let cpus = facts.cpus.iter().map(|cpu| {
        let clock = cpu
            .max_khz
            .map(|khz| format!(" {}", clock(khz.saturating_mul(1000))));
        format!("{}{}", cpu.cpu, clock.unwrap_or_default())
    });
    let mut governors: Vec<&str> = facts
        .cpus
        .iter()
        .filter_map(|cpu| cpu.governor.as_deref())
        .collect();
    governors.sort_unstable();
    governors.dedup();
    let dram = facts.dram_clock.as_ref();
    let mounts = facts
        .mounts
        .iter()
        .map(|mount| format!("{} {}", mount.path, mount.kind));
    let all = [
        ("board, by its firmware", text(&facts.device_tree_model)),
        ("processor", text(&facts.cpu_model)),
        (
            "CPUs and their highest clocks",
            cpus.collect::<Vec<_>>().join(", "),
        ),
        ("CPU governors", governors.join(", ")),
        ("instruction sets", facts.cpu_features.join(", ")),
        ("operating system", text(&facts.os)),
        ("Linux", text(&facts.kernel_release)),
        ("firmware", text(&facts.firmware)),
        ("virtual machine", text(&facts.hypervisor)),
        ("power mode", text(&facts.power_mode)),
        ("RAM", bytes(facts.memory.total_bytes)),
        ("swap", bytes(facts.memory.swap_total_bytes)),
        (
            "highest DRAM clock",
            dram.and_then(|clock| clock.max_hz)
                .map(clock)
                .unwrap_or_default(),
        ),
        (
            "DRAM governor",
            dram.and_then(|clock| clock.governor.clone())
                .unwrap_or_default(),
        ),
        (
            "transparent huge pages",
            text(&facts.transparent_huge_pages),
        ),
        ("file systems", mounts.collect::<Vec<_>>().join(", ")),
    ];
    all.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// A name of [`of`] for people.
pub fn message(name: &str) -> Message {
    match name {
        "board, by its firmware" => message!("fact-firmware-board"),
        "processor" => message!("fact-processor"),
        "CPUs and their highest clocks" => message!("fact-cpu-clocks"),
        "CPU governors" => message!("fact-governors"),
        "instruction sets" => message!("fact-instruction-sets"),
        "operating system" => message!("fact-os"),
        "firmware" => message!("fact-firmware"),
        "virtual machine" => message!("fact-virtual-machine"),
        "power mode" => message!("fact-power-mode"),
        "highest DRAM clock" => message!("fact-highest-dram-clock"),
        "DRAM governor" => message!("fact-dram-governor"),
        "transparent huge pages" => message!("fact-huge-pages"),
        "file systems" => message!("fact-file-systems"),
        other => Message::quoted(other),
    }
}

/// Names the state of a board: the first characters of the SHA-256 of [`of`].
pub fn name(facts: &Facts) -> String {
    let mut hash = Sha256::new();
    for (key, value) in of(facts) {
        // Lengths keep neighbours apart.
        hash.update(format!("{key}={}:{value}\n", value.len()));
    }
    let mut name = base16ct::lower::encode_string(&hash.finalize());
    name.truncate(NAME_CHARS);
    name
}

/// What differs between two states: name, before, now. A value that one of them does not have is empty.
pub fn changes(before: &Facts, now: &Facts) -> Vec<(&'static str, String, String)> {
    let (before, now) = (of(before), of(now));
    let mut names: Vec<&'static str> = before.keys().chain(now.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    let value =
        |of: &BTreeMap<&'static str, String>, name| of.get(name).cloned().unwrap_or_default();
    let pairs = names
        .into_iter()
        .map(|name| (name, value(&before, name), value(&now, name)));
    pairs.filter(|(_, before, now)| before != now).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_changes_with_the_board_and_not_with_its_load() {
        let facts = Facts {
            kernel_release: Some("5.10".into()),
            load_1min: Some(0.1),
            ..Facts::default()
        };
        let busy = Facts {
            load_1min: Some(3.0),
            temperature_millicelsius: Some(80_000),
            ..facts.clone()
        };
        assert_eq!(
            (name(&facts), changes(&facts, &busy)),
            (name(&busy), vec![])
        );
        let updated = Facts {
            kernel_release: Some("6.1".into()),
            power_mode: Some("MAXN".into()),
            ..facts.clone()
        };
        assert_ne!(name(&facts), name(&updated));
        let expect = [("Linux", "5.10", "6.1"), ("power mode", "", "MAXN")];
        let expect = expect.map(|(name, before, now)| (name, before.to_string(), now.to_string()));
        assert_eq!(changes(&facts, &updated), expect);
    }
}
