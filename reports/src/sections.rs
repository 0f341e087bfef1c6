//! Sections of the pages: one view model and one template each, side by side, one row here to register.
//!
//! A section gets the analysis and gives a view of texts; it computes no measurement and says texts and figures through
//! [`Text`] only.

mod answers;
mod board_memory;
mod board_models;
mod chain_words;
mod choose;
mod decision;
mod failed;
mod files;
mod history_changes;
mod history_charts;
mod history_host;
mod history_hosts;
mod history_link;
mod history_runs;
mod history_summary;
mod history_words;
mod host_chain;
mod host_environment;
mod host_facts;
mod host_health;
mod host_interference;
mod host_kernels;
mod host_kv_cache;
mod host_ladder;
mod host_latency;
mod host_left_out;
mod host_power;
mod host_roofline;
mod host_samples;
mod host_sizes;
mod host_summary;
mod host_sustained;
mod host_threads;
mod host_troubles;
mod host_units;
mod hosts;
mod imported;
mod inference;
mod method;
mod model_facts;
mod model_places;
mod models;
mod overview;
mod provenance;
mod published;
mod sentences;
mod summary;

use bench_inventory::{Board, Model};
use bench_locales::{Figure, Message, Text, say};
use bench_protocol::{KvFormat, ModelRef, Residency};
use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

use crate::history::{History, HostHistory};
use bench_analysis::choice::decisions::Decisions;
use bench_analysis::measured::{Analysis, HostAnalysis, UnitRow};
use bench_analysis::stats;
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::format;

pub(crate) use published::TEMPLATE as PUBLISHED;
pub(crate) use sentences::{Sentence, sentence, sentences};

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
    ($module:ident, $title:literal) => {
        Section {
            id: stringify!($module),
            title: $title,
            template: concat!(stringify!($module), ".html.j2"),
            source: include_str!(concat!("sections/", stringify!($module), ".html.j2")),
            view: $module::view,
        }
    };
}

/// Sections of the index page, in order.
pub(crate) const RUN: &[Section] = &[
    section!(summary, "section-in-short"),
    section!(answers, "section-answers"),
    section!(failed, "section-failed"),
    section!(history_link, "section-history-link"),
    section!(overview, "section-overview"),
    section!(choose, "section-choose"),
    section!(inference, "section-inference"),
    section!(imported, "section-imported"),
    section!(hosts, "section-hosts"),
    section!(models, "section-models"),
    section!(method, "section-method"),
    section!(provenance, "section-provenance"),
    section!(files, "section-files"),
];

/// Sections of a host's page, in order.
pub(crate) const HOST: &[Section] = &[
    section!(host_summary, "section-in-short"),
    section!(history_link, "section-history-link"),
    section!(host_chain, "section-host-chain"),
    section!(decision, "section-decision"),
    section!(host_ladder, "section-host-ladder"),
    section!(host_kv_cache, "section-host-kv-cache"),
    section!(host_interference, "section-host-interference"),
    section!(host_sustained, "section-host-sustained"),
    section!(host_power, "section-host-power"),
    section!(host_kernels, "section-host-kernels"),
    section!(host_threads, "section-host-threads"),
    section!(host_sizes, "section-host-sizes"),
    section!(host_latency, "section-host-latency"),
    section!(host_roofline, "section-host-roofline"),
    section!(host_units, "section-host-units"),
    section!(host_samples, "section-host-samples"),
    section!(host_troubles, "section-host-troubles"),
    section!(host_left_out, "section-host-left-out"),
    section!(host_health, "section-host-health"),
    section!(host_environment, "section-host-environment"),
    section!(host_facts, "section-host-facts"),
    section!(files, "section-files"),
];

/// Sections of a board's page, in order.
pub(crate) const BOARD: &[Section] = &[
    section!(board_memory, "section-board-memory"),
    section!(decision, "section-decision"),
    section!(board_models, "section-board-models"),
];

/// Sections of a model's page, in order.
pub(crate) const MODEL: &[Section] = &[
    section!(model_places, "section-model-places"),
    section!(model_facts, "section-model-facts"),
];

/// Sections of the page of the history, in order.
pub(crate) const HISTORY: &[Section] = &[
    section!(history_summary, "section-in-short"),
    section!(history_hosts, "section-history-hosts"),
    section!(history_changes, "section-history-changes"),
];

/// Sections of a host's page of the history, in order.
pub(crate) const HOST_HISTORY: &[Section] = &[
    section!(history_host, "section-in-short"),
    section!(history_charts, "section-history-charts"),
    section!(history_changes, "section-history-changes"),
    section!(history_runs, "section-history-runs"),
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
fn unit_anchor(unit: &UnitRow) -> String {
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
