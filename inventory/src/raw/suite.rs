//! `suites/<id>.yaml`.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;

use bench_protocol::{Residency, Sampling};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use super::Place;
use crate::diagnostic::{Problem, listed, quoted};
use crate::model::Quant;
use crate::suggest::suggest;
use crate::suite::{EmulatedLimits, Suite, SuiteUnit, SuiteWork, ThreadCount};

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

/// One kernel in every listed configuration; exactly one of `stream`, `gemv` and `decode` gives the shape of its work.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Unit")]
struct RawUnit {
    /// Kernel name, as the board program's table has it (`cargo xtask list kernels`).
    #[schemars(length(min = 1))]
    kernel: String,
    /// Thread counts; equal counts are measured once.
    #[schemars(length(min = 1))]
    threads: Vec<RawThreads>,
    /// Work of a streaming kernel.
    stream: Option<RawStream>,
    /// Work of a matrix-times-vector kernel.
    gemv: Option<RawGemv>,
    /// Work of one token step of a language model.
    decode: Option<RawDecode>,
    /// When to stop sampling.
    sampling: RawSampling,
    /// The unit is given up after this time, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    deadline_s: u32,
}

/// Work of a streaming kernel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Stream")]
struct RawStream {
    /// Where the arrays live.
    residency: RawResidency,
    /// KiB (1024 bytes) of all arrays; left out, the board's caches and RAM decide.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    working_set_kib: Option<u64>,
}

/// Work of a matrix-times-vector kernel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Gemv")]
struct RawGemv {
    /// Where the matrices live.
    residency: RawResidency,
    /// Rows of one matrix (outputs).
    #[schemars(range(min = 1, max = 16_777_216))]
    rows: u64,
    /// Columns of one matrix (inputs); a multiple of 32, the smallest block of a weight format.
    #[schemars(range(min = 32, max = 16_777_216))]
    cols: u64,
    /// KiB (1024 bytes) of all matrices; left out, the board's caches and RAM decide.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    working_set_kib: Option<u64>,
}

/// Work of one token step of a language model.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Decode")]
struct RawDecode {
    /// Catalogue id of the model.
    model: String,
    /// Quantisation.
    quant: RawQuant,
    /// Tokens in the KV cache before the first measured token.
    #[schemars(length(min = 1), inner(range(min = 0, max = 16_777_216)))]
    depths: Vec<u64>,
}

/// Where a working set lives.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Residency")]
enum RawResidency {
    /// Larger than all caches: the memory is measured.
    Dram,
    /// Small enough for the private caches: the cores are measured.
    Cache,
}

/// Quantisation of a whole model file.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[schemars(rename = "Quant")]
enum RawQuant {
    #[serde(rename = "f16")]
    F16,
    #[serde(rename = "q8_0")]
    Q8_0,
    #[serde(rename = "q4_k_m")]
    Q4KM,
    #[serde(rename = "q4_0")]
    Q4_0,
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
}

/// A thread count: a number, `half` or `all`.
#[derive(Debug, Clone, Copy)]
struct RawThreads(ThreadCount);

impl<'de> Deserialize<'de> for RawThreads {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawThreads, D::Error> {
        struct Words;
        impl Visitor<'_> for Words {
            type Value = ThreadCount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a thread count from 1, `half` or `all`")
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<ThreadCount, E> {
                u32::try_from(count)
                    .ok()
                    .and_then(NonZeroU32::new)
                    .map(ThreadCount::Count)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(count), &self))
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<ThreadCount, E> {
                match word {
                    "half" => Ok(ThreadCount::Half),
                    "all" => Ok(ThreadCount::All),
                    _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
                }
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
            "description": "A thread count: a number, `half` or `all` of the CPUs.",
            "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": 65536 },
                { "type": "string", "enum": ["half", "all"] }
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
        let units_place = place.key("units");
        let mut units = Vec::new();
        for (unit_idx, raw) in self.units.into_iter().enumerate() {
            units.extend(raw.resolve(&units_place.item(unit_idx), models, problems));
        }
        Suite {
            id: id.to_owned(),
            description: self.description,
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
        let sampling = self.sampling.resolve(&place.key("sampling"), problems);
        let work = match (self.stream, self.gemv, self.decode) {
            (Some(stream), None, None) => SuiteWork::Stream {
                residency: stream.residency.resolve(),
                working_set_bytes: stream.working_set_kib.map(|kib| kib * KIB),
            },
            (None, Some(gemv), None) => gemv.resolve(&place.key("gemv"), problems),
            (None, None, Some(decode)) => decode.resolve(&place.key("decode"), models, problems),
            _ => {
                if !place.are_usable(&["stream", "gemv", "decode"]) {
                    return None;
                }
                problems.push(Problem::new(
                    place.key_span(),
                    format!(
                        "`{}` needs exactly one of `stream`, `gemv` and `decode`",
                        place.path()
                    ),
                    "keep the one that gives the shape of this kernel's work",
                ));
                return None;
            }
        };
        Some(SuiteUnit {
            kernel: self.kernel,
            threads: self.threads.into_iter().map(|threads| threads.0).collect(),
            work,
            sampling,
            deadline_s: self.deadline_s,
        })
    }
}

impl RawGemv {
    fn resolve(self, place: &Place, problems: &mut Vec<Problem>) -> SuiteWork {
        if place.key("cols").is_usable() && !self.cols.is_multiple_of(32) {
            problems.push(place.key("cols").problem(
                format!("{} columns are no whole number of weight blocks", self.cols),
                "give a multiple of 32, of 256 for K-quants",
            ));
        }
        SuiteWork::Gemv {
            residency: self.residency.resolve(),
            rows: self.rows,
            cols: self.cols,
            working_set_bytes: self.working_set_kib.map(|kib| kib * KIB),
        }
    }
}

impl RawDecode {
    fn resolve(
        self,
        place: &Place,
        models: Option<&[String]>,
        problems: &mut Vec<Problem>,
    ) -> SuiteWork {
        SuiteWork::Decode {
            model: check_model(self.model, &place.key("model"), models, problems),
            quant: match self.quant {
                RawQuant::F16 => Quant::F16,
                RawQuant::Q8_0 => Quant::Q8_0,
                RawQuant::Q4KM => Quant::Q4KM,
                RawQuant::Q4_0 => Quant::Q4_0,
            },
            depths: self.depths,
        }
    }
}

impl RawResidency {
    fn resolve(self) -> Residency {
        match self {
            RawResidency::Dram => Residency::Dram,
            RawResidency::Cache => Residency::Cache,
        }
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
            sample_ms: 0,
            with_state: false,
        }
    }
}

fn check_model(
    model: String,
    place: &Place,
    models: Option<&[String]>,
    problems: &mut Vec<Problem>,
) -> String {
    if let Some(models) = models
        && place.is_usable()
        && !models.contains(&model)
    {
        problems.push(unknown_id("model", "models", &model, place, models));
    }
    model
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quantisation_can_be_written_in_a_suite() {
        for quant in Quant::ALL {
            let raw: RawDecode = serde_json::from_value(serde_json::json!({
                "model": "m", "quant": quant.id(), "depths": [0]
            }))
            .unwrap();
            let mut problems = Vec::new();
            let (node, _) = crate::tree::parse("model: m\n");
            let work = raw.resolve(&Place::root(&node.unwrap()), None, &mut problems);
            assert!(problems.is_empty());
            assert!(matches!(work, SuiteWork::Decode { quant: got, .. } if got == quant));
        }
    }
}
