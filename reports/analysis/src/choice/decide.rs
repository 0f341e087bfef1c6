//! The decision: one model in one quantisation on one board or host, from theory down to what is measured or expected.
//!
//! Joins what the other modules know (theory, reads, kernel rates, fit, prediction) into one row, so that the command
//! line and the report say the same. Every figure keeps its label.

mod target;

use std::collections::BTreeMap;

use bench_inventory::{KvFormat, Model, Quant, saturating_sum};
use bench_locales::Figure::Number;
use bench_locales::{Message, message};
use serde::{Serialize, Serializer};

pub use target::{Rate, Target, of_bandwidth, of_board, of_host};

use crate::label::Label;
use crate::limits::bounds::{self, token_bytes};
use crate::limits::fit::{self, Need, Room};
use crate::measured::{Chain, Judged};
use crate::validity::verdict::Verdict;

/// What is asked about: a model, how it is stored and how much it remembers.
#[derive(Debug, Clone)]
pub struct Scenario<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its quantisation; `None` for the weights of a real file, each tensor as it is stored there.
    pub quant: Option<Quant>,
    /// Id of the quantisation, or what the file calls its own.
    pub quant_id: String,
    /// Bytes of all tensors.
    pub file_bytes: u64,
    /// Bytes of weights that one token reads.
    pub read_bytes_per_token: u64,
    /// Tokens in the KV cache.
    pub depth: u64,
    /// Tokens that must fit into the KV cache; at least `depth`.
    pub context: u64,
    /// Storage of keys and values.
    pub kv_format: KvFormat,
    /// Whether the user stated the bytes: what was measured with the model's own does not hold then.
    pub is_given: bool,
    /// Bytes of weights that one token reads, by the format of their tensors.
    weight_bytes: BTreeMap<String, u64>,
}

impl<'a> Scenario<'a> {
    /// A model with a KV cache of `depth` tokens, in which `context` must fit.
    pub fn new(
        model: &'a Model,
        quant: Quant,
        depth: u64,
        context: u64,
        kv_format: KvFormat,
    ) -> Scenario<'a> {
        let by_format = model.read_bytes_by_format(quant);
        Scenario {
            model,
            quant: Some(quant),
            quant_id: quant.id().to_owned(),
            file_bytes: model.file_bytes(quant),
            read_bytes_per_token: saturating_sum(by_format.values().copied()),
            depth,
            context: context.max(depth),
            kv_format,
            is_given: false,
            weight_bytes: (by_format.into_iter())
                .map(|(format, bytes)| (format.id().to_owned(), bytes))
                .collect(),
        }
    }

    /// The same for the weights of the model's real file; `None` where it was not made from one.
    pub fn of_file(
        model: &'a Model,
        depth: u64,
        context: u64,
        kv_format: KvFormat,
    ) -> Option<Scenario<'a>> {
        let file = model.file.as_ref()?;
        let mut weight_bytes = BTreeMap::new();
        for tensor in file.tensors.iter().filter(|tensor| tensor.read_per_token) {
            let format = tensor.format.id().to_owned();
            let of_format: &mut u64 = weight_bytes.entry(format).or_default();
            *of_format = of_format.saturating_add(tensor.bytes());
        }
        Some(Scenario {
            model,
            quant: None,
            quant_id: file.quant.clone(),
            file_bytes: file.tensor_bytes(),
            read_bytes_per_token: file.read_bytes_per_token(),
            depth,
            context: context.max(depth),
            kv_format,
            is_given: false,
            weight_bytes,
        })
    }

    /// The same with bytes that the user states in place of the model's: all its tensors, and what a token reads.
    pub fn with_bytes(&mut self, bytes: u64) {
        self.file_bytes = bytes;
        self.read_bytes_per_token = bytes;
        self.is_given = true;
        self.weight_bytes.clear();
    }

    /// Bytes that one token reads: weights, and keys and values of what its layers look back over.
    pub fn token_bytes(&self) -> f64 {
        token_bytes(
            self.read_bytes_per_token,
            self.model.kv_read_bytes(self.kv_format, self.depth),
        )
    }
}

/// One step of the bound chain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Name of the step.
    pub step: StepKind,
    /// Kind of figure.
    pub label: Label,
    /// GB/s (10^9 bytes per second).
    pub gb_per_s: f64,
    /// The same in tokens per second of this model.
    pub tokens_per_s: f64,
    /// Ends of its interval, tokens per second, where it has one.
    pub interval_tokens_per_s: Option<[f64; 2]>,
    /// Share of the step before that it is held against.
    pub ratio: Option<f64>,
    /// That step.
    pub of: Option<StepKind>,
    /// What a loss against that step is due to.
    pub culprit: Option<Message>,
    /// Where the figure comes from.
    pub source: Message,
}

/// Tokens per second that are measured or expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expected {
    /// `measured` or `predicted`.
    pub label: Label,
    /// Lower end of the interval.
    pub low: f64,
    /// The median measured, or the most likely rate.
    pub middle: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Whether what it rests on was disturbed: it may be more, or less.
    pub disturbed: bool,
    /// What the interval is and rests on.
    pub basis: Message,
}

/// Measured power and what follows for tokens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Energy {
    /// The sensor that showed most.
    pub sensor: String,
    /// Its watts.
    pub watts: f64,
    /// Tokens for each joule.
    pub tokens_per_joule: f64,
}

/// What a board does with a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// Catalogue id of the board, or name of the host.
    pub target: String,
    /// Processor and memory.
    pub processor: String,
    /// Catalogue id of the model.
    pub model: String,
    /// Quantisation id.
    pub quant: String,
    /// Tokens in the KV cache.
    pub depth: u64,
    /// Storage of keys and values.
    pub kv_format: &'static str,
    /// From theory to decoding.
    pub chain: Vec<Step>,
    /// What binds, in a word or two.
    pub limit: Message,
    /// Most tokens per second that the known limits allow.
    pub bound_tokens_per_s: Option<f64>,
    /// Rate at which the cores read these weights from their caches, GB/s; a limit where it is below the memory's.
    pub cores_gb_per_s: Option<f64>,
    /// What is measured, or else expected.
    pub expected: Option<Expected>,
    /// Why nothing is expected.
    pub no_prediction: Option<Message>,
    /// What the board's sensors showed while exactly this was measured.
    pub energy: Option<Energy>,
    /// RAM that it needs with its context.
    pub need: Need,
    /// RAM that is there.
    pub room: Option<Room>,
    /// Whether it fits; `None` where the RAM is not known.
    pub fits: Option<bool>,
    /// Largest context that fits with flash attention and that the model was made for, tokens.
    pub max_context: Option<u64>,
    /// The same without flash attention.
    pub max_context_without_flash: Option<u64>,
}

/// A step from theory to decoding; each is held against one of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// What the data sheet allows.
    Theory,
    /// What the user states in its place.
    Given,
    /// What the memory gives to a plain read.
    Read,
    /// What the cores read from their caches.
    Kernel,
    /// The smallest of the known limits.
    Bound,
    /// Token generation itself.
    Decode,
}

impl StepKind {
    /// Its name for people.
    pub fn message(self) -> Message {
        match self {
            StepKind::Theory => message!("step-theory"),
            StepKind::Given => message!("step-given"),
            StepKind::Read => message!("step-read"),
            StepKind::Kernel => message!("step-kernel"),
            StepKind::Bound => message!("step-bound"),
            StepKind::Decode => message!("step-decode"),
        }
    }

    /// What a loss against the step before it is due to.
    pub fn culprit(self) -> Option<Message> {
        match self {
            StepKind::Read => Some(message!("culprit-read")),
            StepKind::Kernel => Some(message!("culprit-kernel")),
            StepKind::Decode => Some(message!("culprit-decode")),
            StepKind::Theory | StepKind::Given | StepKind::Bound => None,
        }
    }
}

impl Serialize for StepKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.message().serialize(serializer)
    }
}

/// Everything that is known of one load on one target.
pub fn decide(target: &Target, load: &Scenario) -> Decision {
    let bytes = load.token_bytes();
    let kernel = target.kernel_rate(&load.weight_bytes);
    let bound = bound(target, kernel);
    let expected = expected(target, load, bound.as_ref().map(|rate| rate.gb_per_s));
    let need = fit::need(load.model, load.file_bytes, load.context, load.kv_format);
    Decision {
        target: target.name.clone(),
        processor: target.processor.clone(),
        model: load.model.id.clone(),
        quant: load.quant_id.clone(),
        depth: load.depth,
        kv_format: load.kv_format.id(),
        limit: limit(target, kernel),
        bound_tokens_per_s: bound
            .as_ref()
            .map(|rate| bounds::tokens_per_s(rate.gb_per_s, bytes / 1e9)),
        chain: chain(target, kernel, bound, expected.as_ref(), bytes),
        cores_gb_per_s: kernel,
        no_prediction: (target.no_prediction.clone()).filter(|_| expected.is_none()),
        expected,
        energy: energy(target, load),
        need,
        fits: (target.room.as_ref()).map(|room| need.total_bytes() <= room.bytes),
        max_context: longest(target, load, Need::total_bytes),
        max_context_without_flash: longest(target, load, Need::total_without_flash_bytes),
        room: target.room.clone(),
    }
}

fn longest(target: &Target, load: &Scenario, total: fn(&Need) -> u64) -> Option<u64> {
    let room = target.room.as_ref()?;
    fit::max_context(
        load.model,
        load.file_bytes,
        load.kv_format,
        room.bytes,
        total,
    )
}

fn bound(target: &Target, kernel: Option<f64>) -> Option<Rate> {
    let (memory, name) = match (&target.read, &target.theory) {
        (Some(read), _) if read.label == Label::Measured => {
            (read.gb_per_s, message!("bound-from-read"))
        }
        (_, Some(theory)) if theory.label == Label::Given => {
            (theory.gb_per_s, message!("bound-from-given"))
        }
        (_, Some(theory)) => (theory.gb_per_s, message!("bound-from-theory")),
        _ => return None,
    };
    let (gb_per_s, what) = match kernel {
        Some(kernel) if kernel < memory => (kernel, message!("bound-from-cores")),
        _ => (memory, name),
    };
    Some(Rate {
        gb_per_s,
        label: Label::Theory,
        source: what,
    })
}

/// The limit that binds, as far as it is known.
fn limit(target: &Target, kernel: Option<f64>) -> Message {
    let read = target
        .read
        .as_ref()
        .filter(|read| read.label == Label::Measured);
    match (read, kernel) {
        (Some(read), Some(kernel)) if kernel < read.gb_per_s => message!("limit-cores"),
        (Some(_), Some(_)) => message!("limit-memory"),
        (Some(_), None) => message!("limit-memory-known"),
        (None, _) if (target.theory.as_ref()).is_some_and(|it| it.label == Label::Given) => {
            message!("limit-memory-given")
        }
        (None, _) if target.theory.is_some() => message!("limit-memory-theory"),
        (None, _) => message!("unknown"),
    }
}

fn expected(target: &Target, load: &Scenario, bound_gb_per_s: Option<f64>) -> Option<Expected> {
    if let Some(measured) = measured(target, load) {
        return Some(measured);
    }
    let (prediction, base) = target.prediction.as_ref()?;
    let cap = bound_gb_per_s.unwrap_or(f64::INFINITY);
    let tokens = |share: f64| {
        let gb_per_s = (share * base.gb_per_s).min(cap);
        bounds::tokens_per_s(gb_per_s, load.token_bytes() / 1e9)
    };
    Some(Expected {
        label: Label::Predicted,
        low: tokens(prediction.low),
        middle: tokens(prediction.middle),
        high: tokens(prediction.high),
        disturbed: target.disturbed,
        basis: prediction.basis(),
    })
}

fn energy(target: &Target, load: &Scenario) -> Option<Energy> {
    let (_, unit) = measured_unit(target, load)?;
    let power = unit.power.first()?;
    Some(Energy {
        sensor: power.sensor.clone(),
        watts: power.watts,
        tokens_per_joule: unit.tokens_per_joule()?,
    })
}

/// The best measured unit of exactly this load, with its chain.
fn measured_unit<'a>(target: &Target<'a>, load: &Scenario) -> Option<(&'a Chain, &'a Judged)> {
    let host = target.host.filter(|_| !load.is_given)?;
    let chains = host.best_chains();
    let chain = chains.into_iter().find(|chain| {
        let model = &chain.model;
        chain.verdict.is_usable()
            && model.model == load.model.id
            && model.quant == load.quant_id
            && model.depth == load.depth
            && model.kv_format.name() == load.kv_format.id()
    })?;
    let unit = host.units.iter().find(|unit| unit.unit == chain.unit)?;
    Some((chain, unit))
}

/// The best measured rate of exactly this load.
fn measured(target: &Target, load: &Scenario) -> Option<Expected> {
    let (chain, unit) = measured_unit(target, load)?;
    // The summary is of times: the ends of its interval trade places.
    let summary = unit.summary.as_ref()?;
    let rate_at = |ns: f64| chain.measured_tokens_per_s * summary.median / ns;
    Some(Expected {
        label: Label::Measured,
        low: rate_at(summary.ci_high),
        middle: chain.measured_tokens_per_s,
        high: rate_at(summary.ci_low),
        disturbed: unit.verdict != Verdict::Ok,
        basis: message!("basis-measured", n = summary.n, unit = &chain.unit),
    })
}

fn chain(
    target: &Target,
    kernel: Option<f64>,
    bound: Option<Rate>,
    expected: Option<&Expected>,
    bytes: f64,
) -> Vec<Step> {
    let rate_of = |rate: &Option<Rate>| rate.as_ref().map(|rate| rate.gb_per_s);
    let (theory, bound_rate) = (rate_of(&target.theory), rate_of(&bound));
    let most = expected.map_or(0.0, |expected| expected.high * bytes / 1e9);
    // Others' reads are no limit, so one that is below what decoding may reach, or above theory, says nothing here.
    let read = (target.read.clone()).filter(|read| {
        read.label == Label::Measured
            || (read.gb_per_s >= most && theory.is_none_or(|theory| read.gb_per_s <= theory))
    });
    let read_rate = rate_of(&read);
    let kernel = kernel.map(|gb_per_s| Rate {
        gb_per_s,
        label: Label::Measured,
        source: message!("source-cached-products"),
    });
    // Cores that could read more than the memory gives take nothing away.
    let memory = read_rate.or(theory).unwrap_or(f64::INFINITY);
    let kernel = kernel.filter(|kernel| kernel.gb_per_s <= memory);
    let decode = expected.map(|expected| Rate {
        gb_per_s: expected.middle * bytes / 1e9,
        label: expected.label,
        source: expected.basis.clone(),
    });
    let theory_name = match target.theory.as_ref().map(|theory| theory.label) {
        Some(Label::Given) => StepKind::Given,
        _ => StepKind::Theory,
    };
    let mut links = vec![
        (theory_name, target.theory.clone(), None),
        (StepKind::Read, read, theory.map(|rate| (rate, theory_name))),
        (
            StepKind::Kernel,
            kernel,
            read_rate.map(|rate| (rate, StepKind::Read)),
        ),
        (StepKind::Bound, bound, None),
        (
            StepKind::Decode,
            decode,
            bound_rate.map(|rate| (rate, StepKind::Bound)),
        ),
    ];
    // The bound stands where its rate does: by theory alone it comes before what others read.
    if bound_rate > read_rate {
        links.swap(1, 3);
        links.swap(2, 3);
    }
    (links.into_iter())
        .filter_map(|(step, rate, against)| {
            let rate = rate?;
            Some(Step {
                step,
                label: rate.label,
                gb_per_s: rate.gb_per_s,
                tokens_per_s: bounds::tokens_per_s(rate.gb_per_s, bytes / 1e9),
                interval_tokens_per_s: (expected.filter(|_| step == StepKind::Decode))
                    .map(|expected| [expected.low, expected.high]),
                ratio: against.map(|(against, _)| rate.gb_per_s / against),
                of: against.map(|(_, name)| name),
                culprit: step.culprit().filter(|_| against.is_some()),
                source: rate.source,
            })
        })
        .collect()
}

impl Expected {
    /// `4.1 to 6.8` tokens/s for predictions, `5.30` for what was measured.
    pub fn words(&self) -> Message {
        match self.label {
            Label::Measured => message!("quoted", text = Number(self.middle)),
            _ => message!("range", from = Number(self.low), to = Number(self.high)),
        }
    }
}

#[cfg(test)]
mod tests;
