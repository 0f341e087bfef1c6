//! What a board tells about itself. Raw readings only: an unreadable value is `None`, never a guess.

use serde::{Deserialize, Serialize};

/// What a board is and in which state it was when asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Host name.
    pub hostname: Option<String>,
    /// `aarch64` or `x86_64`: what the board program was compiled for.
    pub arch: String,
    /// `uname -r`.
    pub kernel_release: Option<String>,
    /// `PRETTY_NAME` of os-release.
    pub os: Option<String>,
    /// Names of the processor's cores: on Arm by implementer and part, elsewhere as `/proc/cpuinfo` tells.
    pub cpu_model: Option<String>,
    /// `/proc/device-tree/model`.
    pub device_tree_model: Option<String>,
    /// Hypervisor named by the CPU or the firmware, when the board is a virtual machine.
    pub hypervisor: Option<String>,
    /// Logical CPUs this process may run on.
    pub cpus: Vec<CpuFacts>,
    /// Caches of all CPUs, each shared cache once.
    pub caches: Vec<CacheFacts>,
    /// Instruction-set extensions that matter here, by run-time detection.
    pub cpu_features: Vec<String>,
    /// Instruction-set variants of the kernels and whether this CPU runs them.
    pub variants: Vec<VariantFacts>,
    /// Capacity and use of RAM.
    pub memory: MemoryFacts,
    /// CPUs that the control groups of this process let it use at a time, in thousandths; `None` without a quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_quota_millis: Option<u64>,
    /// Memory that they let it use, bytes; `None` without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit_bytes: Option<u64>,
    /// Populated memory devices from SMBIOS (type 17).
    pub smbios_memory: Vec<SmbiosMemoryDevice>,
    /// Why `smbios_memory` is empty, when it is.
    pub smbios_note: Option<String>,
    /// DRAM clock and its governor, where the kernel shows it.
    pub dram_clock: Option<DramClock>,
    /// `/sys/kernel/mm/transparent_hugepage/enabled`: the bracketed word.
    pub transparent_huge_pages: Option<String>,
    /// Bytes of a page.
    pub page_bytes: u64,
    /// Load average over one minute.
    pub load_1min: Option<f64>,
    /// Highest temperature of all thermal zones, thousandths of a degree Celsius.
    #[serde(default)]
    pub temperature_millicelsius: Option<i64>,
    /// Throttle flags of a Raspberry Pi's firmware.
    #[serde(default)]
    pub firmware_throttle_flags: Option<u32>,
    /// Name of the Jetson power mode that is active.
    #[serde(default)]
    pub power_mode: Option<String>,
    /// Version of the firmware: BIOS, or U-Boot where the device tree names it.
    #[serde(default)]
    pub firmware: Option<String>,
    /// Mounted file systems that hold data.
    #[serde(default)]
    pub mounts: Vec<MountFacts>,
}

/// One mounted file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountFacts {
    /// Where.
    pub path: String,
    /// For instance `ext4`.
    pub kind: String,
    /// Options as the kernel prints them.
    pub options: String,
}

/// One logical CPU.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuFacts {
    /// Number as the kernel counts.
    pub cpu: u32,
    /// `cpu_capacity` (1024 is the strongest core), where the kernel tells.
    pub capacity: Option<u32>,
    /// Highest clock, kHz (cpufreq).
    pub max_khz: Option<u64>,
    /// Clock when asked, kHz (cpufreq).
    pub current_khz: Option<u64>,
    /// cpufreq governor.
    pub governor: Option<String>,
    /// Hardware threads that share this core, this one included.
    pub core_siblings: Vec<u32>,
}

/// One cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheFacts {
    /// 1, 2, 3 ...
    pub level: u32,
    /// `Data`, `Instruction` or `Unified`.
    pub kind: String,
    /// Bytes.
    pub size_bytes: u64,
    /// Logical CPUs that share it.
    pub shared_cpus: Vec<u32>,
}

/// An instruction-set variant of the kernels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantFacts {
    /// Name, for instance `avx2`.
    pub variant: String,
    /// Whether this CPU runs it.
    pub available: bool,
    /// What is missing, when it does not.
    pub reason: Option<String>,
}

/// Capacity and use of RAM, from `/proc/meminfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryFacts {
    /// `MemTotal`, bytes.
    pub total_bytes: Option<u64>,
    /// `MemAvailable`, bytes.
    pub available_bytes: Option<u64>,
    /// `SwapTotal`, bytes.
    pub swap_total_bytes: Option<u64>,
    /// `SwapFree`, bytes.
    pub swap_free_bytes: Option<u64>,
}

/// One populated SMBIOS memory device (structure type 17).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmbiosMemoryDevice {
    /// Device locator, for instance `DIMM_A1`.
    pub locator: String,
    /// Bank locator, for instance `P0 CHANNEL A`.
    pub bank: String,
    /// Memory type, for instance `DDR5`.
    pub kind: String,
    /// Bytes.
    pub size_bytes: u64,
    /// Width of the data bus without error correction, bits.
    pub data_width_bits: Option<u32>,
    /// Configured speed, MT/s.
    pub configured_mt_per_s: Option<u32>,
    /// Rated speed, MT/s.
    pub rated_mt_per_s: Option<u32>,
}

/// Observed DRAM clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DramClock {
    /// File it was read from.
    pub path: String,
    /// Clock when asked, Hz.
    pub current_hz: u64,
    /// Highest clock, Hz.
    pub max_hz: Option<u64>,
    /// devfreq governor.
    pub governor: Option<String>,
}
