//! What a host told about itself, as it told it.

use bench_protocol::{Facts, SmbiosMemoryDevice};
use serde::Serialize;

use super::{Page, value};
use crate::words;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    items: Vec<(&'static str, String)>,
    stages: Vec<(String, String)>,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let data = &page.host()?.data;
    let mut items = data.facts.as_ref().map(items).unwrap_or_default();
    if let Some(hello) = &data.hello {
        items.push((
            "board program",
            format!("{}, protocol {}", hello.program, hello.protocol),
        ));
    }
    items.extend(
        data.record
            .artifact_sha256
            .iter()
            .map(|hash| ("its SHA-256", hash.clone())),
    );
    items.retain(|(_, text)| !text.is_empty());
    value(View {
        items: items
            .into_iter()
            .map(|(name, text)| (name, shown(name, &format::foreign_short(&text, 600))))
            .collect(),
        stages: (data.record.stage_s.iter())
            .map(|(stage, s)| (format::foreign_short(stage, 30), format::seconds(*s)))
            .collect(),
    })
}

/// What the host said itself stays as it is in every language; what is put together here is said in words.
fn shown(name: &str, text: &str) -> String {
    match name {
        "board program"
        | "CPUs"
        | "caches"
        | "kernel variants"
        | "RAM"
        | "swap"
        | "DRAM clock"
        | "page"
        | "load over one minute" => text.to_owned(),
        _ => words::name(text),
    }
}

fn items(facts: &Facts) -> Vec<(&'static str, String)> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let bytes = |value: Option<u64>| {
        value
            .map(format::binary_bytes)
            .unwrap_or_else(|| format::UNKNOWN.into())
    };
    vec![
        ("host name", text(&facts.hostname)),
        ("board, by its firmware", text(&facts.device_tree_model)),
        ("processor", text(&facts.cpu_model)),
        ("architecture", facts.arch.clone()),
        ("CPUs", cpus(facts)),
        ("caches", caches(facts)),
        ("instruction sets", facts.cpu_features.join(", ")),
        ("kernel variants", variants(facts)),
        ("operating system", text(&facts.os)),
        ("Linux", text(&facts.kernel_release)),
        ("virtual machine", text(&facts.hypervisor)),
        ("firmware", text(&facts.firmware)),
        ("power mode", text(&facts.power_mode)),
        ("file systems", mounts(facts)),
        (
            "RAM",
            format!(
                "{}, {} free",
                bytes(facts.memory.total_bytes),
                bytes(facts.memory.available_bytes)
            ),
        ),
        (
            "swap",
            match facts.memory.swap_total_bytes {
                Some(0) => "none".into(),
                total => format!(
                    "{}, {} free",
                    bytes(total),
                    bytes(facts.memory.swap_free_bytes)
                ),
            },
        ),
        ("memory devices", memory_devices(facts)),
        ("DRAM clock", dram_clock(facts)),
        (
            "transparent huge pages",
            text(&facts.transparent_huge_pages),
        ),
        ("page", format::binary_bytes(facts.page_bytes)),
        (
            "load over one minute",
            facts.load_1min.map(format::number).unwrap_or_default(),
        ),
    ]
}

fn mounts(facts: &Facts) -> String {
    let mounts = facts.mounts.iter();
    let mounts: Vec<String> = mounts
        .map(|mount| format!("{} ({})", mount.path, mount.kind))
        .collect();
    mounts.join(", ")
}

fn cpus(facts: &Facts) -> String {
    let fastest = facts.cpus.iter().filter_map(|cpu| cpu.max_khz).max();
    let clock =
        fastest.map(|khz| format!(", up to {}", format::clock_hz(khz.saturating_mul(1000))));
    let mut governors: Vec<&str> = facts
        .cpus
        .iter()
        .filter_map(|cpu| cpu.governor.as_deref())
        .collect();
    governors.sort_unstable();
    governors.dedup();
    let governor = match governors.is_empty() {
        true => String::new(),
        false => format!(", governor {}", governors.join(", ")),
    };
    format!(
        "{}{}{governor}",
        facts.cpus.len(),
        clock.unwrap_or_default()
    )
}

fn caches(facts: &Facts) -> String {
    let cache = |cache: &bench_protocol::CacheFacts| {
        format!(
            "L{} {} {} (CPUs {})",
            cache.level,
            cache.kind.to_lowercase(),
            format::binary_bytes(cache.size_bytes),
            format::cpu_list(&cache.shared_cpus)
        )
    };
    facts
        .caches
        .iter()
        .map(cache)
        .collect::<Vec<_>>()
        .join("; ")
}

fn variants(facts: &Facts) -> String {
    let variant =
        |variant: &bench_protocol::VariantFacts| match (variant.available, &variant.reason) {
            (true, _) => variant.variant.clone(),
            (false, Some(reason)) => format!("no {} ({reason})", variant.variant),
            (false, None) => format!("no {}", variant.variant),
        };
    facts
        .variants
        .iter()
        .map(variant)
        .collect::<Vec<_>>()
        .join(", ")
}

fn memory_devices(facts: &Facts) -> String {
    let device = |device: &SmbiosMemoryDevice| {
        let width = device.data_width_bits.map(|bits| format!(", {bits} bit"));
        let speed = device
            .configured_mt_per_s
            .map(|speed| format!(", {speed} MT/s"));
        format!(
            "{} {} {}{}{}",
            device.locator,
            format::binary_bytes(device.size_bytes),
            device.kind,
            width.unwrap_or_default(),
            speed.unwrap_or_default()
        )
    };
    match facts.smbios_memory.is_empty() {
        true => facts.smbios_note.clone().unwrap_or_default(),
        false => facts
            .smbios_memory
            .iter()
            .map(device)
            .collect::<Vec<_>>()
            .join("; "),
    }
}

fn dram_clock(facts: &Facts) -> String {
    let Some(clock) = &facts.dram_clock else {
        return String::new();
    };
    let max = clock
        .max_hz
        .map(|hz| format!(" of at most {}", format::clock_hz(hz)));
    let governor = clock
        .governor
        .as_ref()
        .map(|governor| format!(", governor {governor}"));
    format!(
        "{}{}{} ({})",
        format::clock_hz(clock.current_hz),
        max.unwrap_or_default(),
        governor.unwrap_or_default(),
        clock.path
    )
}
