//! Which pages a report has, and their rendering in every language, on all CPUs at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::{Failures, environment, page_name, render_page};
use crate::analysis::{Analysis, HostAnalysis};
use crate::decisions::Decisions;
use crate::history::History;
use crate::sections::{self, Page, Scope, Section};
use crate::words::{self, Language, Place, Quotes, Words};
use crate::{format, svg};

/// A page to render.
struct PlannedPage<'a> {
    /// Relative to the English index.
    path: String,
    scope: Scope<'a>,
    title: String,
    subtitle: String,
    sections: &'static [Section],
}

/// A page in every language, and what stays English in the others.
struct Said {
    path: String,
    english: Vec<u8>,
    spanish: Vec<u8>,
    missing: BTreeSet<String>,
    failures: Failures,
}

/// Pages by path, and texts that stay English.
pub(super) type Pages = (BTreeMap<String, Vec<u8>>, BTreeSet<String>);

/// Every page by path: English where it is, Spanish in the folder `es`. Also what stays English.
///
/// # Errors
/// When a template does not fit its view model.
pub(super) fn render_all(
    analysis: &Analysis,
    decisions: &Decisions,
    history: Option<&History>,
    failures: &mut Failures,
) -> anyhow::Result<Pages> {
    let environment = environment()?;
    let planned = plan(analysis, history);
    let paths: BTreeSet<String> = planned.iter().map(|page| page.path.clone()).collect();
    let quotes = failures.keep("the Spanish pages", || Quotes::of(analysis));
    let quotes = Arc::new(quotes.unwrap_or_default());
    let languages = || {
        let [english, spanish] = Language::ALL.map(Words::new);
        (english, spanish.quoting(Arc::clone(&quotes)))
    };
    let render = |(english, spanish): &mut (Words, Words), planned: &PlannedPage| {
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
        let html = render_page(
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
        let mut say = |words: &Words, place: Option<&Place>| {
            let path = format!("`{}/{}`", words.language().code(), planned.path);
            let said = failures.keep(&path, || words.page(&html, place));
            said.unwrap_or_else(|| html.clone()).into_bytes()
        };
        Ok(Said {
            path: planned.path.clone(),
            spanish: say(spanish, Some(&place)),
            english: say(english, None),
            missing: spanish.missing(),
            failures,
        })
    };
    let pages = (planned.par_iter())
        .map_init(languages, render)
        .collect::<anyhow::Result<Vec<Said>>>()?;
    let mut files = BTreeMap::new();
    let mut missing = BTreeSet::new();
    for page in pages {
        files.insert(format!("es/{}", page.path), page.spanish);
        files.insert(page.path, page.english);
        missing.extend(page.missing);
        failures.0.extend(page.failures.0);
    }
    Ok((files, missing))
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
