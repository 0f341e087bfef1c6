//! The answer for one host or board: which model to run, how sure that is, and what would help.

use bench_inventory::{Inventory, Quality};
use bench_locales::Figure::{BinaryBytes, DecimalBytes, Integer, Number, SignedPercent};
use bench_locales::{Text, say};
use serde::Serialize;

use crate::pages::{Page, Scope, value};
use bench_analysis::choice::decide::{Target, of_board, of_host};
use bench_analysis::choice::decisions::{WISH, quant_name};
use bench_analysis::choice::predict::Machine;
use bench_analysis::choice::recommend::{self, Ranked, Remedy, quality};
use bench_analysis::limits::bounds;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    min_tokens_per_s: String,
    context: u64,
    room: String,
    processors: Vec<Processor>,
    quality: String,
    quality_note: String,
}

/// The answer for one processor of the host or board.
#[derive(Serialize)]
struct Processor {
    name: String,
    why_not: String,
    rows: Vec<Row>,
    best: String,
    remedies: Vec<RemedyRow>,
    basis: Vec<String>,
    price: String,
}

#[derive(Serialize)]
struct Row {
    certainty: String,
    badge: &'static str,
    model: String,
    quant: String,
    expected: String,
    label: String,
    bound: String,
    limit: String,
    needs: String,
    from: String,
    longest: String,
    loss: String,
}

#[derive(Serialize)]
struct RemedyRow {
    what: String,
    buys: String,
    label: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, inventory) = (page.text, &page.analysis.run.inventory);
    let machines = &page.decisions.machines;
    let targets: Vec<Target> = match page.scope {
        Scope::Host(host) if host.best_read.is_some() => vec![of_host(host, machines)],
        Scope::Board(board) => {
            let memory = bounds::fastest_memory(board)?;
            (memory.processors.iter())
                .map(|processor| of_board(inventory, board, memory, processor, machines))
                .collect()
        }
        _ => return None,
    };
    let room = targets.first()?.room.as_ref();
    value(View {
        min_tokens_per_s: text.figure(Integer(WISH.min_tokens_per_s)),
        context: WISH.context,
        room: room.map_or_else(String::new, |room| {
            say!(
                text,
                "decision-room-from",
                room = DecimalBytes(room.bytes),
                label = room.label.message(),
                source = &room.source,
            )
        }),
        quality: quality(inventory).map_or_else(String::new, |table| quality_source(text, table)),
        quality_note: quality(inventory)
            .map_or_else(String::new, |table| format::foreign(&table.note)),
        processors: (targets.iter())
            .map(|target| processor(text, inventory, target, machines))
            .collect(),
    })
}

/// Where the losses of quality come from.
pub(in crate::pages) fn quality_source(text: &Text, table: &Quality) -> String {
    say!(
        text,
        "quality-source",
        metric = format::foreign(&table.metric),
        model = format::foreign(&table.model),
        source = format::foreign(&table.source),
    )
}

fn processor(
    text: &Text,
    inventory: &Inventory,
    target: &Target,
    machines: &[Machine],
) -> Processor {
    let answers = recommend::recommend(inventory, target, WISH);
    let best = answers.first();
    let remedies = best.map_or_else(Vec::new, |best| {
        recommend::remedies(inventory, target, machines, best, WISH)
    });
    let mut basis: Vec<String> = (answers.iter())
        .filter_map(|answer| answer.decision.expected.as_ref())
        .map(|expected| {
            say!(
                text,
                "decision-basis",
                label = expected.label.message(),
                basis = &expected.basis,
            )
        })
        .collect();
    basis.sort();
    basis.dedup();
    let why_not = match (best, &target.no_prediction) {
        (Some(_), _) => String::new(),
        (None, Some(why)) => text.say(why),
        (None, None) => say!(text, "decision-nothing-fits"),
    };
    Processor {
        name: target.processor.to_uppercase(),
        why_not: format::foreign(&why_not),
        best: best.map_or_else(String::new, |best| {
            format!("{} {}", best.decision.model, best.decision.quant)
        }),
        price: best.map_or_else(String::new, |best| price(text, best)),
        remedies: (remedies.into_iter())
            .map(|remedy| remedy_row(text, remedy))
            .collect(),
        basis: basis.iter().map(|basis| format::foreign(basis)).collect(),
        rows: (answers.into_iter())
            .map(|answer| row(text, answer))
            .collect(),
    }
}

fn price(text: &Text, best: &Ranked) -> String {
    best.price.as_ref().map_or_else(String::new, |price| {
        say!(
            text,
            "decision-price",
            usd = Number(price.usd),
            date = format::foreign(&price.date),
            source = format::foreign(&price.source),
            rate = Number(price.tokens_per_s_per_100_usd),
            model = format::foreign(&best.decision.model),
        )
    })
}

fn remedy_row(text: &Text, remedy: Remedy) -> RemedyRow {
    RemedyRow {
        what: format::foreign(&text.say(&remedy.what)),
        buys: format::foreign(&text.say(&remedy.buys)),
        label: (remedy.label)
            .map_or_else(|| say!(text, "unknown"), |label| text.say(&label.message())),
    }
}

fn row(text: &Text, answer: Ranked) -> Row {
    let decision = &answer.decision;
    let expected = decision.expected.as_ref();
    Row {
        certainty: text.say(&answer.certainty.words()),
        badge: answer.certainty.badge(),
        model: format::foreign_short(&decision.model, 40),
        quant: bench_inventory::Quant::from_id(&decision.quant)
            .map_or_else(|_| decision.quant.clone(), quant_name),
        expected: expected.map_or_else(String::new, |it| text.say(&it.words())),
        label: expected.map_or_else(String::new, |it| text.say(&it.label.message())),
        bound: text.figure_or_unknown(decision.bound_tokens_per_s.map(Number)),
        limit: text.say(&decision.limit),
        needs: text.figure(DecimalBytes(decision.need.total_bytes())),
        from: (answer.from_capacity_bytes).map_or_else(String::new, |bytes| {
            say!(text, "decision-from", capacity = BinaryBytes(bytes))
        }),
        longest: (decision.max_context)
            .map_or_else(String::new, |tokens| say!(text, "tokens", n = tokens)),
        loss: text.figure_or_unknown(answer.loss.map(SignedPercent)),
    }
}
