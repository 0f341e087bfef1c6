//! The answer for one host or board: which model to run, how sure that is, and what would help.

use bench_inventory::Inventory;
use serde::Serialize;

use super::{Page, Scope, value};
use bench_analysis::choice::decide::{Target, of_board, of_host};
use bench_analysis::choice::decisions::{WISH, quant_name};
use bench_analysis::choice::predict::Machine;
use bench_analysis::choice::recommend::{self, Answer, Remedy, quality};
use bench_analysis::label::Label;
use bench_analysis::limits::bounds;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    min_tokens_per_s: String,
    context: String,
    room: String,
    processors: Vec<Processor>,
    quality: String,
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
    label: &'static str,
    bound: String,
    limit: &'static str,
    needs: String,
    from: String,
    longest: String,
    loss: String,
}

#[derive(Serialize)]
struct RemedyRow {
    what: String,
    buys: String,
    label: &'static str,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let inventory = &page.analysis.run.inventory;
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
        min_tokens_per_s: format::integer(WISH.min_tokens_per_s),
        context: format::integer(WISH.context as f64),
        room: room.map_or_else(String::new, |room| {
            format!(
                "{} ({}: {})",
                format::decimal_bytes(room.bytes),
                room.label.name(),
                format::foreign(&room.source)
            )
        }),
        quality: quality(inventory).map_or_else(String::new, |table| {
            format::foreign(&format!(
                "{} of {} over that of F16, published in {}. {}",
                table.metric, table.model, table.source, table.note
            ))
        }),
        processors: (targets.iter())
            .map(|target| processor(inventory, target, machines))
            .collect(),
    })
}

fn processor(inventory: &Inventory, target: &Target, machines: &[Machine]) -> Processor {
    let answers = recommend::recommend(inventory, target, WISH);
    let best = answers.first();
    let remedies = best.map_or_else(Vec::new, |best| {
        recommend::remedies(inventory, target, machines, best, WISH)
    });
    let mut basis: Vec<String> = (answers.iter())
        .filter_map(|answer| answer.decision.expected.as_ref())
        .map(|expected| format!("{}: {}", expected.label.name(), expected.basis))
        .collect();
    basis.sort();
    basis.dedup();
    let why_not = match (best, &target.no_prediction) {
        (Some(_), _) => String::new(),
        (None, Some(why)) => why.clone(),
        (None, None) => "no model of the catalogue fits".to_owned(),
    };
    Processor {
        name: target.processor.to_uppercase(),
        why_not: format::foreign(&why_not),
        best: best.map_or_else(String::new, |best| {
            format!("{} {}", best.decision.model, best.decision.quant)
        }),
        price: best.map_or_else(String::new, price),
        remedies: remedies.into_iter().map(remedy_row).collect(),
        basis: basis.iter().map(|basis| format::foreign(basis)).collect(),
        rows: answers.into_iter().map(row).collect(),
    }
}

fn price(best: &Answer) -> String {
    best.price.as_ref().map_or_else(String::new, |price| {
        format!(
            "{} US dollars on {} ({}): {} tokens/s for 100 US dollars with {}",
            format::number(price.usd),
            format::foreign(&price.date),
            format::foreign(&price.source),
            format::number(price.tokens_per_s_per_100_usd),
            best.decision.model
        )
    })
}

fn remedy_row(remedy: Remedy) -> RemedyRow {
    RemedyRow {
        what: format::foreign(&remedy.what),
        buys: format::foreign(&remedy.buys),
        label: remedy.label.map_or(format::UNKNOWN, Label::name),
    }
}

fn row(answer: Answer) -> Row {
    let decision = &answer.decision;
    let expected = decision.expected.as_ref();
    Row {
        certainty: answer.certainty.words(),
        badge: answer.certainty.badge(),
        model: format::foreign_short(&decision.model, 40),
        quant: bench_inventory::Quant::from_id(&decision.quant)
            .map_or_else(|_| decision.quant.clone(), quant_name),
        expected: expected
            .map_or_else(String::new, bench_analysis::choice::decide::Expected::words),
        label: expected.map_or("", |expected| expected.label.name()),
        bound: (decision.bound_tokens_per_s).map_or_else(|| format::UNKNOWN.into(), format::number),
        limit: decision.limit,
        needs: format::decimal_bytes(decision.need.total_bytes()),
        from: (answer.from_capacity_bytes).map_or_else(String::new, |bytes| {
            format!("from {}", format::binary_bytes(bytes))
        }),
        longest: (decision.max_context).map_or_else(String::new, |tokens| {
            format!("{} tokens", format::integer(tokens as f64))
        }),
        loss: (answer.loss).map_or_else(|| format::UNKNOWN.into(), format::signed_percent),
    }
}
