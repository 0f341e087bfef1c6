//! What a host told about itself, as it told it.

use bench_locales::Figure::{BinaryBytes, ClockHz, Integer, Number, Seconds};
use bench_locales::{Arg, Text, message, say};
use bench_protocol::{CacheFacts, Facts, SmbiosMemoryDevice, VariantFacts};
use serde::Serialize;

use crate::pages::{Page, figure_or_empty, value};
use bench_analysis::validity::status;
use bench_run_dir::{Stage, format};

/// Parts of one fact that are shown: a host of many cores has hundreds of caches.
const MAX_PARTS: usize = 20;

#[derive(Serialize)]
struct View {
    items: Vec<(String, String)>,
    stages: Vec<(String, String)>,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, data) = (page.text, &page.host()?.data);
    let mut items = Vec::new();
    if let Some(facts) = &data.facts {
        items.extend(machine(text, facts));
        items.extend(memory(text, facts));
    }
    if let Some(hello) = &data.hello {
        let program = format::foreign_short(&hello.program, 60);
        let protocol = hello.protocol.to_string();
        items.push((
            say!(text, "facts-program"),
            say!(
                text,
                "facts-program-protocol",
                program = program,
                protocol = protocol
            ),
        ));
    }
    items.extend(
        (data.record.artifact_sha256.iter())
            .map(|hash| (say!(text, "facts-program-sha256"), quoted(hash))),
    );
    items.retain(|(_, fact)| !fact.is_empty());
    value(View {
        items,
        stages: (data.record.stage_s.iter())
            .map(|(name, s)| (stage(text, name), text.figure(Seconds(*s))))
            .collect(),
    })
}

fn stage(text: &Text, name: &str) -> String {
    let known = Stage::ALL.into_iter().find(|stage| stage.name() == name);
    known.map_or_else(
        || format::foreign_short(name, 30),
        |stage| text.say(&status::of_stage(stage)),
    )
}

/// What the host said itself stays as it is in every language.
fn quoted(fact: &str) -> String {
    match fact.is_empty() {
        true => String::new(),
        false => format::foreign_short(fact, 600),
    }
}

fn quoted_some(fact: &Option<String>) -> String {
    quoted(fact.as_deref().unwrap_or_default())
}

fn machine(text: &Text, facts: &Facts) -> Vec<(String, String)> {
    let features = facts.cpu_features.join(", ");
    let mounts: Vec<String> = (facts.mounts.iter())
        .map(|mount| format!("{} ({})", mount.path, mount.kind))
        .collect();
    vec![
        (say!(text, "facts-host-name"), quoted_some(&facts.hostname)),
        (
            say!(text, "facts-board"),
            quoted_some(&facts.device_tree_model),
        ),
        (say!(text, "facts-processor"), quoted_some(&facts.cpu_model)),
        (say!(text, "facts-architecture"), quoted(&facts.arch)),
        (say!(text, "facts-cpus"), cpus(text, facts)),
        (say!(text, "facts-caches"), caches(text, facts)),
        (say!(text, "facts-instruction-sets"), quoted(&features)),
        (say!(text, "facts-variants"), variants(text, facts)),
        (say!(text, "facts-os"), quoted_some(&facts.os)),
        (
            say!(text, "facts-linux"),
            quoted_some(&facts.kernel_release),
        ),
        (
            say!(text, "facts-virtual-machine"),
            quoted_some(&facts.hypervisor),
        ),
        (say!(text, "facts-firmware"), quoted_some(&facts.firmware)),
        (
            say!(text, "facts-power-mode"),
            quoted_some(&facts.power_mode),
        ),
        (say!(text, "facts-file-systems"), quoted(&mounts.join(", "))),
    ]
}

fn memory(text: &Text, facts: &Facts) -> Vec<(String, String)> {
    let of_total = |total: Option<u64>, free: Option<u64>| {
        let bytes = |bytes: Option<u64>| text.figure_or_unknown(bytes.map(BinaryBytes));
        say!(text, "facts-free", total = bytes(total), free = bytes(free))
    };
    let memory = &facts.memory;
    vec![
        (
            say!(text, "facts-ram"),
            of_total(memory.total_bytes, memory.available_bytes),
        ),
        (
            say!(text, "facts-swap"),
            match memory.swap_total_bytes {
                Some(0) => say!(text, "facts-no-swap"),
                total => of_total(total, memory.swap_free_bytes),
            },
        ),
        (
            say!(text, "facts-memory-devices"),
            memory_devices(text, facts),
        ),
        (say!(text, "facts-dram-clock"), dram_clock(text, facts)),
        (
            say!(text, "facts-huge-pages"),
            quoted_some(&facts.transparent_huge_pages),
        ),
        (
            say!(text, "facts-page"),
            text.figure(BinaryBytes(facts.page_bytes)),
        ),
        (
            say!(text, "facts-load"),
            figure_or_empty(text, facts.load_1min.map(Number)),
        ),
    ]
}

/// The first parts, with an ellipsis where more follow.
fn joined(parts: impl ExactSizeIterator<Item = String>, separator: &str) -> String {
    let is_cut = parts.len() > MAX_PARTS;
    let mut shown: Vec<String> = parts.take(MAX_PARTS).collect();
    if is_cut {
        shown.push("…".to_owned());
    }
    shown.join(separator)
}

fn cpus(text: &Text, facts: &Facts) -> String {
    let fastest = facts.cpus.iter().filter_map(|cpu| cpu.max_khz).max();
    let clock = fastest.map(|khz| ClockHz(khz.saturating_mul(1000)));
    let mut governors: Vec<&str> = (facts.cpus.iter())
        .filter_map(|cpu| cpu.governor.as_deref())
        .collect();
    governors.sort_unstable();
    governors.dedup();
    let governors = format::foreign_short(&governors.join(", "), 100);
    let mut parts = vec![text.figure(Integer(facts.cpus.len() as f64))];
    parts.extend(clock.map(|clock| say!(text, "facts-highest-clock", clock = clock)));
    if !governors.is_empty() {
        parts.push(say!(text, "facts-governor", governor = governors));
    }
    parts.join(", ")
}

fn caches(text: &Text, facts: &Facts) -> String {
    let cache = |cache: &CacheFacts| {
        let kind: Arg = match cache.kind.as_str() {
            "Unified" => message!("facts-cache-unified").into(),
            "Data" => message!("facts-cache-data").into(),
            "Instruction" => message!("facts-cache-instruction").into(),
            other => format::foreign_short(other, 20).into(),
        };
        say!(
            text,
            "facts-cache",
            level = cache.level.to_string(),
            kind = kind,
            size = BinaryBytes(cache.size_bytes),
            cpus = format::cpu_list(&cache.shared_cpus),
        )
    };
    joined(facts.caches.iter().map(cache), "; ")
}

fn variants(text: &Text, facts: &Facts) -> String {
    let variant = |it: &VariantFacts| {
        let variant = format::foreign_short(&it.variant, 30);
        match (it.available, &it.reason) {
            (true, _) => variant,
            (false, Some(reason)) => {
                let reason = format::foreign_short(reason, 100);
                say!(
                    text,
                    "facts-variant-missing-why",
                    variant = variant,
                    reason = reason
                )
            }
            (false, None) => say!(text, "facts-variant-missing", variant = variant),
        }
    };
    joined(facts.variants.iter().map(variant), ", ")
}

fn memory_devices(text: &Text, facts: &Facts) -> String {
    let device = |it: &SmbiosMemoryDevice| {
        let size = text.figure(BinaryBytes(it.size_bytes));
        let device = format!("{} {size} {}", it.locator, it.kind);
        let width = it.data_width_bits.map(|n| Integer(n.into()));
        let rate = it.configured_mt_per_s.map(|n| Integer(n.into()));
        let mut parts = vec![format::foreign_short(&device, 100)];
        parts.extend(width.map(|n| format!("{} bit", text.figure(n))));
        parts.extend(rate.map(|n| format!("{} MT/s", text.figure(n))));
        parts.join(", ")
    };
    match facts.smbios_memory.is_empty() {
        true => quoted_some(&facts.smbios_note),
        false => joined(facts.smbios_memory.iter().map(device), "; "),
    }
}

fn dram_clock(text: &Text, facts: &Facts) -> String {
    let Some(clock) = &facts.dram_clock else {
        return String::new();
    };
    let path = format::foreign_short(&clock.path, 200);
    let now: Arg = match clock.max_hz {
        Some(max) => message!(
            "facts-clock-of",
            clock = ClockHz(clock.current_hz),
            max = ClockHz(max)
        )
        .into(),
        None => ClockHz(clock.current_hz).into(),
    };
    match &clock.governor {
        Some(governor) => say!(
            text,
            "facts-dram-clock-governor",
            clock = now,
            governor = format::foreign_short(governor, 60),
            path = path,
        ),
        None => say!(text, "facts-dram-clock-now", clock = now, path = path),
    }
}
