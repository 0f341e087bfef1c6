//! Which pages a report has, and their rendering in every language, on all CPUs at once. A page is written as soon as it is
//! rendered: those of 200 hosts together take more memory than everything that they show.

use std::collections::BTreeSet;
use std::sync::Arc;

use bench_inventory::foreign::Folder;
use rayon::prelude::*;

use super::{Failures, environment, page_name, render_page, write_file};
use crate::history::History;
use crate::sections::{self, Page, Scope, Section};
use crate::svg;
use crate::words::{self, Language, Place, Quotes, Words};
use bench_analysis::choice::decisions::Decisions;
use bench_analysis::measured::{Analysis, HostAnalysis};
use bench_run_dir::format;

/// A page to render.
struct PlannedPage<'a> {
    /// Relative to the English index.
    path: String,
    scope: Scope<'a>,
    title: String,
    subtitle: String,
    sections: &'static [Section],
}

/// Writes every page to its path: English where it is, Spanish in the folder `es`. Returns the texts that stay English.
///
/// # Errors
/// When a template does not fit its view model, or a page cannot be written.
pub(super) fn write_all(
    analysis: &Analysis,
    decisions: &Decisions,
    history: Option<&History>,
    html: &Folder,
    failures: &mut Failures,
) -> anyhow::Result<BTreeSet<String>> {
    let environment = environment()?;
    let planned = plan(analysis, history);
    let paths: BTreeSet<String> = planned.iter().map(|page| page.path.clone()).collect();
    let quotes = failures.keep("the Spanish pages", || Quotes::of(analysis));
    let quotes = Arc::new(quotes.unwrap_or_default());
    let languages = || {
        let [english, spanish] = Language::ALL.map(Words::new);
        (english, spanish.quoting(Arc::clone(&quotes)))
    };
    let write = |(english, spanish): &mut (Words, Words), planned: &PlannedPage| {
        let root = if planned.path.contains('/') {
            "../"
        } else {
            ""
        };
        let page = Page {
            analysis,
            decisions,
            scope: planned.scope,
            history,
            root,
        };
        let titles = (
            planned.path.as_str(),
            planned.title.as_str(),
            planned.subtitle.as_str(),
        );
        let switch = language_switch(root, &planned.path);
        let mut failures = Failures::default();
        let rendered = render_page(
            &environment,
            &page,
            titles,
            switch,
            planned.sections,
            &mut failures,
        )?;
        let place = Place {
            path: &planned.path,
            pages: &paths,
        };
        let spanish_path = format!("es/{}", planned.path);
        for (path, words, place) in [
            (&planned.path, &*english, None),
            (&spanish_path, &*spanish, Some(&place)),
        ] {
            let what = format!("`{}/{}`", words.language().code(), planned.path);
            let said = failures.keep(&what, || words.page(&rendered, place));
            write_file(html, path, said.as_ref().unwrap_or(&rendered).as_bytes())?;
        }
        Ok((spanish.missing(), failures))
    };
    let pages = (planned.par_iter())
        .map_init(languages, write)
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut untranslated = BTreeSet::new();
    for (missing, of_page) in pages {
        untranslated.extend(missing);
        failures.0.extend(of_page.0);
    }
    Ok(untranslated)
}

fn plan<'a>(analysis: &'a Analysis, history: Option<&'a History>) -> Vec<PlannedPage<'a>> {
    let run_id = format::foreign_short(&analysis.run.manifest.run_id, 80);
    let mut pages = vec![PlannedPage {
        path: "index.html".into(),
        scope: Scope::Run,
        title: format!("Memory bandwidth, run {}", words::name(&run_id)),
        subtitle: String::new(),
        sections: sections::RUN,
    }];
    pages.extend(analysis.hosts.iter().map(|host| PlannedPage {
        path: format!("hosts/{}", page_name(host.name())),
        scope: Scope::Host(host),
        title: format!(
            "Host {}",
            words::name(&format::foreign_short(host.name(), 80))
        ),
        subtitle: host_subtitle(host),
        sections: sections::HOST,
    }));
    let inventory = &analysis.run.inventory;
    pages.extend(inventory.boards.values().map(|board| PlannedPage {
        path: format!("boards/{}", page_name(&board.id)),
        scope: Scope::Board(board),
        title: words::name(&format::foreign_short(&board.name, 80)),
        subtitle: words::name(&format::foreign(&board.soc)),
        sections: sections::BOARD,
    }));
    pages.extend(inventory.models.values().map(|model| PlannedPage {
        path: format!("models/{}", page_name(&model.id)),
        scope: Scope::Model(model),
        title: words::name(&format::foreign_short(&model.name, 80)),
        subtitle: String::new(),
        sections: sections::MODEL,
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
        title: "History".into(),
        subtitle: String::new(),
        sections: sections::HISTORY,
    }];
    pages.extend(history.hosts.iter().map(|host| PlannedPage {
        path: format!("history/{}", page_name(&host.name)),
        scope: Scope::HostHistory(host),
        title: format!(
            "History of {}",
            words::name(&format::foreign_short(&host.name, 80))
        ),
        subtitle: String::new(),
        sections: sections::HOST_HISTORY,
    }));
    pages
}

fn host_subtitle(host: &HostAnalysis) -> String {
    let facts = host.data.facts.as_ref();
    let told = facts.and_then(|facts| {
        facts
            .device_tree_model
            .as_ref()
            .or(facts.cpu_model.as_ref())
    });
    let name = host.board.map(|board| &board.name).or(told);
    let emulated = if host.data.record.emulated {
        " (emulated: function only)"
    } else {
        ""
    };
    format!(
        "{}{emulated}",
        name.map(|name| words::name(&format::foreign_short(name, 100)))
            .unwrap_or_default()
    )
}

/// A link to the same page in the other language. It knows its way from either place, so it has `hreflang`.
fn language_switch(root: &str, path: &str) -> String {
    let path = svg::escape(path);
    words::choice(
        &format!(r#"<a href="{root}es/{path}" hreflang="es" lang="es">Español</a>"#),
        &format!(r#"<a href="{root}../{path}" hreflang="en" lang="en">English</a>"#),
    )
}
