//! Imported figures beside theory and beside what this run measured on the same host.
//!
//! Nothing imported enters a figure of memwall's own: neither a bound, nor a best read, nor a verdict.

use bench_inventory::{Board, Memory};
use bench_locales::{Message, message};

use super::{Analysis, BestRead, Chain, HostAnalysis, Judged};
use crate::label::Label;
use crate::limits::bounds;
use crate::limits::theory::{self, Theory};
use bench_run_dir::imports::ImportData;
use bench_run_dir::readers::llama_bench::names::{self, Read};
use bench_run_dir::readers::{Bandwidth, ImportedFigure, Statistic, TokenRate, Value};

/// Blocks below this may lie in the caches of a board, so the bandwidth of its memory does not bound them: sysbench takes
/// 1 KiB unless told otherwise.
const IN_CACHE_BYTES: u64 = 8 << 20;

/// An imported file with what it can be held against.
#[derive(Debug)]
pub struct ImportedFile<'a> {
    /// What was read.
    pub data: &'a ImportData,
    /// Catalogue id of its board: as the importer named it, else that of the host.
    pub board: Option<&'a str>,
    /// Its host, where this run has one of that name.
    pub host: Option<&'a HostAnalysis<'a>>,
    /// The unit of this run that printed it; `None` for what was imported from a file.
    pub unit: Option<&'a Judged>,
    /// Theoretical bandwidth of the memory that its processor computes from; `None` when nothing tells it.
    pub theory: Option<Theory>,
}

/// What one figure is held against.
#[derive(Debug, Default, Clone)]
pub struct Comparison<'a> {
    /// GB/s that the memory moves for the figure: a copy that counts its bytes once moves twice as many.
    pub moved_gb_per_s: Option<f64>,
    /// Tokens per second that theory allows when a token reads the whole model file.
    pub bound_file_tokens_per_s: Option<f64>,
    /// Figure over theory; never clipped.
    pub share_of_theory: Option<f64>,
    /// Best read that this run measured on the same host.
    pub best_read: Option<&'a BestRead>,
    /// What this run measured on the same host for the same model, quantisation and depth.
    pub own_decode: Option<&'a Chain>,
    /// Why there is no bound where one could be expected.
    pub reason: Option<Message>,
    /// What explains most likely that a figure is above theory.
    pub hint: Option<Message>,
}

impl Comparison<'_> {
    /// Whether theory says that it cannot be.
    pub fn is_implausible(&self) -> bool {
        self.share_of_theory.is_some_and(|share| share > 1.0)
    }
}

/// What other programs printed: units of this run first, then imported files in the order of their hashes.
pub fn files<'a>(analysis: &'a Analysis<'a>) -> Vec<ImportedFile<'a>> {
    let of_units = analysis.run.outputs.iter().map(|data| {
        let mut file = file(analysis, data);
        let is_it = |unit: &&Judged| unit.unit == data.record.original_name;
        file.unit = file.host.and_then(|host| host.all_units().find(is_it));
        file
    });
    let imports = &analysis.run.imports;
    of_units
        .chain(imports.iter().map(|data| file(analysis, data)))
        .collect()
}

fn file<'a>(analysis: &'a Analysis<'a>, data: &'a ImportData) -> ImportedFile<'a> {
    let inventory = &analysis.run.inventory;
    let is_named = |host: &&HostAnalysis| Some(host.name()) == data.record.host.as_deref();
    let host = analysis.hosts.iter().find(is_named);
    let of_host = host.and_then(|host| theory::board_id(&host.data.record, inventory));
    let board = data.record.board.as_deref().or(of_host);
    let of_board = || of_cpu(inventory.boards.get(board?)?).map(Theory::of_memory);
    // A host knows more than its board: its own memory, and the clock it had.
    let is_same_board = of_host == board || of_host.is_none();
    let theory = match host.filter(|_| is_same_board) {
        Some(host) if host.data.record.emulated => None,
        Some(host) => host.theory.clone().ok().or_else(of_board),
        None => of_board(),
    };
    ImportedFile {
        data,
        board,
        host,
        unit: None,
        theory,
    }
}

/// These programs compute on CPU cores, so a graphics memory says nothing about them.
fn of_cpu(board: &Board) -> Option<&Memory> {
    let memories = board.memories.iter();
    memories
        .into_iter()
        .find(|memory| memory.processors.iter().any(|it| it == "cpu"))
}

impl<'a> ImportedFile<'a> {
    /// What a figure of this file is held against.
    pub fn compare(&self, figure: &ImportedFigure, analysis: &Analysis) -> Comparison<'a> {
        match &figure.value {
            Value::Bandwidth(bandwidth) => self.compare_bandwidth(bandwidth),
            Value::Tokens(rate) => self.compare_tokens(rate, analysis),
            Value::Latency(_) => Comparison::default(),
        }
    }

    /// What kind of figures it holds: of an emulated host, its times mean nothing.
    pub fn label(&self) -> Label {
        match self.host.is_some_and(|host| host.data.record.emulated) {
            true => Label::Emulated,
            false => Label::Imported,
        }
    }

    /// The figures that are worth a row of a table: single repetitions are left to the data where their mean is there.
    pub fn main_figures(&self) -> impl Iterator<Item = &'a ImportedFigure> {
        let figures = &self.data.imported.figures;
        let statistic = |figure: &ImportedFigure| match &figure.value {
            Value::Bandwidth(bandwidth) => Some(bandwidth.statistic),
            Value::Latency(_) | Value::Tokens(_) => None,
        };
        let has_mean = figures
            .iter()
            .any(|figure| statistic(figure) == Some(Statistic::Mean));
        figures
            .iter()
            .filter(move |figure| !has_mean || statistic(figure) != Some(Statistic::Single))
    }

    fn compare_bandwidth(&self, bandwidth: &Bandwidth) -> Comparison<'a> {
        let moved = bandwidth.gb_per_s * bandwidth.counted.moved_per_counted();
        if bandwidth
            .block_bytes
            .is_some_and(|bytes| bytes < IN_CACHE_BYTES)
        {
            return Comparison {
                moved_gb_per_s: Some(moved),
                reason: Some(message!("import-small-block")),
                ..Comparison::default()
            };
        }
        let theory = self.theory.as_ref();
        Comparison {
            moved_gb_per_s: Some(moved),
            share_of_theory: theory.map(|theory| moved / theory.gb_per_s),
            best_read: self.host.and_then(|host| host.best_read.as_ref()),
            ..Comparison::default()
        }
    }

    fn compare_tokens(&self, rate: &TokenRate, analysis: &Analysis) -> Comparison<'a> {
        if !rate.is_generation() {
            return Comparison::default();
        }
        let own_decode = self.host.and_then(|host| own_decode(host, rate, analysis));
        let read = names::read_of(&rate.model_type, rate.model_filename.as_deref());
        let reason = match read {
            _ if rate.uses_gpu => Some(message!("import-gpu")),
            Read::SomeExperts => Some(message!("import-some-experts")),
            Read::Part => Some(message!("import-part")),
            Read::All | Read::Unknown => None,
        };
        let theory = self.theory.as_ref().filter(|_| reason.is_none());
        let bound = theory
            .zip(rate.least_model_bytes())
            .map(|(theory, bytes)| bounds::tokens_per_s(theory.gb_per_s, bytes as f64 / 1e9));
        let share = bound.map(|bound| rate.tokens_per_s / bound);
        let is_above = share.is_some_and(|share| share > 1.0);
        Comparison {
            bound_file_tokens_per_s: bound,
            share_of_theory: share,
            best_read: self.host.and_then(|host| host.best_read.as_ref()),
            own_decode,
            reason,
            hint: (is_above && read == Read::Unknown).then(|| message!("import-likely-experts")),
            ..Comparison::default()
        }
    }
}

/// The best chain of the same model, quantisation, depth and storage of the KV cache. Models are the same when their
/// parameters are as many: a model that was trained further has the same shape and the same speed.
fn own_decode<'a>(
    host: &'a HostAnalysis<'a>,
    rate: &TokenRate,
    analysis: &Analysis,
) -> Option<&'a Chain> {
    let quant = names::quant_of(&rate.model_type)?;
    let models = &analysis.run.inventory.models;
    let is_same = |chain: &&Chain| {
        let model = models.get(&chain.model.model);
        let kv = Some(chain.model.kv_format.name());
        model.is_some_and(|model| rate.has_params(model.n_params()))
            && chain.model.quant == quant.id()
            && chain.model.depth == rate.n_depth
            && rate.type_k.as_deref().is_none_or(|it| Some(it) == kv)
            && rate.type_v.as_deref().is_none_or(|it| Some(it) == kv)
            && chain.extrapolated.is_none()
    };
    let rank = |chain: &Chain| (chain.verdict.is_usable(), chain.measured_tokens_per_s);
    let chains = host.chains.iter().filter(is_same);
    chains.max_by(|a, b| {
        let (a, b) = (rank(a), rank(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    })
}
