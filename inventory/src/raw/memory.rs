//! A memory: a board has one or two, a host of the fleet file may state its own.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Place;
use crate::board::{Memory, QuotedBandwidth, Sourced};
use crate::diagnostic::Problem;

/// Bytes of a GiB.
const GIB: f64 = (1u64 << 30) as f64;
/// Bytes of a GB.
const GB: f64 = 1e9;
/// Data sheets round clocks: 2133 MHz and 4267 MT/s are the same memory.
const RATE_TOLERANCE: f64 = 0.001;

/// One memory and the processors that use it.
///
/// Its speed is `mt-per-s`, or `clock-mhz` with `transfers-per-clock`, or both where they agree.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Memory")]
pub(crate) struct RawMemory {
    /// `system` or `vram`.
    name: RawMemoryName,
    /// For instance `LPDDR4X`.
    #[schemars(length(min = 1))]
    kind: String,
    /// Mega-transfers per second on each data line.
    #[schemars(range(min = 1, max = 1_000_000))]
    mt_per_s: Option<f64>,
    /// Bus clock, MHz.
    #[schemars(range(min = 1, max = 100_000))]
    clock_mhz: Option<f64>,
    /// Transfers per clock: 2 for DDR and LPDDR, 8 for GDDR6 against its command clock.
    #[schemars(range(min = 1, max = 64))]
    transfers_per_clock: Option<f64>,
    /// Width of all channels together, bits.
    #[schemars(range(min = 8, max = 65_536))]
    bus_bits: u32,
    /// Where speed and width come from: data sheet, boot log, vendor page.
    #[schemars(length(min = 1))]
    source: String,
    /// Sizes it is sold with.
    capacities: RawCapacities,
    /// RAM left for a model on the largest size, where it was published.
    usable: Option<RawUsable>,
    /// Processors that compute from it.
    #[schemars(length(min = 1))]
    processors: Vec<RawProcessor>,
    /// Bandwidths that others quote for it; kept beside the computed one, never mixed in.
    #[serde(default)]
    quoted: Vec<RawQuoted>,
}

/// Which memory it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "MemoryName")]
enum RawMemoryName {
    System,
    Vram,
}

/// What computes from a memory.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Processor")]
pub(crate) enum RawProcessor {
    Cpu,
    Gpu,
    Npu,
}

/// Sizes a memory is sold with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Capacities")]
struct RawCapacities {
    /// Sizes in GiB (2^30 bytes), smallest first.
    #[schemars(length(min = 1), inner(range(min = 0.001, max = 1_048_576)))]
    gib: Vec<f64>,
    /// Where the sizes come from.
    #[schemars(length(min = 1))]
    source: String,
}

/// RAM left for a model.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Usable")]
struct RawUsable {
    /// GB (10^9 bytes).
    #[schemars(range(min = 0.001, max = 1_048_576))]
    gb: f64,
    /// Who found it.
    #[schemars(length(min = 1))]
    source: String,
}

/// A theoretical bandwidth that is quoted elsewhere.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Quoted")]
struct RawQuoted {
    /// GB/s (10^9 bytes per second).
    #[schemars(range(min = 0.001, max = 1_000_000))]
    gb_per_s: f64,
    /// Who quotes it.
    #[schemars(length(min = 1))]
    source: String,
}

impl RawMemory {
    pub(crate) fn resolve(self, place: &Place, problems: &mut Vec<Problem>) -> Memory {
        let mt_per_s = self.mt_per_s(place, problems);
        self.check(place, problems);
        Memory {
            name: match self.name {
                RawMemoryName::System => "system",
                RawMemoryName::Vram => "vram",
            }
            .to_owned(),
            kind: self.kind,
            mt_per_s,
            bus_bits: self.bus_bits,
            source: self.source,
            capacities_bytes: Sourced {
                value: self
                    .capacities
                    .gib
                    .iter()
                    .map(|gib| whole_bytes(gib * GIB))
                    .collect(),
                source: self.capacities.source,
            },
            usable_bytes: self.usable.map(|usable| Sourced {
                value: whole_bytes(usable.gb * GB),
                source: usable.source,
            }),
            processors: self
                .processors
                .into_iter()
                .map(|processor| processor.id().to_owned())
                .collect(),
            quoted: self
                .quoted
                .into_iter()
                .map(|quoted| QuotedBandwidth {
                    gb_per_s: quoted.gb_per_s,
                    source: quoted.source,
                })
                .collect(),
        }
    }

    /// The stated transfer rate, or clock x transfers per clock; a mistake when there is none or the two disagree.
    fn mt_per_s(&self, place: &Place, problems: &mut Vec<Problem>) -> f64 {
        let known = |key: &str| place.key(key).is_usable();
        match (self.mt_per_s, self.clock_mhz, self.transfers_per_clock) {
            (Some(stated), Some(clock_mhz), Some(transfers)) => {
                let computed = clock_mhz * transfers;
                if (computed - stated).abs() > RATE_TOLERANCE * stated {
                    problems.push(disagreement(place, stated, computed));
                }
                stated
            }
            (None, Some(clock_mhz), Some(transfers)) => clock_mhz * transfers,
            (_, Some(_), None) if known("transfers-per-clock") => {
                problems.push(place.key("clock-mhz").problem(
                    "`clock-mhz` is given without `transfers-per-clock`",
                    "add `transfers-per-clock`: 2 for DDR and LPDDR, 8 for GDDR6 against its command clock",
                ));
                self.mt_per_s.unwrap_or_default()
            }
            (_, None, Some(_)) if known("clock-mhz") => {
                problems.push(place.key("transfers-per-clock").problem(
                    "`transfers-per-clock` is given without `clock-mhz`",
                    "add `clock-mhz`, or give `mt-per-s` alone",
                ));
                self.mt_per_s.unwrap_or_default()
            }
            (None, None, None)
                if place.are_usable(&["mt-per-s", "clock-mhz", "transfers-per-clock"]) =>
            {
                problems.push(Problem::new(
                    place.key_span(),
                    format!("`{}` has no speed", place.path()),
                    "add `mt-per-s`, or `clock-mhz` and `transfers-per-clock`, from the DRAM data sheet",
                ));
                0.0
            }
            (stated, _, _) => stated.unwrap_or_default(),
        }
    }

    fn check(&self, place: &Place, problems: &mut Vec<Problem>) {
        if place.key("bus-bits").is_usable() && !self.bus_bits.is_multiple_of(8) {
            problems.push(place.key("bus-bits").problem(
                format!("a memory bus of {} bits is impossible", self.bus_bits),
                "give the width of all channels together; it is a multiple of 8",
            ));
        }
        let gib = place.key("capacities").key("gib");
        if !gib.is_usable() {
            return;
        }
        let sizes = &self.capacities.gib;
        if !sizes.is_sorted_by(|smaller, larger| smaller < larger) {
            problems.push(gib.problem(
                "capacities are not in rising order",
                "list each size once, smallest first",
            ));
        }
        let largest = sizes.iter().copied().fold(0.0, f64::max) * GIB;
        if let Some(usable) = &self.usable
            && place.key("usable").key("gb").is_usable()
            && usable.gb * GB > largest
        {
            problems.push(place.key("usable").key("gb").problem(
                format!("{} GB cannot be usable of {} GiB", usable.gb, largest / GIB),
                "usable RAM is what the system leaves of the largest capacity",
            ));
        }
    }
}

fn disagreement(place: &Place, stated: f64, computed: f64) -> Problem {
    place
        .key("mt-per-s")
        .problem(
            format!(
                "`mt-per-s` is {stated}, but `clock-mhz` x `transfers-per-clock` is {computed}"
            ),
            "keep the figure that the source states and correct or remove the other",
        )
        .label("MT/s stated here")
        .related(
            place.key("clock-mhz").value_span(),
            format!("{computed} MT/s follow from here"),
        )
}

impl RawProcessor {
    pub(crate) fn id(self) -> &'static str {
        match self {
            RawProcessor::Cpu => "cpu",
            RawProcessor::Gpu => "gpu",
            RawProcessor::Npu => "npu",
        }
    }
}

/// The schema bounds every capacity well below 2^63 bytes.
fn whole_bytes(bytes: f64) -> u64 {
    bytes.round() as u64
}
