//! What would help: the next quantisation, a smaller cache, freed RAM, a quiet bus, another board.

use bench_inventory::{Inventory, KvFormat, Model, Quant};
use bench_locales::Figure::{DecimalBytes, Number, SignedPercent, TokensPerS};
use bench_locales::{Message, message};
use serde::Serialize;

use super::{Certainty, Ranked, Requirements, answer, load, quality};
use crate::choice::decide::{Target, decide, of_board};
use crate::choice::predict::Machine;
use crate::compare::{Metric, Outcome};
use crate::label::Label;
use crate::stats;

/// One remedy and what it buys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Remedy {
    /// What to do.
    pub what: Message,
    /// What it buys, in words with units.
    pub buys: Message,
    /// Kind of the figures in it; `None` where nothing is known.
    pub label: Option<Label>,
    /// Speed over that of the answer; `None` where it is not about speed, or not known.
    pub speed_ratio: Option<f64>,
}

/// Everything that would make an answer faster or let a larger model fit.
pub fn remedies(
    inventory: &Inventory,
    target: &Target,
    machines: &[Machine],
    best: &Ranked,
    wish: Requirements,
) -> Vec<Remedy> {
    let Some(model) = inventory.models.get(&best.decision.model) else {
        return Vec::new();
    };
    let Ok(quant) = Quant::from_id(&best.decision.quant) else {
        return Vec::new();
    };
    let mut remedies = Vec::new();
    remedies.extend(next_quant(inventory, model, quant, wish));
    remedies.extend(smaller_cache(model, quant, wish));
    remedies.extend(freed_bus(target));
    remedies.extend(freed_ram(inventory, target, best, wish));
    remedies.extend(other_boards(inventory, target, machines, best, model, wish));
    remedies
}

fn token_bytes(model: &Model, quant: Quant, wish: Requirements) -> f64 {
    load(model, quant, wish).token_bytes()
}

/// A gain by fewer bytes that is worth another file.
const WORTH_IT: f64 = 1.05;

/// The largest quantisation that reads clearly fewer bytes.
fn next_quant(
    inventory: &Inventory,
    model: &Model,
    quant: Quant,
    wish: Requirements,
) -> Option<Remedy> {
    let now = token_bytes(model, quant, wish);
    let (next, bytes) = (Quant::ALL.into_iter())
        .map(|next| (next, token_bytes(model, next, wish)))
        .filter(|(_, bytes)| *bytes * WORTH_IT < now)
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    let table = quality(inventory);
    let loss = |quant| table.and_then(|table| table.loss(quant));
    let quality = match (loss(quant), loss(next), table) {
        (Some(before), Some(after), Some(table)) => message!(
            "remedy-quality",
            after = SignedPercent(after),
            before = SignedPercent(before),
            model = &table.model,
            source = &table.source,
        ),
        _ => message!("remedy-quality-unknown"),
    };
    Some(Remedy {
        what: message!("remedy-quantise", next = next.id(), now = quant.id()),
        buys: message!(
            "remedy-quantise-buys",
            speed = SignedPercent(now / bytes - 1.0),
            freed = DecimalBytes((model.file_bytes(quant)).saturating_sub(model.file_bytes(next))),
            quality = quality,
        ),
        label: Some(Label::Theory),
        speed_ratio: Some(now / bytes),
    })
}

/// Keys and values in fewer bits, or fewer of them.
fn smaller_cache(model: &Model, quant: Quant, wish: Requirements) -> Vec<Remedy> {
    let now = token_bytes(model, quant, wish);
    let kv_bytes = |kv: KvFormat, tokens: u64| crate::limits::fit::kv_bytes(model, tokens, kv);
    let remedy = |what: Message, changed: Requirements| {
        let bytes = token_bytes(model, quant, changed);
        let freed = kv_bytes(wish.kv_format, wish.context)
            .saturating_sub(kv_bytes(changed.kv_format, changed.context));
        (bytes < now).then(|| Remedy {
            what,
            buys: message!(
                "remedy-cache-buys",
                speed = SignedPercent(now / bytes - 1.0),
                freed = DecimalBytes(freed),
            ),
            label: Some(Label::Theory),
            speed_ratio: Some(now / bytes),
        })
    };
    let mut remedies: Vec<Remedy> = (KvFormat::ALL.into_iter())
        .filter_map(|kv_format| {
            remedy(
                message!(
                    "remedy-kv-format",
                    next = kv_format.id(),
                    now = wish.kv_format.id(),
                ),
                Requirements { kv_format, ..wish },
            )
        })
        .collect();
    remedies.extend(remedy(
        message!("remedy-context", n = wish.context / 2),
        Requirements {
            context: wish.context / 2,
            ..wish
        },
    ));
    remedies
}

/// What stopping services and preparing the board gained, and what others on the bus cost: measured, or said to be
/// unknown.
fn freed_bus(target: &Target) -> Vec<Remedy> {
    let Some(host) = target.host else {
        return vec![unknown(
            message!("remedy-services"),
            message!("remedy-unknown-board"),
        )];
    };
    let mut remedies = Vec::new();
    // A gain is one that was seen beyond the noise of both sides, from figures that nothing speaks against.
    let of_tokens = || {
        let gains = host.gains().into_iter();
        gains.filter(|gain| gain.metric == Metric::TokensPerS && gain.ratio.is_finite())
    };
    let mut ratios: Vec<f64> = of_tokens()
        .filter(|gain| gain.outcome == Outcome::Faster && gain.ratio > 1.0)
        .map(|gain| gain.ratio)
        .collect();
    ratios.sort_by(f64::total_cmp);
    let n_all = of_tokens().count();
    let median = stats::median(&ratios).filter(|_| host.disturbed().is_none());
    match median.filter(|_| 2 * ratios.len() > n_all) {
        Some(ratio) => remedies.push(Remedy {
            what: message!("remedy-prepare"),
            buys: message!(
                "remedy-prepare-buys",
                speed = SignedPercent(ratio - 1.0),
                n = ratios.len(),
                n_all = n_all,
            ),
            label: Some(Label::Measured),
            speed_ratio: Some(ratio),
        }),
        None if n_all == 0 => remedies.push(unknown(
            message!("remedy-services"),
            message!("remedy-unknown-host"),
        )),
        // It was tried, and bought nothing that could be told from noise.
        None => {}
    }
    let slope = (host.interferences().into_iter())
        .filter(|it| it.model.is_some())
        .find_map(|it| it.clear_slope())
        .filter(|slope| *slope < 0.0);
    remedies.extend(slope.map(|slope| Remedy {
        what: message!("remedy-bus"),
        buys: message!("remedy-bus-buys", speed = TokensPerS(-slope)),
        label: Some(Label::Measured),
        speed_ratio: None,
    }));
    remedies
}

fn unknown(what: Message, why: Message) -> Remedy {
    Remedy {
        what,
        buys: why,
        label: None,
        speed_ratio: None,
    }
}

/// The larger model that is fast enough and misses by the least RAM.
fn freed_ram(
    inventory: &Inventory,
    target: &Target,
    best: &Ranked,
    wish: Requirements,
) -> Option<Remedy> {
    let room = target.room.as_ref()?;
    let table = quality(inventory);
    let missing = |model: &Model, quant: Quant| {
        let loss = table.and_then(|table| table.loss(quant));
        if loss.is_some_and(|loss| loss > wish.max_loss) {
            return None;
        }
        let decision = decide(target, &load(model, quant, wish));
        let is_fast = decision.expected.as_ref()?.middle >= wish.min_tokens_per_s;
        let needed = decision.need.total_bytes() + wish.ram_left_bytes;
        let missing = needed.checked_sub(room.bytes).filter(|it| *it > 0)?;
        is_fast.then_some(missing)
    };
    let larger = (inventory.models.values()).filter(|model| model.n_params() > best.n_params);
    let (bytes, model, quant) = larger
        .flat_map(|model| Quant::ALL.map(|quant| (model, quant)))
        .filter_map(|(model, quant)| Some((missing(model, quant)?, model, quant)))
        .min_by_key(|(missing, model, _)| (*missing, model.id.clone()))?;
    Some(Remedy {
        what: message!("remedy-ram", bytes = DecimalBytes(bytes)),
        buys: message!("remedy-ram-buys", model = &model.name, quant = quant.id()),
        label: Some(Label::Predicted),
        speed_ratio: None,
    })
}

/// Boards on which the same model in the same quantisation is faster, cheapest first.
fn other_boards(
    inventory: &Inventory,
    target: &Target,
    machines: &[Machine],
    best: &Ranked,
    model: &Model,
    wish: Requirements,
) -> Vec<Remedy> {
    let here = best.decision.expected.as_ref().map(|it| it.middle);
    let own = target.board.map(|board| board.id.as_str());
    let mut faster: Vec<(f64, Ranked)> = (inventory.boards.values())
        .filter(|board| Some(board.id.as_str()) != own)
        .filter_map(|board| {
            let memory = crate::limits::bounds::fastest_memory(board)?;
            let processor = memory.processors.first()?;
            let other = of_board(inventory, board, memory, processor, machines);
            let quant = Quant::from_id(&best.decision.quant).ok()?;
            let answer = answer(inventory, &other, model, quant, wish)?;
            let ratio = answer.decision.expected.as_ref()?.middle / here?;
            (ratio > 1.1 && answer.certainty <= Certainty::Likely).then_some((ratio, answer))
        })
        .collect();
    let usd = |answer: &Ranked| answer.price.as_ref().map_or(f64::INFINITY, |it| it.usd);
    faster.sort_by(|(a_ratio, a), (b_ratio, b)| {
        (usd(a).total_cmp(&usd(b)))
            .then(b_ratio.total_cmp(a_ratio))
            .then(a.decision.target.cmp(&b.decision.target))
    });
    (faster.into_iter())
        .map(|(ratio, answer)| {
            let price = match &answer.price {
                Some(price) => message!("price", usd = Number(price.usd), date = &price.date),
                None => message!("price-unknown"),
            };
            let rate = answer.decision.expected.as_ref().map(|expected| {
                message!(
                    "remedy-board-rate",
                    rate = expected.words(),
                    label = expected.label.message(),
                )
            });
            Remedy {
                what: message!(
                    "remedy-board",
                    board = &answer.decision.target,
                    processor = &answer.decision.processor,
                ),
                buys: match rate {
                    Some(rate) => message!("clauses", first = rate, rest = price),
                    None => price,
                },
                label: Some(Label::Predicted),
                speed_ratio: Some(ratio),
            }
        })
        .collect()
}
