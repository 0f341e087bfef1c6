//! Which model to run on a board: ranked answers, and what each remedy would buy.
//!
//! Sure answers come first. Among equals the model with more parameters does, after what its quantisation costs is taken
//! off them: size is the only measure of a model's ability that its data file holds, and the reader is told so.

mod remedies;

use bench_inventory::{Inventory, KvFormat, Model, Quality, Quant};
use bench_locales::Figure::Percent;
use bench_locales::{Message, message};
use serde::Serialize;

pub use remedies::{Remedy, remedies};

use crate::choice::decide::{Decision, Scenario, Target, decide};
use crate::choice::predict;
use crate::label::Label;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Requirements {
    /// Tokens per second that must be reached with a full context.
    pub min_tokens_per_s: f64,
    /// Tokens that must fit into the KV cache.
    pub context: u64,
    /// RAM that must be left for others, bytes.
    pub ram_left_bytes: u64,
    /// Storage of keys and values.
    #[serde(skip)]
    pub kv_format: KvFormat,
    /// Quantisations that lose more than this are no answer: perplexity over that of F16, less one.
    pub max_loss: f64,
}

/// How sure an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Measured above the wish, with nothing that speaks against it.
    Sure,
    /// The whole predicted interval lies above it: all but the tenth that may be slower still.
    VeryLikely,
    /// More likely than not.
    Likely,
    /// Less likely than not.
    Unlikely,
    /// The whole interval, or the bound itself, lies below the wish.
    No,
}

impl Certainty {
    /// The stable name in data files.
    pub fn id(self) -> &'static str {
        match self {
            Certainty::Sure => "sure",
            Certainty::VeryLikely => "very_likely",
            Certainty::Likely => "likely",
            Certainty::Unlikely => "unlikely",
            Certainty::No => "no",
        }
    }

    /// What people read. Half of what an interval leaves out lies below it.
    pub fn words(self) -> Message {
        match self {
            Certainty::Sure => message!("certainty-sure"),
            Certainty::VeryLikely => message!(
                "certainty-very-likely",
                share = Percent((1.0 + predict::LEVEL) / 2.0),
            ),
            Certainty::Likely => message!("certainty-likely"),
            Certainty::Unlikely => message!("certainty-unlikely"),
            Certainty::No => message!("certainty-no"),
        }
    }

    /// CSS class of its mark.
    pub fn badge(self) -> &'static str {
        match self {
            Certainty::Sure | Certainty::VeryLikely => "ok",
            Certainty::Likely => "suspect",
            Certainty::Unlikely | Certainty::No => "invalid",
        }
    }
}

/// One model in the quantisation that suits the wish best.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked {
    /// Everything that is known of it.
    pub decision: Decision,
    /// How sure it is.
    pub certainty: Certainty,
    /// Lower end of what is expected over the wish, less one: 0.2 is 20 % to spare.
    pub margin: f64,
    /// Published loss of quality by this quantisation: perplexity over that of F16, less one.
    pub loss: Option<f64>,
    /// Smallest size of the board that holds it, bytes, where it is sold in several.
    pub from_capacity_bytes: Option<u64>,
    /// Price of the cheapest size that holds it.
    pub price: Option<PriceOf>,
    /// Parameters of the model.
    pub n_params: u64,
    /// Parameters of an unquantised model that would be as good: what answers are ranked by.
    pub n_effective_params: f64,
}

/// What the board costs that runs an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PriceOf {
    /// US dollars.
    pub usd: f64,
    /// Day of the price.
    pub date: String,
    /// Who sold it, or who paid.
    pub source: String,
    /// Expected tokens per second for 100 US dollars, by the middle of the interval.
    pub tokens_per_s_per_100_usd: f64,
}

/// The published table of quality; the first one, by id, where there are several.
pub fn quality(inventory: &Inventory) -> Option<&Quality> {
    inventory.quality.values().next()
}

/// The answers for a target, best first: of every model the quantisation that suits the wish best and fits.
pub fn recommend(inventory: &Inventory, target: &Target, wish: Requirements) -> Vec<Ranked> {
    let mut answers: Vec<Ranked> = (inventory.models.values())
        .filter_map(|model| of_model(inventory, target, model, wish))
        .collect();
    answers.sort_by(|a, b| {
        (a.certainty.cmp(&b.certainty))
            .then(b.n_effective_params.total_cmp(&a.n_effective_params))
            .then(a.decision.model.cmp(&b.decision.model))
    });
    answers
}

/// How the loss of a model falls with its parameters: as their power of this.
///
/// Source: Kaplan et al. 2020, "Scaling Laws for Neural Language Models" (arXiv 2001.08361), equation 1.1.
const LOSS_EXPONENT: f64 = 0.076;

/// Parameters of an unquantised model whose loss is that of this one after quantisation: loss is the logarithm of
/// perplexity, and the published table says by how much a quantisation raises that.
fn effective_params(n_params: u64, loss: Option<f64>, quality: Option<&Quality>) -> f64 {
    let raised = || {
        let nats = quality?.perplexity(Quant::F16)?.ln();
        Some((nats + (1.0 + loss?).ln()) / nats)
    };
    n_params as f64 * raised().unwrap_or(1.0).powf(-1.0 / LOSS_EXPONENT)
}

/// The surest quantisation of a model that fits; among equally sure ones that which loses least, or, where none is fast
/// enough, the fastest.
fn of_model(
    inventory: &Inventory,
    target: &Target,
    model: &Model,
    wish: Requirements,
) -> Option<Ranked> {
    let quality = quality(inventory);
    let loss = |quant| quality.and_then(|quality| quality.loss(quant));
    (Quant::ALL.into_iter())
        .filter(|quant| loss(*quant).is_none_or(|loss| loss <= wish.max_loss))
        .filter_map(|quant| answer(inventory, target, model, quant, wish))
        // Largest first in `ALL`, so that the first of equals loses least.
        .min_by(|a, b| {
            let second = |answer: &Ranked| match answer.certainty {
                Certainty::No => -answer.margin,
                _ => answer.loss.unwrap_or(0.0),
            };
            (a.certainty.cmp(&b.certainty)).then(second(a).total_cmp(&second(b)))
        })
}

/// Why nothing can be said of some models with the context that is asked for.
pub fn of_unknown_cache(inventory: &Inventory, wish: Requirements) -> Vec<String> {
    let models = inventory.models.values();
    models
        .filter_map(|it| it.kv_unknown(wish.context))
        .collect()
}

/// Models that cannot hold the context that is asked for, with the tokens they were made for.
pub fn too_short(inventory: &Inventory, wish: Requirements) -> Vec<(&str, u64)> {
    (inventory.models.values())
        .filter_map(|model| Some((model.id.as_str(), model.context_length?)))
        .filter(|(_, context_length)| *context_length < wish.context)
        .collect()
}

/// One model in one quantisation; `None` where it does not fit, was not made for that much context, or nothing is
/// expected of it.
fn answer(
    inventory: &Inventory,
    target: &Target,
    model: &Model,
    quant: Quant,
    wish: Requirements,
) -> Option<Ranked> {
    if model.kv_unknown(wish.context).is_some() {
        return None;
    }
    let quality = quality(inventory);
    let loss = quality.and_then(|quality| quality.loss(quant));
    let decision = decide(target, &load(model, quant, wish));
    let needed = (decision.need.total_bytes()).saturating_add(wish.ram_left_bytes);
    let room = target.room.as_ref()?;
    let expected = decision.expected.as_ref()?;
    let is_too_short = (model.context_length).is_some_and(|length| length < wish.context);
    if needed > room.bytes || is_too_short {
        return None;
    }
    let from = (target.rooms.iter()).find(|room| needed <= room.bytes);
    let prices = target.board.map(|board| board.prices.as_slice());
    let price = (prices.unwrap_or_default().iter())
        .filter(|price| {
            (target.rooms.iter())
                .filter_map(|room| Some((room.capacity_bytes?, room.bytes)))
                .any(|(capacity, bytes)| capacity == price.capacity_bytes && needed <= bytes)
        })
        .min_by(|a, b| a.usd.total_cmp(&b.usd))
        .map(|price| PriceOf {
            usd: price.usd,
            date: price.date.clone(),
            source: price.source.clone(),
            tokens_per_s_per_100_usd: expected.middle / price.usd * 100.0,
        });
    Some(Ranked {
        certainty: certainty(&decision, wish.min_tokens_per_s),
        margin: expected.low / wish.min_tokens_per_s - 1.0,
        loss,
        from_capacity_bytes: from.and_then(|room| room.capacity_bytes),
        price,
        n_params: model.n_params(),
        n_effective_params: effective_params(model.n_params(), loss, quality),
        decision,
    })
}

fn load(model: &Model, quant: Quant, wish: Requirements) -> Scenario<'_> {
    Scenario::new(model, quant, wish.context, wish.context, wish.kv_format)
}

fn certainty(decision: &Decision, min_tokens_per_s: f64) -> Certainty {
    let Some(expected) = &decision.expected else {
        return Certainty::No;
    };
    let is_measured = expected.label == Label::Measured;
    let is_reached = expected.middle >= min_tokens_per_s;
    match () {
        // What was disturbed may have been faster, or slower: it is evidence, not more.
        () if expected.disturbed && is_reached => Certainty::Likely,
        () if expected.disturbed => Certainty::Unlikely,
        () if is_measured && is_reached => Certainty::Sure,
        () if is_measured => Certainty::No,
        () if expected.low >= min_tokens_per_s => Certainty::VeryLikely,
        () if is_reached => Certainty::Likely,
        () if expected.high >= min_tokens_per_s => Certainty::Unlikely,
        () => Certainty::No,
    }
}
#[cfg(test)]
mod tests;
