//! What the board is and in which state, from `/proc` and `/sys` alone.
//!
//! A value that cannot be read is left out, never guessed.

mod limits;
mod processor;
mod smbios;
mod throttle;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bench_protocol::{
    CacheFacts, CpuFacts, DramClock, Facts, MemoryFacts, MountFacts, VariantFacts,
};

use crate::state::StateFiles;
use crate::{affinity, environment, simd};

pub use limits::Limits;

/// Everything at once.
pub fn collect() -> Facts {
    let cpus = affinity::allowed_cpus();
    let root = Path::new("/");
    let limits = Limits::find(root);
    let (smbios_memory, smbios_note) = match smbios::memory_devices() {
        Ok(devices) => (devices, None),
        Err(note) => (Vec::new(), Some(note)),
    };
    Facts {
        hostname: read_text("/proc/sys/kernel/hostname"),
        arch: std::env::consts::ARCH.to_string(),
        kernel_release: read_text("/proc/sys/kernel/osrelease"),
        os: os_name(),
        cpu_model: processor::model(root),
        device_tree_model: read_text("/proc/device-tree/model"),
        hypervisor: processor::hypervisor(root),
        caches: caches(&cpus),
        cpus: cpus.iter().map(|&cpu| cpu_facts(cpu)).collect(),
        cpu_features: cpu_features(),
        variants: simd::variants()
            .into_iter()
            .map(|(name, isa)| VariantFacts {
                variant: name.to_string(),
                available: isa.is_ok(),
                reason: isa.err().map(|missing| missing.reason),
            })
            .collect(),
        memory: memory(root),
        cpu_quota_millis: limits.cpu_quota_millis(),
        memory_limit_bytes: limits.memory_bytes(),
        smbios_memory,
        smbios_note,
        dram_clock: dram_clock(),
        transparent_huge_pages: bracketed("/sys/kernel/mm/transparent_hugepage/enabled"),
        page_bytes: page_bytes(),
        load_1min: read_text("/proc/loadavg").and_then(|text| text.split(' ').next()?.parse().ok()),
        temperature_millicelsius: StateFiles::find(root, &cpus)
            .read()
            .temperature_millicelsius,
        firmware_throttle_flags: firmware_throttle_flags(root),
        power_mode: environment::power_mode(),
        firmware: read_text("/sys/class/dmi/id/bios_version")
            .or_else(|| read_text("/proc/device-tree/chosen/u-boot,version")),
        mounts: mounts(),
    }
}

/// Throttle flags of a Raspberry Pi's firmware; `None` where nothing tells.
pub fn firmware_throttle_flags(root: &Path) -> Option<u32> {
    throttle::flags(root)
}

/// Mounted file systems on a device, each device once: bind mounts repeat it.
fn mounts() -> Vec<MountFacts> {
    let text = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut seen = BTreeSet::new();
    let mount = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [device, path, kind, options, ..] = words[..] else {
            return None;
        };
        (device.starts_with("/dev/") && seen.insert(device.to_string())).then(|| MountFacts {
            path: path.to_string(),
            kind: kind.to_string(),
            options: options.to_string(),
        })
    };
    text.lines().filter_map(mount).collect()
}

/// Memory that this process may still use, bytes.
pub fn available_memory_bytes() -> Option<u64> {
    memory(Path::new("/")).available_bytes
}

/// Bytes of all caches of the highest level together; 0 where the kernel does not tell.
pub fn last_level_cache_bytes() -> u64 {
    let caches = caches(&affinity::allowed_cpus());
    let highest = caches.iter().map(|cache| cache.level).max();
    let last = caches.iter().filter(|cache| Some(cache.level) == highest);
    last.map(|cache| cache.size_bytes).sum()
}

/// Bytes of the longest cache line of any CPU; 64 where the kernel does not tell, and never less: chains of loads need
/// lines that no neighbour brings along.
pub fn line_bytes() -> usize {
    let line_bytes = |cpu: &u32| {
        let root = PathBuf::from(format!("/sys/devices/system/cpu/cpu{cpu}/cache/index0"));
        read_number(root.join("coherency_line_size")).filter(|bytes| bytes.is_power_of_two())
    };
    let longest = affinity::allowed_cpus().iter().filter_map(line_bytes).max();
    longest.map_or(64, |bytes| bytes.clamp(64, 4096) as usize)
}

/// The trimmed text of a small file; device-tree strings end in a zero byte.
fn read_text(path: impl AsRef<Path>) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes)
        .trim_end_matches('\0')
        .trim()
        .to_string();
    (!text.is_empty()).then_some(text)
}

fn read_number(path: impl AsRef<Path>) -> Option<u64> {
    read_text(path)?.parse().ok()
}

/// The bracketed word of a choice like `always [madvise] never`.
fn bracketed(path: &str) -> Option<String> {
    let text = read_text(path)?;
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0.to_string())
}

fn os_name() -> Option<String> {
    let text = read_text("/etc/os-release")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(line.trim_matches('"').to_string())
}

fn cpu_facts(cpu: u32) -> CpuFacts {
    let root = PathBuf::from(format!("/sys/devices/system/cpu/cpu{cpu}"));
    let siblings =
        read_text(root.join("topology/thread_siblings_list")).map(|text| parse_cpu_list(&text));
    CpuFacts {
        cpu,
        capacity: read_number(root.join("cpu_capacity")).map(|value| value as u32),
        max_khz: read_number(root.join("cpufreq/cpuinfo_max_freq")),
        current_khz: read_number(root.join("cpufreq/scaling_cur_freq")),
        governor: read_text(root.join("cpufreq/scaling_governor")),
        core_siblings: siblings.unwrap_or_else(|| vec![cpu]),
    }
}

/// `0-3,8` as numbers; parts that are none are left out.
fn parse_cpu_list(text: &str) -> Vec<u32> {
    let range = |part: &str| -> Option<std::ops::RangeInclusive<u32>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (
            first.trim().parse::<u32>().ok()?,
            last.trim().parse::<u32>().ok()?,
        );
        (first <= last && last - first <= 4096).then_some(first..=last)
    };
    text.split(',').filter_map(range).flatten().collect()
}

fn caches(cpus: &[u32]) -> Vec<CacheFacts> {
    let mut caches: Vec<CacheFacts> = Vec::new();
    for cpu in cpus {
        for idx in 0..8 {
            let root = PathBuf::from(format!("/sys/devices/system/cpu/cpu{cpu}/cache/index{idx}"));
            let (Some(level), Some(kind), Some(size)) = (
                read_number(root.join("level")),
                read_text(root.join("type")),
                read_text(root.join("size")),
            ) else {
                continue;
            };
            let Some(size_bytes) = parse_size(&size) else {
                continue;
            };
            let shared_cpus = read_text(root.join("shared_cpu_list"))
                .map_or_else(|| vec![*cpu], |text| parse_cpu_list(&text));
            let cache = CacheFacts {
                level: level as u32,
                kind,
                size_bytes,
                shared_cpus,
            };
            if !caches.contains(&cache) {
                caches.push(cache);
            }
        }
    }
    caches
}

fn parse_size(text: &str) -> Option<u64> {
    let (digits, factor) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 1 << 10),
        b'M' => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// The machine's memory; what is available is the least of what the kernel can give and what the control groups allow.
fn memory(root: &Path) -> MemoryFacts {
    let text = fs::read_to_string(root.join("proc/meminfo")).unwrap_or_default();
    let bytes = |key: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        line.trim()
            .trim_end_matches("kB")
            .trim()
            .parse::<u64>()
            .ok()
            .map(|kib| kib * 1024)
    };
    let allowed_bytes = Limits::find(root).available_memory_bytes();
    let available_bytes = bytes("MemAvailable");
    MemoryFacts {
        total_bytes: bytes("MemTotal"),
        available_bytes: match (available_bytes, allowed_bytes) {
            (Some(available), Some(allowed)) => Some(available.min(allowed)),
            (available, allowed) => available.or(allowed),
        },
        swap_total_bytes: bytes("SwapTotal"),
        swap_free_bytes: bytes("SwapFree"),
    }
}

/// The DRAM clock where the kernel shows it: Rockchip's memory controller as a devfreq device, Jetson's in debugfs.
pub fn dram_clock() -> Option<DramClock> {
    let mut devices: Vec<PathBuf> = fs::read_dir("/sys/class/devfreq")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    devices.sort();
    for device in devices {
        let name = device.file_name()?.to_string_lossy().into_owned();
        if !(name.contains("dmc") || name.contains("memory") || name.contains("emc")) {
            continue;
        }
        let path = device.join("cur_freq");
        if let Some(current_hz) = read_number(&path) {
            return Some(DramClock {
                path: path.display().to_string(),
                current_hz,
                max_hz: read_number(device.join("max_freq")),
                governor: read_text(device.join("governor")),
            });
        }
    }
    let path = "/sys/kernel/debug/bpmp/debug/clk/emc/rate";
    Some(DramClock {
        path: path.to_string(),
        current_hz: read_number(path)?,
        max_hz: read_number("/sys/kernel/debug/bpmp/debug/clk/emc/max_rate"),
        governor: None,
    })
}

fn page_bytes() -> u64 {
    rustix::param::page_size() as u64
}

#[cfg(target_arch = "x86_64")]
fn cpu_features() -> Vec<String> {
    let all = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("f16c", is_x86_feature_detected!("f16c")),
        ("avxvnni", is_x86_feature_detected!("avxvnni")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
    ];
    all.into_iter()
        .filter(|(_, present)| *present)
        .map(|(name, _)| name.to_string())
        .collect()
}

#[cfg(target_arch = "aarch64")]
fn cpu_features() -> Vec<String> {
    use std::arch::is_aarch64_feature_detected;
    let all = [
        ("neon", is_aarch64_feature_detected!("neon")),
        ("fp16", is_aarch64_feature_detected!("fp16")),
        ("dotprod", is_aarch64_feature_detected!("dotprod")),
        ("i8mm", is_aarch64_feature_detected!("i8mm")),
        ("bf16", is_aarch64_feature_detected!("bf16")),
        ("sve", is_aarch64_feature_detected!("sve")),
        ("sve2", is_aarch64_feature_detected!("sve2")),
    ];
    all.into_iter()
        .filter(|(_, present)| *present)
        .map(|(name, _)| name.to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files, to be read as the root.
    pub(super) fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn available_memory_is_what_the_container_leaves() {
        let meminfo = ("proc/meminfo", "MemTotal: 8000 kB\nMemAvailable: 4000 kB\n");
        assert_eq!(
            memory(root(&[meminfo]).path()).available_bytes,
            Some(4_096_000)
        );
        let limited = root(&[
            meminfo,
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "3000000\n"),
            ("sys/fs/cgroup/memory.current", "1000000\n"),
        ]);
        let memory = memory(limited.path());
        assert_eq!(memory.available_bytes, Some(2_000_000));
        assert_eq!(memory.total_bytes, Some(8_192_000));
    }

    #[test]
    fn reads_cpu_lists_and_sizes() {
        assert_eq!(parse_cpu_list("0-3,6"), [0, 1, 2, 3, 6]);
        assert_eq!(parse_cpu_list("x,2-1,5"), [5]);
        assert_eq!(parse_size("32K"), Some(32768));
        assert_eq!(parse_size("2M"), Some(2 << 20));
        assert_eq!(parse_size("K"), None);
    }

    #[test]
    fn tells_what_this_machine_is() {
        let facts = collect();
        assert_eq!(facts.arch, std::env::consts::ARCH);
        assert!(!facts.cpus.is_empty());
        assert!(
            facts
                .variants
                .iter()
                .any(|variant| variant.variant == "scalar" && variant.available)
        );
        assert!(facts.smbios_memory.is_empty() == facts.smbios_note.is_some());
    }
}
