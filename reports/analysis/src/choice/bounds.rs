//! What bounds one model on one board, as a table of its own with the source of every input.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bench_inventory::Memory;
use serde::Serialize;

use super::decide::{Load, Target};
use crate::label::Label;
use crate::limits::bounds::{Fit, fits, tokens_per_s};
use crate::limits::fit;
use bench_run_dir::format;

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
    pub sources: BTreeMap<String, String>,
    /// Why these figures differ from those that others quote, a sentence each.
    pub remarks: Vec<String>,
}

/// A quoted bandwidth nearer than this to the computed one is the same, rounded.
const ROUNDED: f64 = 0.005;

impl Bounds {
    /// The bounds of a load on a target, with whatever is given in place of their own figures.
    pub fn of(target: &Target, load: &Load) -> Bounds {
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

fn sources(target: &Target, load: &Load) -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    let mut add = |input: &str, source: String| sources.insert(input.to_owned(), source);
    let model = load.model;
    if let Some(theory) = &target.theory {
        add("bandwidth_gb_s", theory.source.clone());
    }
    if let Some(memory) = target.memory {
        let quoted: Vec<String> = (memory.quoted.iter())
            .map(|quote| format!("{} ({})", format::gb_per_s(quote.gb_per_s), quote.source))
            .collect();
        if !quoted.is_empty() {
            add("bandwidth_gb_s_quoted_by_others", quoted.join("; "));
        }
        add("capacity_bytes", memory.capacities_bytes.source.clone());
    }
    let tensors = match (load.is_given, &model.file) {
        (true, _) => "given on the command line".to_owned(),
        (false, Some(_)) => "tensor list of the file".to_owned(),
        (false, None) => format!("tensor list of the architecture ({})", model.source),
    };
    let read = match load.is_given {
        true => tensors.clone(),
        false => format!("{tensors}, less an untied embedding table"),
    };
    add("file_bytes", tensors);
    add("read_bytes_per_token", read);
    let window = match model.arch.window {
        Some(window) => format!(
            "; in {} of {} layers a token reads those of the last {} tokens only",
            window
                .n_layers
                .map_or_else(|| "some".to_owned(), |n| n.to_string()),
            model.arch.n_layers,
            window.tokens
        ),
        None => String::new(),
    };
    add(
        "kv_bytes_per_token",
        format!(
            "2 x layers x kv heads x head dimension, {}{window} ({})",
            load.kv_format.id(),
            model.source
        ),
    );
    sources
}

/// Why figures that people quote are not these.
fn remarks(target: &Target, load: &Load) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(memory) = target.memory {
        let theory = memory.theoretical_gb_per_s();
        let given = (target.theory.as_ref()).filter(|theory| theory.label == Label::Given);
        let given = given.map(|given| ("as given".to_owned(), given.gb_per_s));
        let quoted = (memory.quoted.iter())
            .map(|quote| (format!("as quoted ({})", quote.source), quote.gb_per_s));
        let mut said: Vec<f64> = Vec::new();
        for (how, gb_per_s) in given.into_iter().chain(quoted) {
            if !said.contains(&gb_per_s) {
                said.push(gb_per_s);
                remarks.push(differs(memory, &how, gb_per_s, theory));
            }
        }
    }
    let (file, read) = (load.file_bytes, load.read_bytes_per_token);
    if let (true, Some(quant)) = (load.is_given, load.quant) {
        let model_bytes = load.model.file_bytes(quant);
        remarks.push(format!(
            "{}, as given, is {} against the {} of the tensors of {} in {}, of which a token reads {}; a file has some megabytes of vocabulary and names more, and may store other types",
            format::decimal_bytes(file),
            format::signed_percent(file as f64 / model_bytes as f64 - 1.0),
            format::decimal_bytes(model_bytes),
            load.model.id,
            load.quant_id,
            format::decimal_bytes(load.model.read_bytes_per_token(quant))
        ));
    } else if read < file && !load.is_given {
        remarks.push(format!(
            "a token reads {} of the {}: it looks up a row of the embedding table and reads the rest whole",
            format::decimal_bytes(read),
            format::decimal_bytes(file)
        ));
    }
    remarks
}

fn differs(memory: &Memory, how: &str, gb_per_s: f64, theory: f64) -> String {
    let of_memory = format!(
        "{} {:.0} MT/s x {} bit / 8",
        memory.kind, memory.mt_per_s, memory.bus_bits
    );
    let (quoted, computed) = (format::gb_per_s(gb_per_s), format::gb_per_s(theory));
    let difference = gb_per_s / theory - 1.0;
    if difference.abs() < ROUNDED {
        return format!("{quoted}, {how}, is {of_memory} = {computed}, rounded");
    }
    format!(
        "{quoted}, {how}, is {} against {of_memory} = {computed}: it would take {:.0} MT/s on this bus",
        format::signed_percent(difference),
        gb_per_s * 8e3 / f64::from(memory.bus_bits)
    )
}

impl Bounds {
    /// The bounds as a table for people, one line an item.
    pub fn table(&self) -> String {
        let rate =
            |rate: Option<f64>| rate.map_or_else(|| format::UNKNOWN.into(), format::tokens_per_s);
        let mut lines = vec![
            ("board".to_owned(), self.board.clone()),
            ("model".to_owned(), format!("{} {}", self.model, self.quant)),
            (
                "bandwidth".to_owned(),
                format::gb_per_s_or_unknown(self.bandwidth_gb_s),
            ),
            ("file".to_owned(), format::decimal_bytes(self.file_bytes)),
            (
                "read per token".to_owned(),
                format::decimal_bytes(self.read_bytes_per_token),
            ),
            (
                "KV cache".to_owned(),
                format!(
                    "{} per token of context",
                    format::decimal_bytes(self.kv_bytes_per_token)
                ),
            ),
            (
                "bound (file)".to_owned(),
                rate(self.bound_file_tokens_per_s),
            ),
            (
                format!("bound (read, depth {})", self.depth),
                rate(self.bound_read_tokens_per_s),
            ),
        ];
        lines.extend(self.fits_detail.iter().map(|fit| {
            (
                format!("in {}", format::binary_bytes(fit.capacity_bytes)),
                fit.sentence(),
            )
        }));
        let width = lines
            .iter()
            .map(|(name, _)| name.chars().count())
            .max()
            .unwrap_or(0);
        let mut table = String::new();
        // Writing to a string cannot fail.
        for (name, value) in &lines {
            let _ = writeln!(table, "{name:<width$}  {value}");
        }
        for remark in &self.remarks {
            let _ = writeln!(table, "  - {remark}");
        }
        table.push_str("\nsources\n");
        for (input, source) in &self.sources {
            let _ = writeln!(table, "  {input}: {source}");
        }
        table
    }
}

#[cfg(test)]
mod tests;
