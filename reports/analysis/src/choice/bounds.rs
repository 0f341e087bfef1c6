//! What bounds one model on one board, as a table of its own with the source of every input.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bench_inventory::Memory;
use bench_locales::Figure::{self, DecimalBytes, GbPerS, SignedPercent, TokensPerS};
use bench_locales::{Message, Text, message, say};
use serde::Serialize;

use super::decide::{Scenario, Target};
use crate::label::Label;
use crate::limits::bounds::{Fit, fits, tokens_per_s};
use crate::limits::fit;

/// What bounds one model in one quantisation on one board, by its theoretical bandwidth or the one that is given.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bounds {
    /// Catalogue id of the board, or name of the host.
    pub board: String,
    /// Catalogue id of the model.
    pub model: String,
    /// Quantisation id.
    pub quant: String,
    /// Tokens in the KV cache.
    pub depth: u64,
    /// Bandwidth used, GB/s (10^9 bytes per second); `None` where the theory of a host is not known.
    pub bandwidth_gb_s: Option<f64>,
    /// Bytes of all tensors.
    pub file_bytes: u64,
    /// Bytes of weights that one token reads.
    pub read_bytes_per_token: u64,
    /// Bytes of keys and values that one token of context adds. Later tokens read them all, less those that lie before
    /// the sliding window of a layer.
    pub kv_bytes_per_token: u64,
    /// Naive bound: bandwidth over the bytes of the file.
    pub bound_file_tokens_per_s: Option<f64>,
    /// Bound by what is really read: weights per token plus the KV cache at this depth.
    pub bound_read_tokens_per_s: Option<f64>,
    /// The same for every capacity the board is sold with, smallest first.
    pub fits_detail: Vec<Fit>,
    /// Where each input comes from, by its name above.
    pub sources: BTreeMap<String, Message>,
    /// Why these figures differ from those that others quote, a sentence each.
    pub remarks: Vec<Message>,
}

/// A quoted bandwidth nearer than this to the computed one is the same, rounded.
const ROUNDED: f64 = 0.005;

impl Bounds {
    /// The bounds of a load on a target, with whatever is given in place of their own figures.
    pub fn of(target: &Target, load: &Scenario) -> Bounds {
        let gb_per_s = target.theory.as_ref().map(|theory| theory.gb_per_s);
        let bound = |bytes: f64| gb_per_s.map(|gb_per_s| tokens_per_s(gb_per_s, bytes / 1e9));
        let needed_bytes = fit::need(load.model, load.file_bytes, load.context, load.kv_format);
        Bounds {
            board: target.name.clone(),
            model: load.model.id.clone(),
            quant: load.quant_id.clone(),
            depth: load.depth,
            bandwidth_gb_s: gb_per_s,
            file_bytes: load.file_bytes,
            read_bytes_per_token: load.read_bytes_per_token,
            kv_bytes_per_token: load.model.kv_bytes_per_token(load.kv_format),
            bound_file_tokens_per_s: bound(load.file_bytes as f64),
            bound_read_tokens_per_s: bound(load.token_bytes()),
            fits_detail: fits(&target.rooms, needed_bytes.total_bytes()),
            sources: sources(target, load),
            remarks: remarks(target, load),
        }
    }
}

fn sources(target: &Target, load: &Scenario) -> BTreeMap<String, Message> {
    let mut sources = BTreeMap::new();
    let mut add = |input: &str, source: Message| sources.insert(input.to_owned(), source);
    let model = load.model;
    if let Some(theory) = &target.theory {
        add("bandwidth_gb_s", theory.source.clone());
    }
    if let Some(memory) = target.memory {
        let quoted = memory.quoted.iter().map(|quote| {
            let rate = GbPerS(quote.gb_per_s);
            message!("source-quoted", rate = rate, source = &quote.source)
        });
        if let Some(quoted) = Message::clauses(quoted.collect()) {
            add("bandwidth_gb_s_quoted_by_others", quoted);
        }
        let capacities = &memory.capacities_bytes;
        add("capacity_bytes", Message::quoted(&capacities.source));
    }
    let tensors = match (load.is_given, &model.file) {
        (true, _) => message!("source-given"),
        (false, Some(_)) => message!("source-file"),
        (false, None) => message!("source-architecture", source = &model.source),
    };
    let read = match load.is_given {
        true => tensors.clone(),
        false => message!("source-less-embedding", tensors = &tensors),
    };
    add("file_bytes", tensors);
    add("read_bytes_per_token", read);
    let format = load.kv_format.id();
    // Which layers have a window is not always known.
    add(
        "kv_bytes_per_token",
        match model.arch.window {
            Some(window) => message!(
                "source-kv-window",
                format = format,
                n_layers = (window.n_layers).map_or_else(|| "?".to_owned(), |n| n.to_string()),
                n_all = model.arch.n_layers,
                n_tokens = window.tokens,
                source = &model.source,
            ),
            None => message!("source-kv", format = format, source = &model.source),
        },
    );
    sources
}

/// Why figures that people quote are not these.
fn remarks(target: &Target, load: &Scenario) -> Vec<Message> {
    let mut remarks = Vec::new();
    if let Some(memory) = target.memory {
        let given = (target.theory.as_ref()).filter(|theory| theory.label == Label::Given);
        let given = given.map(|given| (message!("remark-as-given"), given.gb_per_s));
        let quoted = (memory.quoted.iter()).map(|it| {
            (
                message!("remark-as-quoted", source = &it.source),
                it.gb_per_s,
            )
        });
        let mut said: Vec<f64> = Vec::new();
        for (how, gb_per_s) in given.into_iter().chain(quoted) {
            if !said.contains(&gb_per_s) {
                said.push(gb_per_s);
                remarks.push(differs(memory, how, gb_per_s));
            }
        }
    }
    let (file, read) = (load.file_bytes, load.read_bytes_per_token);
    if let (true, Some(quant)) = (load.is_given, load.quant) {
        let model_bytes = load.model.file_bytes(quant);
        remarks.push(message!(
            "remark-given-bytes",
            bytes = DecimalBytes(file),
            difference = SignedPercent(file as f64 / model_bytes as f64 - 1.0),
            model_bytes = DecimalBytes(model_bytes),
            model = &load.model.id,
            quant = &load.quant_id,
            read = DecimalBytes(load.model.read_bytes_per_token(quant)),
        ));
    } else if read < file && !load.is_given {
        remarks.push(message!(
            "remark-embedding",
            read = DecimalBytes(read),
            file = DecimalBytes(file),
        ));
    }
    remarks
}

/// A bandwidth that the user states, against what the memory's clock and width give.
fn differs(memory: &Memory, how: Message, gb_per_s: f64) -> Message {
    let theory = memory.theoretical_gb_per_s();
    let formula = format!(
        "{} {:.0} MT/s x {} bit / 8",
        memory.kind, memory.mt_per_s, memory.bus_bits
    );
    let difference = gb_per_s / theory - 1.0;
    if difference.abs() < ROUNDED {
        return message!(
            "remark-rounded",
            stated = GbPerS(gb_per_s),
            how = how,
            formula = formula,
            computed = GbPerS(theory),
        );
    }
    message!(
        "remark-differs",
        stated = GbPerS(gb_per_s),
        how = how,
        difference = SignedPercent(difference),
        formula = formula,
        computed = GbPerS(theory),
        needed = format!("{:.0}", gb_per_s * 8e3 / f64::from(memory.bus_bits)),
    )
}

impl Bounds {
    /// The table for a terminal, with where every input comes from below it.
    pub fn table(&self, text: &Text) -> String {
        let rate = |rate: Option<f64>| text.figure_or_unknown(rate.map(TokensPerS));
        let mut lines = vec![
            (say!(text, "bounds-board"), self.board.clone()),
            (
                say!(text, "bounds-model"),
                format!("{} {}", self.model, self.quant),
            ),
            (
                say!(text, "bounds-bandwidth"),
                text.figure_or_unknown(self.bandwidth_gb_s.map(GbPerS)),
            ),
            (
                say!(text, "bounds-file"),
                text.figure(DecimalBytes(self.file_bytes)),
            ),
            (
                say!(text, "bounds-read"),
                text.figure(DecimalBytes(self.read_bytes_per_token)),
            ),
            (
                say!(text, "bounds-kv"),
                say!(
                    text,
                    "bounds-kv-per-token",
                    bytes = DecimalBytes(self.kv_bytes_per_token)
                ),
            ),
            (
                say!(text, "bounds-of-file"),
                rate(self.bound_file_tokens_per_s),
            ),
            (
                say!(text, "bounds-of-read", depth = self.depth.to_string()),
                rate(self.bound_read_tokens_per_s),
            ),
        ];
        lines.extend(self.fits_detail.iter().map(|fit| {
            let capacity = Figure::BinaryBytes(fit.capacity_bytes);
            let fits = text.say(&fit.sentence());
            (say!(text, "bounds-in", capacity = capacity), fits)
        }));
        let widths = lines.iter().map(|(name, _)| name.chars().count());
        let width = widths.max().unwrap_or(0);
        let mut table = String::new();
        // Writing to a string cannot fail.
        for (name, value) in &lines {
            let _ = writeln!(table, "{name:<width$}  {value}");
        }
        for remark in &self.remarks {
            let _ = writeln!(table, "  - {}", text.say(remark));
        }
        let _ = writeln!(table, "\n{}", say!(text, "bounds-sources"));
        for (input, source) in &self.sources {
            let _ = writeln!(table, "  {input}: {}", text.say(source));
        }
        table
    }
}

#[cfg(test)]
mod tests;
