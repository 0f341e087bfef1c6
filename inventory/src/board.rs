//! A board: what the hardware is, every number with its source.

use crate::bandwidth::mt_per_s_to_gb_per_s;

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Data sheet, log, table or vendor page.
    pub source: String,
}

/// A board of the catalogue (`boards/<id>.yaml`), or of one power mode of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Board {
    /// File name without extension; stable.
    pub id: String,
    /// Name as people know it.
    pub name: String,
    /// System on chip or processor.
    pub soc: String,
    /// The chip that boards share whose `soc` has several names, for instance `RK3588` of RK3588 and RK3588S.
    pub silicon: String,
    /// `aarch64` or `x86_64`.
    pub arch: String,
    /// CPU clusters, strongest first.
    pub clusters: Vec<CpuCluster>,
    /// GPUs and NPUs.
    pub accelerators: Vec<Accelerator>,
    /// Memories, system memory first.
    pub memories: Vec<Memory>,
    /// Source of everything that has no source of its own (cores, clusters).
    pub source: String,
    /// CPU bandwidth measured by others, for plausibility.
    pub published: Vec<PublishedFigure>,
    /// DRAM latency measured by others, for plausibility.
    pub latencies: Vec<PublishedLatency>,
    /// What it was sold for.
    pub prices: Vec<Price>,
}

/// What a board was sold for, on a day, somewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// RAM of the board that was sold, bytes.
    pub capacity_bytes: u64,
    /// US dollars.
    pub usd: f64,
    /// Day of the price, `2026-07-01`.
    pub date: String,
    /// Who sold it, or who paid.
    pub source: String,
}

/// Equal CPU cores that share a clock.
#[derive(Debug, Clone, PartialEq)]
pub struct CpuCluster {
    /// Core type, for instance `Cortex-A76`.
    pub core: String,
    /// Number of cores.
    pub n_cores: u32,
}

/// A GPU or NPU.
#[derive(Debug, Clone, PartialEq)]
pub struct Accelerator {
    /// `gpu` or `npu`.
    pub processor: String,
    /// What it is called, for instance `Mali-G610`.
    pub core: String,
    /// Processors that behave alike: one maker's with one kind of driver, for instance `Mali`.
    pub family: String,
}

impl Board {
    /// Boards that say the same here compute and read alike: chip, kind of memory, its speed and width.
    pub fn silicon_of(&self, memory: &Memory) -> String {
        format!(
            "{}, {} {:.0} MT/s x {} bit",
            self.silicon, memory.kind, memory.mt_per_s, memory.bus_bits
        )
    }
}

/// One memory and the processors that use it.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// `system` or `vram`.
    pub name: String,
    /// For instance `LPDDR4X`.
    pub kind: String,
    /// Mega-transfers per second on each data line.
    pub mt_per_s: f64,
    /// Width of all channels together, bits.
    pub bus_bits: u32,
    /// Source of `mt_per_s` and `bus_bits`.
    pub source: String,
    /// Sizes this board is sold with, bytes, smallest first; with the source.
    pub capacities_bytes: Sourced<Vec<u64>>,
    /// RAM left for a model on the largest size, bytes, where it was published.
    pub usable_bytes: Option<Sourced<u64>>,
    /// Processors that compute from this memory, the one that people run models on first: `cpu`, `gpu`, `npu`.
    pub processors: Vec<String>,
    /// Bandwidths that others quote for it; kept beside the computed one, never mixed in.
    pub quoted: Vec<QuotedBandwidth>,
}

impl Memory {
    /// Theoretical bandwidth, GB/s (10^9 bytes per second).
    ///
    /// Source: transfers per second x bus width / 8, the definition of peak memory bandwidth.
    pub fn theoretical_gb_per_s(&self) -> f64 {
        mt_per_s_to_gb_per_s(self.mt_per_s, self.bus_bits)
    }
}

/// A theoretical bandwidth that is quoted elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotedBandwidth {
    /// GB/s (10^9 bytes per second).
    pub gb_per_s: f64,
    /// Who quotes it.
    pub source: String,
}

/// A CPU bandwidth measured by others.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedFigure {
    /// Test and configuration, for instance `read, 4x A76`.
    pub test: String,
    /// GB/s as printed by that test.
    pub gb_per_s: f64,
    /// Byte convention: `read`, `read_plus_write` or `bcopy` (copied bytes counted once).
    pub convention: String,
    /// Cores that took part, where that was published.
    pub n_cores: Option<u32>,
    /// Where it was published.
    pub source: String,
}

/// A DRAM latency measured by others.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedLatency {
    /// Test and configuration, for instance `pointer chase over 16 MB`.
    pub test: String,
    /// Nanoseconds of one dependent load.
    pub latency_ns: f64,
    /// Where it was published.
    pub source: String,
}
