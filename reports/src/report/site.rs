//! Which pages a report has, and their rendering in every language, on all CPUs at once. A page is written as soon as it is
//! rendered: those of 200 hosts together take more memory than everything that they show.

use std::sync::Arc;

use bench_inventory::foreign::Folder;
use rayon::prelude::*;

use super::{Failures, environment, render_page, write_file};
use crate::charts;
use crate::history::History;
use crate::pages::page_name;
use crate::pages::{self, Page, Scope, Section};
use bench_analysis::choice::decisions::Decisions;
use bench_analysis::measured::{Analysis, HostAnalysis};
use bench_locales::{Language, Text, say};
use bench_run_dir::format;
use minijinja::Environment;

/// A page to render.
struct PlannedPage<'a> {
    /// Relative to the English index.
    path: String,
    scope: Scope<'a>,
    sections: &'static [Section],
}

/// Writes every page to its path in every language: English where it is, others in a folder of their own, `es` for instance.
///
/// # Errors
/// When a template does not fit its view model, or a page cannot be written.
pub(super) fn write_all(
    analysis: &Analysis,
    decisions: &Decisions,
    history: Option<&History>,
    (html, texts): (&Folder, &[Arc<Text>]),
    failures: &mut Failures,
) -> anyhow::Result<()> {
    let planned = plan(analysis, history);
    let speakers = (texts.iter().map(Speaker::new)).collect::<anyhow::Result<Vec<_>>>()?;
    let write = |(planned, speaker): (&PlannedPage, &Speaker)| {
        let (root, files_root) = speaker.roots(&planned.path);
        let page = Page {
            analysis,
            decisions,
            scope: planned.scope,
            history,
            root,
            files_root,
            text: &speaker.text,
        };
        let mut failures = Failures::default();
        let path = format!("{}{}", speaker.folder(), planned.path);
        let rendered = render_page(
            &speaker.environment,
            &page,
            &path,
            language_switch(files_root, &planned.path, speaker, &speakers),
            planned.sections,
            &mut failures,
        )?;
        write_file(html, &path, rendered.as_bytes())?;
        Ok(failures)
    };
    let pages = (planned.par_iter())
        .flat_map(|page| speakers.par_iter().map(move |speaker| (page, speaker)))
        .map(write)
        .collect::<anyhow::Result<Vec<_>>>()?;
    for of_page in pages {
        failures.0.extend(of_page.0);
    }
    Ok(())
}

/// What pages of a language are made with.
struct Speaker {
    text: Arc<Text>,
    environment: Environment<'static>,
}

impl Speaker {
    fn new(text: &Arc<Text>) -> anyhow::Result<Speaker> {
        Ok(Speaker {
            text: Arc::clone(text),
            environment: environment(text)?,
        })
    }

    /// Folder of its pages below that of the English ones.
    fn folder(&self) -> String {
        match self.text.code() == Language::ENGLISH.code() {
            true => String::new(),
            false => format!("{}/", self.text.code()),
        }
    }

    /// From a page to the index in its language, and to the files that exist once.
    fn roots(&self, path: &str) -> (&'static str, &'static str) {
        match (path.contains('/'), self.folder().is_empty()) {
            (false, true) => ("", ""),
            (false, false) => ("", "../"),
            (true, true) => ("../", "../"),
            (true, false) => ("../", "../../"),
        }
    }
}

fn plan<'a>(analysis: &'a Analysis, history: Option<&'a History>) -> Vec<PlannedPage<'a>> {
    let mut pages = vec![PlannedPage {
        path: "index.html".into(),
        scope: Scope::Run,
        sections: pages::RUN,
    }];
    pages.extend(analysis.hosts.iter().map(|host| PlannedPage {
        path: format!("hosts/{}", page_name(host.name())),
        scope: Scope::Host(host),
        sections: pages::HOST,
    }));
    let inventory = &analysis.run.inventory;
    pages.extend(inventory.boards.values().map(|board| PlannedPage {
        path: format!("boards/{}", page_name(&board.id)),
        scope: Scope::Board(board),
        sections: pages::BOARD,
    }));
    pages.extend(inventory.models.values().map(|model| PlannedPage {
        path: format!("models/{}", page_name(&model.id)),
        scope: Scope::Model(model),
        sections: pages::MODEL,
    }));
    pages.extend(history.map(history_pages).unwrap_or_default());
    pages
}

/// The pages of a history, where there is enough of one.
fn history_pages(history: &History) -> Vec<PlannedPage<'_>> {
    if !history.is_shown() {
        return Vec::new();
    }
    let mut pages = vec![PlannedPage {
        path: "history.html".into(),
        scope: Scope::History,
        sections: pages::HISTORY,
    }];
    pages.extend(history.hosts.iter().map(|host| PlannedPage {
        path: format!("history/{}", page_name(&host.name)),
        scope: Scope::HostHistory(host),
        sections: pages::HOST_HISTORY,
    }));
    pages
}

/// Title and subtitle of a page; the latter may be empty.
pub(super) fn titles(page: &Page) -> (String, String) {
    let text = page.text;
    let short = |name: &str| format::foreign_short(name, 80);
    match page.scope {
        Scope::Run => {
            let run = short(&page.analysis.run.manifest.run_id);
            (say!(text, "title-run", run = run), String::new())
        }
        Scope::Host(host) => (
            say!(text, "title-host", host = short(host.name())),
            host_subtitle(text, host),
        ),
        Scope::Board(board) => (short(&board.name), format::foreign(&board.soc)),
        Scope::Model(model) => (short(&model.name), String::new()),
        Scope::History => (say!(text, "title-history"), String::new()),
        Scope::HostHistory(host) => (
            say!(text, "title-host-history", host = short(&host.name)),
            String::new(),
        ),
    }
}

fn host_subtitle(text: &Text, host: &HostAnalysis) -> String {
    let facts = host.data.facts.as_ref();
    let told = facts.and_then(|facts| {
        facts
            .device_tree_model
            .as_ref()
            .or(facts.cpu_model.as_ref())
    });
    let name = host.board.map(|board| &board.name).or(told);
    let name = name.map_or_else(String::new, |name| format::foreign_short(name, 100));
    match host.data.record.emulated {
        true => say!(text, "subtitle-emulated", name = name),
        false => name,
    }
}

/// Links to the same page in the other languages, as HTML.
fn language_switch(files_root: &str, path: &str, own: &Speaker, all: &[Speaker]) -> String {
    let path = charts::escape(path);
    let others = (all.iter()).filter(|other| other.text.code() != own.text.code());
    let links = others.map(|other| {
        let (code, folder) = (other.text.code(), other.folder());
        let name = say!(other.text, "language-name");
        format!(
            r#"<a href="{files_root}{folder}{path}" hreflang="{code}" lang="{code}">{name}</a>"#
        )
    });
    links.collect()
}
