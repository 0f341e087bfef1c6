//! The bound of token generation: bandwidth over bytes, and whether the model fits at all.
//!
//! Owns the one formula `tokens/s <= bandwidth / bytes per token` and everything that puts numbers into it. Pure
//! functions of board and model: nothing measured enters here unless the caller passes it in.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bench_inventory::{Board, KvFormat, Memory, Model, Quant};
use serde::Serialize;

use crate::{fit, format};

/// Context that a model must be able to hold to count as fitting, tokens. A deeper question needs more.
pub const MIN_CONTEXT: u64 = 4096;

/// RAM left to the operating system where nobody published what a board leaves, bytes. An assumption, and said so.
pub const ASSUMED_SYSTEM_BYTES: u64 = 1 << 30;

/// Upper bound of generated tokens per second: `bandwidth / bytes read per token`.
///
/// **unit**: GB/s over GB is tokens/s, both with 10^9. **source**: every token moves all its weights from memory once,
/// and arithmetic is nearly free beside that.
pub fn tokens_per_s(bandwidth_gb_per_s: f64, bytes_gb: f64) -> f64 {
    bandwidth_gb_per_s / bytes_gb
}

/// What bounds one model in one quantisation on one board.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bounds {
    /// Catalogue id of the board.
    pub board: String,
    /// Catalogue id of the model.
    pub model: String,
    /// Quantisation id.
    pub quant: String,
    /// Tokens in the KV cache.
    pub depth: u64,
    /// Bandwidth used, GB/s (10^9 bytes per second).
    pub bandwidth_gb_s: f64,
    /// Bytes of all tensors.
    pub file_bytes: u64,
    /// Bytes of weights that one token reads.
    pub read_bytes_per_token: u64,
    /// Bytes of keys and values that one token of context adds to what every later token reads (f16).
    pub kv_bytes_per_token: u64,
    /// Naive bound: bandwidth over the bytes of the file.
    pub bound_file_tokens_per_s: f64,
    /// Bound by what is really read: weights per token plus the KV cache at this depth.
    pub bound_read_tokens_per_s: f64,
    /// Whether it fits the board's largest capacity.
    pub fits: bool,
    /// The same for every capacity the board is sold with, smallest first.
    pub fits_detail: Vec<Fit>,
    /// Where each input comes from, by its name above.
    pub sources: BTreeMap<String, String>,
}

/// Whether a model fits one capacity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// Nominal capacity, bytes.
    pub capacity_bytes: u64,
    /// What it leaves for a model, bytes.
    pub usable_bytes: u64,
    /// Where `usable_bytes` comes from.
    pub usable_source: String,
    /// Weights, KV cache and compute buffers, bytes.
    pub needed_bytes: u64,
    /// `needed_bytes <= usable_bytes`.
    pub fits: bool,
}

/// Bounds of a model on a board, by its fastest memory.
///
/// `bandwidth_override` (GB/s) replaces the board's bandwidth; `bytes_override` (GB, 10^9) replaces both the file's
/// bytes and the bytes read per token, as in the worked examples.
pub fn compute(
    board: &Board,
    model: &Model,
    quant: Quant,
    depth: u64,
    bandwidth_override: Option<f64>,
    bytes_override: Option<f64>,
) -> Bounds {
    let memory = fastest_memory(board);
    let override_bytes = bytes_override.map(|gb| (gb * 1e9).round() as u64);
    let file_bytes = override_bytes.unwrap_or_else(|| model.file_bytes(quant));
    let read_bytes_per_token = override_bytes.unwrap_or_else(|| model.read_bytes_per_token(quant));
    let kv_bytes_per_token = model.kv_bytes_per_token(KvFormat::F16);
    let stated_gb_s = memory.map_or(0.0, Memory::theoretical_gb_per_s);
    let bandwidth_gb_s = bandwidth_override.unwrap_or(stated_gb_s);
    let token_gb = token_bytes(read_bytes_per_token, kv_bytes_per_token, depth) / 1e9;
    let fits_detail = memory
        .map(|memory| fits(memory, model, file_bytes, depth))
        .unwrap_or_default();
    Bounds {
        board: board.id.clone(),
        model: model.id.clone(),
        quant: quant.id().to_owned(),
        depth,
        bandwidth_gb_s,
        file_bytes,
        read_bytes_per_token,
        kv_bytes_per_token,
        bound_file_tokens_per_s: tokens_per_s(bandwidth_gb_s, file_bytes as f64 / 1e9),
        bound_read_tokens_per_s: tokens_per_s(bandwidth_gb_s, token_gb),
        fits: fits_detail.last().is_some_and(|fit| fit.fits),
        fits_detail,
        sources: sources(
            memory,
            model,
            bandwidth_override.is_some(),
            bytes_override.is_some(),
        ),
    }
}

/// Bytes one token moves: its weights and the keys and values of everything before it.
pub fn token_bytes(read_bytes_per_token: u64, kv_bytes_per_token: u64, depth: u64) -> f64 {
    read_bytes_per_token as f64 + depth as f64 * kv_bytes_per_token as f64
}

/// The board's memory with the highest theoretical bandwidth: where a model should live if it fits.
pub fn fastest_memory(board: &Board) -> Option<&Memory> {
    board.memories.iter().max_by(|a, b| {
        a.theoretical_gb_per_s()
            .total_cmp(&b.theoretical_gb_per_s())
    })
}

/// Whether a model of `file_bytes` fits each capacity of a memory, smallest first.
pub fn fits(memory: &Memory, model: &Model, file_bytes: u64, depth: u64) -> Vec<Fit> {
    let needed_bytes = needed_bytes(model, file_bytes, depth);
    (fit::rooms(memory).into_iter())
        .map(|room| Fit {
            capacity_bytes: room.capacity_bytes.unwrap_or(room.bytes),
            usable_bytes: room.bytes,
            usable_source: room.source,
            needed_bytes,
            fits: needed_bytes <= room.bytes,
        })
        .collect()
}

/// RAM a model needs: weights, KV cache (f16) of [`MIN_CONTEXT`] tokens or of `depth`, and compute buffers.
pub fn needed_bytes(model: &Model, file_bytes: u64, depth: u64) -> u64 {
    fit::need(model, file_bytes, depth.max(MIN_CONTEXT), KvFormat::F16).total_bytes()
}

fn sources(
    memory: Option<&Memory>,
    model: &Model,
    bandwidth_given: bool,
    bytes_given: bool,
) -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    let mut add = |input: &str, source: String| sources.insert(input.to_owned(), source);
    let given = || "given on the command line".to_owned();
    let tensors = || format!("tensor list of the architecture ({})", model.source);
    if let Some(memory) = memory {
        add(
            "bandwidth_gb_s",
            match bandwidth_given {
                true => given(),
                false => format!(
                    "{} memory, {} {:.0} MT/s x {} bit / 8 ({})",
                    memory.name, memory.kind, memory.mt_per_s, memory.bus_bits, memory.source
                ),
            },
        );
        let quoted: Vec<String> = (memory.quoted.iter())
            .map(|quote| format!("{} ({})", format::gb_per_s(quote.gb_per_s), quote.source))
            .collect();
        if !quoted.is_empty() {
            add("bandwidth_gb_s_quoted_by_others", quoted.join("; "));
        }
        add("capacity_bytes", memory.capacities_bytes.source.clone());
    } else if bandwidth_given {
        add("bandwidth_gb_s", given());
    }
    add("file_bytes", if bytes_given { given() } else { tensors() });
    add(
        "read_bytes_per_token",
        if bytes_given {
            given()
        } else {
            format!("{}, less an untied embedding table", tensors())
        },
    );
    add(
        "kv_bytes_per_token",
        format!(
            "2 x layers x kv heads x head dimension x 2 bytes, f16 ({})",
            model.source
        ),
    );
    sources
}

impl Bounds {
    /// The bounds as a table for people, one line an item.
    pub fn table(&self) -> String {
        let mut lines = vec![
            ("board".to_owned(), self.board.clone()),
            ("model".to_owned(), format!("{} {}", self.model, self.quant)),
            (
                "bandwidth".to_owned(),
                format::gb_per_s(self.bandwidth_gb_s),
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
                format::tokens_per_s(self.bound_file_tokens_per_s),
            ),
            (
                format!("bound (read, depth {})", self.depth),
                format::tokens_per_s(self.bound_read_tokens_per_s),
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
        for (name, value) in &lines {
            // Writing to a string cannot fail.
            let _ = writeln!(table, "{name:<width$}  {value}");
        }
        table.push_str("\nsources\n");
        for (input, source) in &self.sources {
            let _ = writeln!(table, "  {input}: {source}");
        }
        table
    }
}

impl Fit {
    /// `fits, needs 5.3 GB of 16.1 GB`.
    pub fn sentence(&self) -> String {
        let word = if self.fits { "fits" } else { "does not fit" };
        format!(
            "{word}: needs {} of {}",
            format::decimal_bytes(self.needed_bytes),
            format::decimal_bytes(self.usable_bytes)
        )
    }
}

#[cfg(test)]
mod tests {
    use bench_inventory::{ModelArch, QuotedBandwidth, Sourced};

    use super::*;

    fn memory(mt_per_s: f64, bus_bits: u32, capacity_gib: &[u64]) -> Memory {
        Memory {
            name: "system".into(),
            kind: "LPDDR4X".into(),
            mt_per_s,
            bus_bits,
            source: "boot log".into(),
            capacities_bytes: Sourced {
                value: capacity_gib.iter().map(|gib| gib << 30).collect(),
                source: "vendor".into(),
            },
            usable_bytes: None,
            processors: vec!["cpu".into()],
            quoted: Vec::new(),
        }
    }

    fn board(memories: Vec<Memory>) -> Board {
        Board {
            id: "rock-5b".into(),
            name: "Radxa Rock 5 Model B".into(),
            soc: "RK3588".into(),
            arch: "aarch64".into(),
            clusters: Vec::new(),
            memories,
            source: "vendor".into(),
            published: Vec::new(),
            latencies: Vec::new(),
            prices: Vec::new(),
        }
    }

    fn qwen() -> Model {
        Model {
            context_length: None,
            file: None,
            id: "qwen2.5-7b".into(),
            name: "Qwen2.5 7B".into(),
            arch: ModelArch {
                n_layers: 28,
                hidden: 3584,
                ffn: 18_944,
                n_heads: 28,
                n_kv_heads: 4,
                head_dim: 128,
                vocab: 152_064,
                tied_embeddings: false,
                qkv_bias: true,
                fused_projections: false,
                post_norms: false,
                rope_freqs: 0,
            },
            source: "config.json".into(),
        }
    }

    fn check(bandwidth_gb_per_s: f64, bytes_gb: f64, expect: &str) {
        assert_eq!(
            format::number(tokens_per_s(bandwidth_gb_per_s, bytes_gb)),
            expect
        );
    }

    #[test]
    fn worked_examples_come_out() {
        check(32.0, 4.8, "6.67"); // Rock 5B
        check(68.0, 4.8, "14.2"); // Orin Nano
        check(160.0, 4.8, "33.3"); // RTX 4050, as quoted
        check(192.0, 4.8, "40.0"); // RTX 4050, data sheets
        assert!((tokens_per_s(68.0, 4.8) / tokens_per_s(32.0, 4.8) - 2.125).abs() < 1e-9);
    }

    #[test]
    fn overrides_replace_bandwidth_and_bytes() {
        let board = board(vec![memory(4224.0, 64, &[4, 8, 16])]);
        let bounds = compute(&board, &qwen(), Quant::Q4KM, 0, Some(32.0), Some(4.8));
        assert_eq!(format::number(bounds.bound_file_tokens_per_s), "6.67");
        assert_eq!(format::number(bounds.bound_read_tokens_per_s), "6.67");
        assert!(bounds.table().contains("6.67 tokens/s"));
        assert_eq!(
            bounds.sources["bandwidth_gb_s"],
            "given on the command line"
        );
    }

    #[test]
    fn reads_less_than_the_file_when_the_embedding_is_untied() {
        let board = board(vec![memory(4224.0, 64, &[4, 8, 16])]);
        let bounds = compute(&board, &qwen(), Quant::Q4KM, 0, None, None);
        assert!(bounds.bound_read_tokens_per_s > bounds.bound_file_tokens_per_s);
        let deep = compute(&board, &qwen(), Quant::Q4KM, 4096, None, None);
        assert!(deep.bound_read_tokens_per_s < bounds.bound_read_tokens_per_s);
        assert_eq!(deep.bound_file_tokens_per_s, bounds.bound_file_tokens_per_s);
    }

    #[test]
    fn fits_follow_each_capacity() {
        let board = board(vec![memory(4224.0, 64, &[16, 4, 8])]);
        let bounds = compute(&board, &qwen(), Quant::Q4KM, 0, None, None);
        let fits: Vec<bool> = bounds.fits_detail.iter().map(|fit| fit.fits).collect();
        assert_eq!(fits, [false, true, true]);
        assert!(bounds.fits);
        let small = self::board(vec![memory(4224.0, 64, &[8])]);
        assert!(!compute(&small, &qwen(), Quant::F16, 0, None, None).fits);
    }

    #[test]
    fn published_usable_size_replaces_the_assumption() {
        let mut small = memory(4266.0, 128, &[8]);
        small.usable_bytes = Some(Sourced {
            value: 5_200_000_000,
            source: "forum".into(),
        });
        let bounds = compute(&board(vec![small]), &qwen(), Quant::Q4KM, 0, None, None);
        assert_eq!(bounds.fits_detail[0].usable_bytes, 5_200_000_000);
        assert!(!bounds.fits, "{}", bounds.table());
    }

    #[test]
    fn fastest_memory_bounds_and_quotes_stay_beside() {
        let mut vram = memory(16_000.0, 96, &[6]);
        vram.name = "vram".into();
        vram.quoted = vec![QuotedBandwidth {
            gb_per_s: 160.0,
            source: "user's notes".into(),
        }];
        let bounds = compute(
            &board(vec![memory(4800.0, 128, &[16]), vram]),
            &qwen(),
            Quant::Q4KM,
            0,
            None,
            None,
        );
        assert_eq!(bounds.bandwidth_gb_s, 192.0);
        assert!(bounds.sources["bandwidth_gb_s_quoted_by_others"].starts_with("160 GB/s"));
    }
}
