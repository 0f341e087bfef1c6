//! `boards/<id>.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Place;
use super::memory::{RawMemory, RawProcessor};
use crate::board::{
    Accelerator, Board, CpuCluster, Memory, Price, PublishedFigure, PublishedLatency,
};
use crate::diagnostic::Problem;

/// What a board is, every number with its source.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Board")]
pub(crate) struct RawBoard {
    /// Name as people know it.
    #[schemars(length(min = 1))]
    name: String,
    /// System on chip or processor.
    #[schemars(length(min = 1))]
    soc: String,
    /// The chip, where boards share it under several names of `soc`.
    #[schemars(length(min = 1))]
    silicon: Option<String>,
    /// Instruction set of the CPU.
    arch: RawArch,
    /// Where the processor, its cores and everything without a source of its own come from.
    #[schemars(length(min = 1))]
    source: String,
    /// CPU clusters, strongest first; left out where it differs from machine to machine.
    #[serde(default)]
    clusters: Vec<RawCluster>,
    /// GPUs and NPUs.
    #[serde(default)]
    accelerators: Vec<RawAccelerator>,
    /// Memories, system memory first.
    #[schemars(length(min = 1))]
    memories: Vec<RawMemory>,
    /// CPU bandwidth measured by others, for plausibility.
    #[serde(default)]
    published: Vec<RawPublishedFigure>,
    /// DRAM latency measured by others, for plausibility.
    #[serde(default)]
    latencies: Vec<RawPublishedLatency>,
    /// What it was sold for.
    #[serde(default)]
    prices: Vec<RawPrice>,
}

/// Instruction set.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[schemars(rename = "Arch")]
pub(crate) enum RawArch {
    #[serde(rename = "aarch64")]
    Aarch64,
    #[serde(rename = "x86_64")]
    X86_64,
}

impl RawArch {
    pub(crate) fn id(self) -> &'static str {
        match self {
            RawArch::Aarch64 => "aarch64",
            RawArch::X86_64 => "x86_64",
        }
    }
}

/// Equal CPU cores that share a clock.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Cluster")]
struct RawCluster {
    /// Core type, for instance `Cortex-A76`.
    #[schemars(length(min = 1))]
    core: String,
    /// Number of cores.
    #[schemars(range(min = 1, max = 4096))]
    cores: u32,
}

/// A GPU or NPU.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Accelerator")]
struct RawAccelerator {
    /// `gpu` or `npu`.
    processor: RawProcessor,
    /// What it is called, for instance `Mali-G610`.
    #[schemars(length(min = 1))]
    core: String,
    /// Processors that behave alike, for instance `Mali`: predictions never leave a family.
    #[schemars(length(min = 1))]
    family: String,
}

/// A CPU bandwidth measured by others.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "PublishedFigure")]
struct RawPublishedFigure {
    /// Test and configuration, for instance `read, 4x Cortex-A76`.
    #[schemars(length(min = 1))]
    test: String,
    /// GB/s as printed by that test.
    #[schemars(range(min = 0.001, max = 1_000_000))]
    gb_per_s: f64,
    /// How the test counts bytes; `bcopy` counts copied bytes once.
    convention: RawConvention,
    /// Cores that took part; a figure of one core is no best read of a board.
    #[schemars(range(min = 1, max = 4096))]
    cores: Option<u32>,
    /// Where it was published.
    #[schemars(length(min = 1))]
    source: String,
}

/// How a published test counts bytes.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PublishedConvention")]
enum RawConvention {
    Read,
    ReadPlusWrite,
    Bcopy,
}

/// A DRAM latency measured by others.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "PublishedLatency")]
struct RawPublishedLatency {
    /// Test and configuration, for instance `pointer chase over 16 MB, one Cortex-A76`.
    #[schemars(length(min = 1))]
    test: String,
    /// Nanoseconds of one dependent load.
    #[schemars(range(min = 0.1, max = 100_000))]
    ns: f64,
    /// Where it was published.
    #[schemars(length(min = 1))]
    source: String,
}

/// What a board was sold for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Price")]
struct RawPrice {
    /// RAM of the board that was sold, GiB.
    #[schemars(range(min = 0.001, max = 1_048_576))]
    gib: f64,
    /// US dollars, without shipping and taxes.
    #[schemars(range(min = 0.01, max = 10_000_000))]
    usd: f64,
    /// Day of the price, `2026-07-01`.
    #[schemars(length(min = 1))]
    date: String,
    /// Who sold it, or who paid.
    #[schemars(length(min = 1))]
    source: String,
}

impl RawPrice {
    fn resolve(self, place: &Place, problems: &mut Vec<Problem>) -> Price {
        let is_day = self.date.parse::<jiff::civil::Date>().is_ok() && self.date.len() == 10;
        if !is_day && place.key("date").is_usable() {
            problems.push(place.key("date").problem(
                format!("`{}` is no day", self.date),
                "write year, month and day: `2026-07-01`",
            ));
        }
        Price {
            capacity_bytes: (self.gib * (1u64 << 30) as f64).round() as u64,
            usd: self.usd,
            date: self.date,
            source: self.source,
        }
    }
}

impl RawBoard {
    pub(crate) fn resolve(self, id: &str, place: &Place, problems: &mut Vec<Problem>) -> Board {
        let memories_place = place.key("memories");
        let mut memories: Vec<Memory> = Vec::new();
        let mut names: Vec<String> = Vec::new();
        for (memory_idx, raw) in self.memories.into_iter().enumerate() {
            let place = memories_place.item(memory_idx);
            let memory = raw.resolve(&place, problems);
            let is_named = place.key("name").is_usable();
            if is_named && names.contains(&memory.name) {
                problems.push(place.key("name").problem(
                    format!("memory `{}` is described twice", memory.name),
                    "keep one of them; a board has at most one `system` and one `vram` memory",
                ));
            }
            names.extend(is_named.then(|| memory.name.clone()));
            memories.push(memory);
        }
        Board {
            id: id.to_owned(),
            name: self.name,
            silicon: self.silicon.unwrap_or_else(|| self.soc.clone()),
            soc: self.soc,
            arch: self.arch.id().to_owned(),
            clusters: self.clusters.into_iter().map(RawCluster::resolve).collect(),
            accelerators: (self.accelerators.into_iter())
                .map(RawAccelerator::resolve)
                .collect(),
            memories,
            source: self.source,
            published: self
                .published
                .into_iter()
                .map(RawPublishedFigure::resolve)
                .collect(),
            latencies: self
                .latencies
                .into_iter()
                .map(RawPublishedLatency::resolve)
                .collect(),
            prices: {
                let place = place.key("prices");
                let prices = self.prices.into_iter().enumerate();
                prices
                    .map(|(idx, raw)| raw.resolve(&place.item(idx), problems))
                    .collect()
            },
        }
    }
}

impl RawCluster {
    fn resolve(self) -> CpuCluster {
        CpuCluster {
            core: self.core,
            n_cores: self.cores,
        }
    }
}

impl RawAccelerator {
    fn resolve(self) -> Accelerator {
        Accelerator {
            processor: self.processor.id().to_owned(),
            core: self.core,
            family: self.family,
        }
    }
}

impl RawPublishedFigure {
    fn resolve(self) -> PublishedFigure {
        PublishedFigure {
            test: self.test,
            gb_per_s: self.gb_per_s,
            convention: match self.convention {
                RawConvention::Read => "read",
                RawConvention::ReadPlusWrite => "read_plus_write",
                RawConvention::Bcopy => "bcopy",
            }
            .to_owned(),
            n_cores: self.cores,
            source: self.source,
        }
    }
}

impl RawPublishedLatency {
    fn resolve(self) -> PublishedLatency {
        PublishedLatency {
            test: self.test,
            latency_ns: self.ns,
            source: self.source,
        }
    }
}
