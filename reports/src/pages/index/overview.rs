//! Measured read bandwidth inside the theoretical one: every host, and every board without a host as theory only.

use std::collections::BTreeSet;

use bench_inventory::{Board, Memory};
use bench_locales::Figure::{GbPerS, Number, Percent};
use bench_locales::{Text, say};
use serde::Serialize;

use crate::charts::{Bar, Caption, Mark, bar_chart};
use crate::pages::page_name;
use crate::pages::{Page, mark_class, value};
use bench_analysis::choice::decisions::memory_label;
use bench_analysis::limits::theory;
use bench_analysis::measured::HostAnalysis;
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    chart: String,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    href: String,
    kind: String,
    badge: &'static str,
    theory: String,
    formula: String,
    source: String,
    measured: String,
    threads: String,
    efficiency: String,
    note: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, inventory) = (page.text, &page.analysis.run.inventory);
    let mut bars = Vec::new();
    let mut rows = Vec::new();
    let mut measured: Vec<&HostAnalysis> = (page.analysis.hosts.iter())
        .filter(|host| host.best_read.is_some() || above_theory(host).is_some())
        .collect();
    let rate = |host: &HostAnalysis| host.best_read.as_ref().map_or(0.0, |read| read.gb_per_s);
    measured.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
    for host in &measured {
        bars.extend(host_bar(text, host));
        rows.push(host_row(text, host));
    }
    let with_host: BTreeSet<&str> = (measured.iter())
        .filter_map(|host| theory::board_id(&host.data.record, inventory))
        .collect();
    let mut alone: Vec<(&Board, &Memory)> = (inventory.boards.values())
        .filter(|board| !with_host.contains(board.id.as_str()) || board.memories.len() > 1)
        .flat_map(|board| board.memories.iter().map(move |memory| (board, memory)))
        .collect();
    alone.sort_by(|a, b| {
        b.1.theoretical_gb_per_s()
            .total_cmp(&a.1.theoretical_gb_per_s())
    });
    for (board, memory) in alone {
        bars.push(board_bar(text, board, memory));
        rows.push(board_row(text, board, memory));
    }
    let caption = Caption {
        text,
        id: "bandwidth",
        title: &say!(text, "overview-chart"),
        description: &say!(text, "overview-chart-text"),
    };
    let chart = match bars.is_empty() {
        true => String::new(),
        false => bar_chart(&caption, &say!(text, "axis-gb-per-s"), &bars),
    };
    value(View { chart, rows })
}

/// A read that exceeds theory, when nothing else is usable: shown hollow, never hidden.
fn above_theory(host: &HostAnalysis) -> Option<f64> {
    if host.best_read.is_some() || host.data.record.emulated {
        return None;
    }
    let invalid = host
        .units
        .iter()
        .filter(|unit| unit.verdict == Verdict::Invalid && unit.efficiency.is_some());
    invalid
        .filter_map(|unit| unit.gb_per_s)
        .max_by(f64::total_cmp)
}

fn host_bar(text: &Text, host: &HostAnalysis) -> Option<Bar> {
    let theory = host.theory.as_ref().ok();
    let (kind, gb_per_s) = match &host.best_read {
        Some(read) => {
            let verdict = host.best_read_verdict().unwrap_or(Verdict::Ok);
            (mark_class(verdict), read.gb_per_s)
        }
        None => ("invalid", above_theory(host)?),
    };
    let mut marks: Vec<Mark> = theory
        .map(|theory| Mark::Theory(theory.gb_per_s))
        .into_iter()
        .collect();
    marks.push(Mark::Bar(kind, gb_per_s));
    let value = match theory {
        Some(theory) => say!(
            text,
            "overview-bar",
            read = Number(gb_per_s),
            theory = GbPerS(theory.gb_per_s),
            share = Percent(gb_per_s / theory.gb_per_s),
        ),
        None => say!(text, "overview-bar-unknown", read = GbPerS(gb_per_s)),
    };
    let board = host
        .board
        .map(|board| format!(" · {}", format::foreign_short(&board.name, 40)))
        .unwrap_or_default();
    Some(Bar {
        label: format!("{}{board}", format::foreign_short(host.name(), 60)),
        value,
        marks,
    })
}

fn board_bar(text: &Text, board: &Board, memory: &Memory) -> Bar {
    Bar {
        label: text.say(&memory_label(board, memory)),
        value: say!(
            text,
            "overview-bar-theory",
            theory = GbPerS(memory.theoretical_gb_per_s()),
        ),
        marks: vec![Mark::Theory(memory.theoretical_gb_per_s())],
    }
}

fn host_row(text: &Text, host: &HostAnalysis) -> Row {
    let theory = host.theory.as_ref();
    let read = host.best_read.as_ref();
    Row {
        name: format::foreign_short(host.name(), 60),
        href: format!("hosts/{}", page_name(host.name())),
        kind: match read {
            Some(_) => say!(text, "measured"),
            None => say!(text, "invalid"),
        },
        badge: if read.is_some() { "ok" } else { "invalid" },
        theory: text.figure_or_unknown(theory.ok().map(|theory| GbPerS(theory.gb_per_s))),
        formula: theory
            .map(|theory| theory.formula.clone())
            .unwrap_or_default(),
        source: text.say(theory.map_or_else(|why| why, |theory| &theory.source)),
        measured: read
            .map(|read| read.gb_per_s)
            .or(above_theory(host))
            .map(|rate| text.figure(GbPerS(rate)))
            .unwrap_or_default(),
        threads: read
            .map(|read| {
                format!(
                    "{}, {}",
                    format::foreign_short(&read.kernel, 40),
                    say!(text, "threads", n = read.n_threads)
                )
            })
            .unwrap_or_default(),
        efficiency: host
            .read_efficiency()
            .map(|share| text.figure(Percent(share)))
            .unwrap_or_default(),
        note: theory
            .ok()
            .and_then(|theory| theory.note.as_ref())
            .map(|note| text.say(note))
            .unwrap_or_default(),
    }
}

fn board_row(text: &Text, board: &Board, memory: &Memory) -> Row {
    let theory = theory::Theory::of_memory(memory);
    let quoted: Vec<String> = (memory.quoted.iter())
        .map(|quote| {
            format!(
                "{} ({})",
                text.figure(GbPerS(quote.gb_per_s)),
                format::foreign(&quote.source)
            )
        })
        .collect();
    Row {
        name: text.say(&memory_label(board, memory)),
        href: format!("boards/{}", page_name(&board.id)),
        kind: say!(text, "theory-only"),
        badge: "theory",
        theory: text.figure(GbPerS(theory.gb_per_s)),
        formula: theory.formula,
        source: text.say(&theory.source),
        measured: String::new(),
        threads: String::new(),
        efficiency: String::new(),
        note: match quoted.is_empty() {
            true => String::new(),
            false => say!(text, "overview-others-quote", rates = quoted.join("; ")),
        },
    }
}
