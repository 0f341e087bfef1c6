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
use bench_locales::{Text, say};
use bench_run_dir::format;
use minijinja::Environment;

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
    let planned = plan(analysis, history);
    let paths: BTreeSet<String> = planned.iter().map(|page| page.path.clone()).collect();
    let quotes = failures.keep("the Spanish pages", || Quotes::of(analysis));
    let quotes = Arc::new(quotes.unwrap_or_default());
    let speakers = Language::ALL
        .map(Speaker::new)
        .into_iter()
        .collect::<anyhow::Result<Vec<_>>>()?;
    let languages = || Words::new(Language::Spanish).quoting(Arc::clone(&quotes));
    let write = |spanish: &mut Words, planned: &PlannedPage| {
        let root = if planned.path.contains('/') {
            "../"
        } else {
            ""
        };
        let titles = (
            planned.path.as_str(),
            planned.title.as_str(),
            planned.subtitle.as_str(),
        );
        let mut failures = Failures::default();
        let place = Place {
            path: &planned.path,
            pages: &paths,
        };
        for speaker in &speakers {
            let page = Page {
                analysis,
                decisions,
                scope: planned.scope,
                history,
                root,
                text: &speaker.text,
            };
            let rendered = render_page(
                &speaker.environment,
                &page,
                titles,
                language_switch(root, &planned.path, speaker, &speakers),
                planned.sections,
                &mut failures,
            )?;
            let (path, said) = match speaker.language {
                Language::English => (
                    planned.path.clone(),
                    Words::new(Language::English).page(&rendered, None),
                ),
                Language::Spanish => {
                    let what = format!("`es/{}`", planned.path);
                    let said = failures.keep(&what, || spanish.page(&rendered, Some(&place)));
                    (format!("es/{}", planned.path), said.unwrap_or(rendered))
                }
            };
            write_file(html, &path, said.as_bytes())?;
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

/// What pages of a language are made with.
struct Speaker {
    language: Language,
    text: Arc<Text>,
    environment: Environment<'static>,
}

impl Speaker {
    fn new(language: Language) -> anyhow::Result<Speaker> {
        let text = Arc::new(language.text());
        Ok(Speaker {
            language,
            environment: environment(&text)?,
            text,
        })
    }
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

/// Links to the same page in the other languages, as HTML. They know their way, so they have `hreflang`.
fn language_switch(root: &str, path: &str, own: &Speaker, all: &[Speaker]) -> String {
    let path = svg::escape(path);
    let up = match own.language {
        Language::English => "",
        Language::Spanish => "../",
    };
    let others = all.iter().filter(|other| other.language != own.language);
    let links = others.map(|other| {
        let code = other.language.code();
        let folder = match other.language {
            Language::English => String::new(),
            Language::Spanish => format!("{code}/"),
        };
        let name = say!(other.text, "language-name");
        format!(r#"<a href="{root}{up}{folder}{path}" hreflang="{code}" lang="{code}">{name}</a>"#)
    });
    links.collect()
}
