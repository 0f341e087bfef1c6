//! `suites/<id>.yaml`.

mod external;
mod work;

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;

use bench_protocol::Sampling;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use self::external::{RawExternal, check_labels};
pub(crate) use self::work::RawQuant;
use self::work::{
    RawDecode, RawGemm, RawGemv, RawLatency, RawPeak, RawPrefill, RawStream, check_model,
};
use super::Place;
use crate::diagnostic::{Problem, listed, quoted};
use crate::suggest::suggest;
use crate::suite::{ClusterChoice, EmulatedLimits, Suite, SuiteUnit, SuiteWork, ThreadCount};

/// Bytes of a KiB.
const KIB: u64 = 1024;

/// Which kernels are measured in which configurations.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Suite")]
pub(crate) struct RawSuite {
    /// One sentence for people.
    #[schemars(length(min = 1))]
    description: String,
    /// What replaces the amounts of work on emulated hosts, where timings mean nothing.
    emulated: RawEmulated,
    /// Times that each unit is measured in a run, in processes of their own and in an order drawn by chance; from two on
    /// intervals hold what changes between rounds. Left out, once.
    #[schemars(range(min = 1, max = 100))]
    rounds: Option<NonZeroU32>,
    /// Units in the order they are measured.
    #[schemars(length(min = 1))]
    units: Vec<RawUnit>,
}

/// Amounts of work on emulated hosts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "EmulatedLimits")]
struct RawEmulated {
    /// KiB (1024 bytes) of every working set.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    working_set_kib: u64,
    /// Catalogue id of the model of decode units.
    decode_model: String,
    /// When to stop sampling.
    sampling: RawSampling,
}

/// One kernel in every listed configuration; exactly one of `stream`, `latency`, `peak`, `gemv`, `gemm`, `decode`,
/// `prefill` and `external` gives the shape of its work.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Unit")]
struct RawUnit {
    /// Kernel name, as the board program's table has it (`cargo xtask list kernels`); `external` for a program that lies on
    /// the board.
    #[schemars(length(min = 1))]
    kernel: String,
    /// Thread counts; equal counts are measured once.
    #[schemars(length(min = 1))]
    threads: Vec<RawThreads>,
    /// Which CPUs the threads run on; left out, the strongest of all of them.
    #[serde(default)]
    clusters: RawClusters,
    /// Rates at which the CPUs that are left over read memory meanwhile, per cent of what they reach alone.
    #[schemars(inner(range(min = 0, max = 100)))]
    background_percent: Option<Vec<u32>>,
    /// Shapes of the kernel's loops to force, one unit each, as `shape` in the results names them; left out, the board races
    /// all that it has and measures the fastest. A board without such a shape skips the unit and says which it has.
    #[schemars(length(min = 1), inner(length(min = 1, max = 40)))]
    shapes: Option<Vec<String>>,
    /// Work of a streaming kernel.
    stream: Option<RawStream>,
    /// Work of the latency kernel.
    latency: Option<RawLatency>,
    /// Work of a kernel that only computes.
    peak: Option<RawPeak>,
    /// Work of a matrix-times-vector kernel.
    gemv: Option<RawGemv>,
    /// Work of a matrix-times-batch kernel.
    gemm: Option<RawGemm>,
    /// Work of token steps of a language model.
    decode: Option<RawDecode>,
    /// Work of reading a prompt with a language model.
    prefill: Option<RawPrefill>,
    /// A program that lies on the board already.
    external: Option<RawExternal>,
    /// When to stop sampling; every unit but an external program has it.
    sampling: Option<RawSampling>,
    /// Rounds of this unit at most; left out, those of the suite.
    #[schemars(range(min = 1, max = 100))]
    max_rounds: Option<NonZeroU32>,
    /// A round of the unit is given up after this time, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    deadline_s: u32,
}

/// The keys of [`RawUnit`] that give the shape of its work.
const WORKS: [&str; 8] = [
    "stream", "latency", "peak", "gemv", "gemm", "decode", "prefill", "external",
];

/// The kernel of units that are external programs.
const EXTERNAL: &str = "external";

/// Which CPUs the threads of a unit run on.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Clusters")]
enum RawClusters {
    /// The strongest of all CPUs.
    #[default]
    All,
    /// Each cluster of equal cores on its own; a board whose cores are all equal has nothing to add here.
    Each,
}

/// When to stop sampling.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Sampling")]
struct RawSampling {
    /// At least this many samples, whatever they cost.
    #[schemars(range(min = 1, max = 1_000_000))]
    min_samples: u32,
    /// At most this many samples.
    #[schemars(range(min = 1, max = 1_000_000))]
    max_samples: u32,
    /// No further sample starts after this much measured time, milliseconds.
    #[schemars(range(min = 1, max = 86_400_000))]
    budget_ms: u64,
    /// Stop before the budget is spent once the median is known this well: half the width of its 95 % confidence
    /// interval, in per cent of the median. Left out, the budget alone decides.
    #[schemars(range(min = 0.01, max = 100.0))]
    precision_percent: Option<f64>,
    /// Time of one sample, milliseconds; left out, the shortest that the clock resolves well.
    #[schemars(range(min = 1, max = 60_000))]
    sample_ms: Option<u64>,
    /// Whether clocks and temperature are read after every sample.
    #[serde(default)]
    with_state: bool,
}

/// A thread count: a number or one of the words of [`THREAD_WORDS`].
#[derive(Debug, Clone, Copy)]
struct RawThreads(ThreadCount);

/// The words for thread counts.
const THREAD_WORDS: [(&str, ThreadCount); 4] = [
    ("half", ThreadCount::Half),
    ("all", ThreadCount::All),
    ("each", ThreadCount::Each),
    ("best", ThreadCount::Best),
];

impl<'de> Deserialize<'de> for RawThreads {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawThreads, D::Error> {
        struct Words;
        impl Visitor<'_> for Words {
            type Value = ThreadCount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a thread count from 1, `half`, `all`, `each` or `best`")
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<ThreadCount, E> {
                u32::try_from(count)
                    .ok()
                    .and_then(NonZeroU32::new)
                    .map(ThreadCount::Count)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(count), &self))
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<ThreadCount, E> {
                let known = THREAD_WORDS.iter().find(|(name, _)| *name == word);
                known
                    .map(|(_, count)| *count)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(word), &self))
            }
        }
        deserializer.deserialize_any(Words).map(RawThreads)
    }
}

impl JsonSchema for RawThreads {
    fn schema_name() -> Cow<'static, str> {
        "Threads".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A thread count: a number, `half` or `all` of the CPUs; `each` count from 1 to all; or the `best`, which the board finds by trying.",
            "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": 65536 },
                { "type": "string", "enum": THREAD_WORDS.map(|(name, _)| name) }
            ]
        })
    }
}

impl RawSuite {
    /// `models` are the ids of the catalogue; `None` leaves references unchecked.
    pub(crate) fn resolve(
        self,
        id: &str,
        place: &Place,
        models: Option<&[String]>,
        problems: &mut Vec<Problem>,
    ) -> Suite {
        let emulated_place = place.key("emulated");
        let emulated = EmulatedLimits {
            working_set_bytes: self.emulated.working_set_kib * KIB,
            sampling: self
                .emulated
                .sampling
                .resolve(&emulated_place.key("sampling"), problems),
            decode_model: check_model(
                self.emulated.decode_model,
                &emulated_place.key("decode-model"),
                models,
                problems,
            ),
        };
        let rounds = self.rounds.unwrap_or(NonZeroU32::MIN);
        check_rounds(self.rounds, &place.key("rounds"), problems);
        let units_place = place.key("units");
        let mut units = Vec::new();
        for (unit_idx, raw) in self.units.into_iter().enumerate() {
            units.extend(raw.resolve(&units_place.item(unit_idx), models, problems));
        }
        check_labels(&units, &units_place, problems);
        Suite {
            id: id.to_owned(),
            description: self.description,
            rounds,
            units,
            emulated,
        }
    }
}

impl RawUnit {
    fn resolve(
        self,
        place: &Place,
        models: Option<&[String]>,
        problems: &mut Vec<Problem>,
    ) -> Option<SuiteUnit> {
        check_external(&self, place, problems);
        check_shapes(&self, place, problems);
        check_rounds(self.max_rounds, &place.key("max-rounds"), problems);
        let sampling = match self.sampling {
            Some(sampling) => sampling.resolve(&place.key("sampling"), problems),
            None => once(self.deadline_s),
        };
        let mut works = Vec::new();
        works.extend(
            self.stream
                .map(|raw| raw.resolve(&place.key("stream"), problems)),
        );
        works.extend(
            self.latency
                .map(|raw| raw.resolve(&place.key("latency"), problems)),
        );
        works.extend(self.peak.map(|RawPeak {}| SuiteWork::Peak));
        works.extend(
            self.gemv
                .map(|raw| raw.resolve(&place.key("gemv"), problems)),
        );
        works.extend(
            self.gemm
                .map(|raw| raw.resolve(&place.key("gemm"), problems)),
        );
        works.extend(
            self.decode
                .map(|raw| raw.resolve(&place.key("decode"), models, problems)),
        );
        works.extend(
            self.prefill
                .map(|raw| raw.resolve(&place.key("prefill"), models, problems)),
        );
        works.extend(
            self.external
                .map(|raw| raw.resolve(&place.key("external"), problems)),
        );
        let (1, Some(work)) = (works.len(), works.pop()) else {
            if place.are_usable(&WORKS) {
                problems.push(Problem::new(
                    place.key_span(),
                    format!(
                        "`{}` needs exactly one of {}",
                        place.path(),
                        listed(WORKS.into_iter())
                    ),
                    "keep the one that gives the shape of this kernel's work",
                ));
            }
            return None;
        };
        let background_percent = self.background_percent.unwrap_or_default();
        if let Some(percent) = background_percent.iter().find(|percent| **percent > 100) {
            problems.push(place.key("background-percent").problem(
                format!("{percent} % is more than the readers reach"),
                "give rates from 0 to 100",
            ));
        }
        Some(SuiteUnit {
            kernel: self.kernel,
            threads: self.threads.into_iter().map(|threads| threads.0).collect(),
            clusters: match self.clusters {
                RawClusters::All => ClusterChoice::All,
                RawClusters::Each => ClusterChoice::Each,
            },
            background_percent,
            shapes: self.shapes.unwrap_or_default(),
            work,
            sampling,
            max_rounds: self.max_rounds,
            deadline_s: self.deadline_s,
        })
    }
}

/// Rounds of one unit in a run at most.
pub(crate) const MAX_ROUNDS: u32 = 100;

fn check_rounds(rounds: Option<NonZeroU32>, place: &Place, problems: &mut Vec<Problem>) {
    if let Some(rounds) = rounds.filter(|rounds| rounds.get() > MAX_ROUNDS) {
        problems.push(place.problem(
            format!("{rounds} rounds are more than a run has"),
            format!("give a number from 1 to {MAX_ROUNDS}"),
        ));
    }
}

/// Names of shapes become parts of names of units.
fn check_shapes(unit: &RawUnit, place: &Place, problems: &mut Vec<Problem>) {
    let Some(shapes) = &unit.shapes else {
        return;
    };
    let place = place.key("shapes");
    if !bench_protocol::has_shapes(&unit.kernel) {
        problems.push(place.problem(
            format!("kernel {} has one shape only", quoted(&unit.kernel)),
            "remove it",
        ));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    let is_name = |shape: &&String| !shape.is_empty() && shape.chars().all(is_plain);
    if let Some(wrong) = shapes.iter().find(|shape| !is_name(shape)) {
        problems.push(place.problem(
            format!("{} cannot be the name of a shape", quoted(wrong)),
            "give names as the results of a run have them, for instance `v256x8-far`",
        ));
    }
}

/// What holds of external programs and of no kernel, and the other way round.
fn check_external(unit: &RawUnit, place: &Place, problems: &mut Vec<Problem>) {
    let is_external = unit.external.is_some();
    if place.are_usable(&["kernel", "external"]) && is_external != (unit.kernel == EXTERNAL) {
        problems.push(place.key("kernel").problem(
            format!(
                "kernel {} and the work of this unit do not fit",
                quoted(&unit.kernel)
            ),
            "`kernel: external` goes with `external:`, and no other kernel does",
        ));
    }
    if !is_external {
        if unit.sampling.is_none() && place.are_usable(&["sampling", "external"]) {
            problems.push(Problem::new(
                place.key_span(),
                format!("`{}` lacks the key `sampling`", place.path()),
                "add `sampling`: when to stop sampling",
            ));
        }
        return;
    }
    let mut refuse = |key: &str, title: &str, remedy: &str| {
        problems.push(place.key(key).problem(title.to_owned(), remedy));
    };
    if unit.sampling.is_some() {
        let title = "an external program is run once and decides itself how long it measures";
        refuse(
            "sampling",
            title,
            "remove it; `deadline-s` ends a program that hangs",
        );
    }
    if unit.max_rounds.is_some() {
        let title = "an external program is run once, whatever the rounds of the suite";
        refuse("max-rounds", title, "remove it");
    }
    if unit.background_percent.is_some() {
        let title = "nothing is read beside an external program";
        refuse("background-percent", title, "remove it");
    }
    let is_searched = |threads: &RawThreads| threads.0 == ThreadCount::Best;
    if unit.threads.iter().any(is_searched) {
        let title = "memwall has no rate by which to choose CPUs for an external program";
        refuse("threads", title, "give numbers, `half`, `all` or `each`");
    }
}

/// An external program: its deadline is all that is known of its time.
fn once(deadline_s: u32) -> Sampling {
    Sampling {
        min_samples: 1,
        max_samples: 1,
        budget_ms: u64::from(deadline_s) * 1000,
        precision_ppm: 0,
        sample_ms: 0,
        with_state: false,
    }
}

impl RawSampling {
    fn resolve(self, place: &Place, problems: &mut Vec<Problem>) -> Sampling {
        if place.are_usable(&["min-samples", "max-samples"]) && self.min_samples > self.max_samples
        {
            problems.push(
                place
                    .key("min-samples")
                    .problem(
                        format!(
                            "at least {} samples cannot be taken when at most {} are allowed",
                            self.min_samples, self.max_samples
                        ),
                        "lower `min-samples` or raise `max-samples`",
                    )
                    .related(place.key("max-samples").value_span(), "at most"),
            );
        }
        Sampling {
            min_samples: self.min_samples,
            max_samples: self.max_samples,
            budget_ms: self.budget_ms,
            precision_ppm: self
                .precision_percent
                .map_or(0, |percent| (percent * 1e4) as u32),
            sample_ms: self.sample_ms.unwrap_or(0),
            with_state: self.with_state,
        }
    }
}

/// A reference to a catalogue file that does not exist.
pub(super) fn unknown_id(
    what: &str,
    folder: &str,
    given: &str,
    place: &Place,
    known: &[String],
) -> Problem {
    let nearest = suggest(given, known.iter().map(String::as_str));
    let known = match known {
        [] => format!("there is no file in `{folder}/`"),
        _ => format!("known: {}", listed(known.iter().map(String::as_str))),
    };
    let remedy = match nearest {
        Some(nearest) => format!("did you mean `{nearest}`? {known}"),
        None => format!("add `{folder}/<id>.yaml`, or use one of the catalogue; {known}"),
    };
    place.problem(format!("unknown {what} {}", quoted(given)), remedy)
}
