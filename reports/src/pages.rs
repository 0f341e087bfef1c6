//! Sections of the pages: one view model and one template each, side by side, one row here to register.
//!
//! A section gets the analysis and gives a view of texts; it computes no measurement and says texts and figures through
//! [`Text`] only.

mod address;
mod board;
pub mod compare;
mod history;
mod host;
mod index;
mod model;
mod shared;

use bench_inventory::{Board, Model};
use bench_locales::{Figure, Message, Text, say};
use bench_protocol::{KvFormat, ModelRef, Residency};
use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

use crate::history::{History, HostHistory};
use bench_analysis::choice::decisions::Decisions;
use bench_analysis::measured::{Analysis, HostAnalysis, Judged};
use bench_analysis::stats;
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::format;

pub(crate) use address::page_name;
pub(crate) use shared::published::TEMPLATE as PUBLISHED;
pub(crate) use shared::sentences::{Sentence, sentence, sentences};

/// What a page is about.
pub(crate) struct Page<'a> {
    /// The whole run.
    pub(crate) analysis: &'a Analysis<'a>,
    /// Which model runs where, decided once for all pages.
    pub(crate) decisions: &'a Decisions<'a>,
    /// The part of it this page shows.
    pub(crate) scope: Scope<'a>,
    /// The history up to this run, where one is kept.
    pub(crate) history: Option<&'a History>,
    /// Path from the page to the index: empty or `../`.
    pub(crate) root: &'static str,
    /// Path from the page to the files that exist once for all languages.
    pub(crate) files_root: &'static str,
    /// What the page is said in.
    pub(crate) text: &'a Text,
}

/// The part of a run that a page shows.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// All of it.
    Run,
    /// One host.
    Host(&'a HostAnalysis<'a>),
    /// One board of the catalogue.
    Board(&'a Board),
    /// One model of the catalogue.
    Model(&'a Model),
    /// All hosts over the runs.
    History,
    /// One host over the runs.
    HostHistory(&'a HostHistory),
}

/// A part of a page.
#[derive(Clone, Copy)]
pub(crate) struct Section {
    /// Anchor on the page.
    pub(crate) id: &'static str,
    /// Heading: an identifier of a message.
    pub(crate) title: &'static str,
    /// Name of the template; must end in `.html.j2`, which switches escaping on.
    pub(crate) template: &'static str,
    /// The template.
    pub(crate) source: &'static str,
    /// The view model; `None` leaves the section out where it has nothing to say.
    pub(crate) view: fn(&Page) -> Option<Value>,
}

macro_rules! section {
    ($folder:ident :: $module:ident, $title:literal, $id:literal) => {
        Section {
            id: $id,
            title: $title,
            template: concat!($id, ".html.j2"),
            source: include_str!(concat!(
                "pages/",
                stringify!($folder),
                "/",
                stringify!($module),
                ".html.j2"
            )),
            view: $folder::$module::view,
        }
    };
}

/// Sections of the index page, in order.
pub(crate) const RUN: &[Section] = &[
    section!(index::summary, "section-in-short", "summary"),
    section!(index::answers, "section-answers", "answers"),
    section!(index::failed, "section-failed", "failed"),
    section!(shared::history_link, "section-history-link", "history_link"),
    section!(index::overview, "section-overview", "overview"),
    section!(index::choose, "section-choose", "choose"),
    section!(index::inference, "section-inference", "inference"),
    section!(index::imported, "section-imported", "imported"),
    section!(index::hosts, "section-hosts", "hosts"),
    section!(index::models, "section-models", "models"),
    section!(index::method, "section-method", "method"),
    section!(index::provenance, "section-provenance", "provenance"),
    section!(shared::files, "section-files", "files"),
];

/// Sections of a host's page, in order.
pub(crate) const HOST: &[Section] = &[
    section!(host::summary, "section-in-short", "host_summary"),
    section!(shared::history_link, "section-history-link", "history_link"),
    section!(host::chain, "section-host-chain", "host_chain"),
    section!(shared::decision, "section-decision", "decision"),
    section!(host::ladder, "section-host-ladder", "host_ladder"),
    section!(host::kv_cache, "section-host-kv-cache", "host_kv_cache"),
    section!(
        host::interference,
        "section-host-interference",
        "host_interference"
    ),
    section!(host::sustained, "section-host-sustained", "host_sustained"),
    section!(host::power, "section-host-power", "host_power"),
    section!(host::kernels, "section-host-kernels", "host_kernels"),
    section!(host::threads, "section-host-threads", "host_threads"),
    section!(host::sizes, "section-host-sizes", "host_sizes"),
    section!(host::latency, "section-host-latency", "host_latency"),
    section!(host::roofline, "section-host-roofline", "host_roofline"),
    section!(host::units, "section-host-units", "host_units"),
    section!(host::samples, "section-host-samples", "host_samples"),
    section!(host::troubles, "section-host-troubles", "host_troubles"),
    section!(host::left_out, "section-host-left-out", "host_left_out"),
    section!(host::health, "section-host-health", "host_health"),
    section!(
        host::environment,
        "section-host-environment",
        "host_environment"
    ),
    section!(host::facts, "section-host-facts", "host_facts"),
    section!(shared::files, "section-files", "files"),
];

/// Sections of a board's page, in order.
pub(crate) const BOARD: &[Section] = &[
    section!(board::memory, "section-board-memory", "board_memory"),
    section!(shared::decision, "section-decision", "decision"),
    section!(board::models, "section-board-models", "board_models"),
];

/// Sections of a model's page, in order.
pub(crate) const MODEL: &[Section] = &[
    section!(model::places, "section-model-places", "model_places"),
    section!(model::facts, "section-model-facts", "model_facts"),
];

/// Sections of the page of the history, in order.
pub(crate) const HISTORY: &[Section] = &[
    section!(history::summary, "section-in-short", "history_summary"),
    section!(history::hosts, "section-history-hosts", "history_hosts"),
    section!(
        history::changes,
        "section-history-changes",
        "history_changes"
    ),
];

/// Sections of a host's page of the history, in order.
pub(crate) const HOST_HISTORY: &[Section] = &[
    section!(history::host, "section-in-short", "history_host"),
    section!(history::charts, "section-history-charts", "history_charts"),
    section!(
        history::changes,
        "section-history-changes",
        "history_changes"
    ),
    section!(history::runs, "section-history-runs", "history_runs"),
];

/// A view model as a template's value.
fn value(view: impl Serialize) -> Option<Value> {
    Some(Value::from(Serde(view)))
}

impl Page<'_> {
    /// What to say before anything else on this page: that most figures it rests on were disturbed.
    pub(crate) fn warning(&self) -> Option<Message> {
        match self.scope {
            Scope::Run => self.analysis.warning(),
            Scope::Host(host) => Some(host.disturbed()?.sentence()),
            Scope::History => self.history?.warning(),
            Scope::HostHistory(host) => host.warning(),
            Scope::Board(_) | Scope::Model(_) => None,
        }
    }
}

/// Words under a picture some of whose figures are suspect; empty where none is.
fn doubt(text: &Text, n_suspect: usize, n_all: usize) -> String {
    match n_suspect {
        0 => String::new(),
        n => say!(text, "doubt", n = n, n_all = n_all),
    }
}

/// CSS class of a figure's mark.
fn mark_class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "measured",
        Verdict::Suspect => "suspect",
        Verdict::Invalid | Verdict::NotMeasured => "invalid",
        Verdict::Emulated => "emulated",
    }
}

/// A model and what was asked of it in llama-bench's labels: `qwen2.5-1.5b q4_0 tg128 @ d512`, `... pp512`.
fn model_label(model: &ModelRef) -> String {
    let mut label = format!(
        "{} {}",
        format::foreign_short(&model.model, 40),
        format::foreign_short(&model.quant, 20)
    );
    match (model.n_prompt, model.n_generate) {
        (0, 0 | 1) => label += &format!(" @ d{}", model.depth),
        (0, n_generate) => label += &format!(" tg{n_generate} @ d{}", model.depth),
        (n_prompt, _) => label += &format!(" pp{n_prompt}"),
    }
    if model.kv_format != KvFormat::default() {
        label += &format!(", KV {}", model.kv_format.name());
    }
    label
}

/// Anchor of a unit's row in the table of all units; two states of the environment have a row each.
fn unit_anchor(unit: &Judged) -> String {
    let key = [unit.unit.as_str(), unit.environment.name()];
    format!("unit-{:08x}", stats::seed_of(&key) as u32)
}

/// A figure, or nothing where it is not known.
fn figure_or_empty(text: &Text, figure: Option<Figure>) -> String {
    figure.map_or_else(String::new, |figure| text.figure(figure))
}

/// Where a working set lives, as people read it.
fn residency_word(text: &Text, residency: Residency) -> String {
    match residency {
        Residency::Dram => say!(text, "residency-memory"),
        Residency::Cache => say!(text, "residency-caches"),
        Residency::Sweep => say!(text, "residency-sweep"),
    }
}

impl<'a> Page<'a> {
    fn host(&self) -> Option<&'a HostAnalysis<'a>> {
        match self.scope {
            Scope::Host(host) => Some(host),
            _ => None,
        }
    }
}
