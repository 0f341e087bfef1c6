//! Renders a run directory: pages, data files and the short summary. Same directory in, same bytes out.
//!
//! Pages hold no scripts and ask for nothing outside their folder.

mod summary;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;

use crate::analysis::{self, Analysis, HostAnalysis};
use crate::history::{self, History, StoredRun};
use crate::sections::{self, Page, Scope, Section};
use crate::{format, frames, run_dir, stats, svg};

/// Renders `html/index.html`, its sub-pages and data files, and `summary.md`; returns the path of the index.
///
/// # Errors
/// When `dir` cannot be read or written. Whatever is broken inside it appears in the report instead.
pub fn render(dir: &Path) -> anyhow::Result<PathBuf> {
    let run = run_dir::read(dir)?;
    render_analysis(dir, &analysis::analyse(&run), None)
}

/// What a run directory became.
#[derive(Debug)]
pub struct Written {
    /// First page of the report.
    pub index: PathBuf,
    /// Whether all data of a host are invalid.
    pub has_invalid_host: bool,
    /// What the history lacks, in plain sentences; the report is complete without it.
    pub history_problems: Vec<String>,
}

/// Whether a run enters the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    InHistory,
    No,
}

/// Writes the frames and renders the report; the run is read and analysed once for both. With the folder of a history
/// the report has its pages, up to this run.
///
/// # Errors
/// When `dir` cannot be read or written. What is broken in the history is told in [`Written::history_problems`].
pub fn write(dir: &Path, history: Option<&Path>) -> anyhow::Result<Written> {
    write_and_keep(dir, history, Keep::No)
}

/// The same for a run that has just ended: what it measured enters the history, where it belongs to one.
///
/// # Errors
/// When `dir` cannot be read or written. A history that cannot be written is told in [`Written::history_problems`].
pub fn write_new(dir: &Path, history: Option<&Path>) -> anyhow::Result<Written> {
    write_and_keep(dir, history, Keep::InHistory)
}

fn write_and_keep(dir: &Path, history: Option<&Path>, keep: Keep) -> anyhow::Result<Written> {
    let mut run = run_dir::read(dir)?;
    // They will be there once this is done.
    run.has_frames = true;
    let analysis = analysis::analyse(&run);
    frames::write_analysis(dir, &analysis).context("cannot write the frames")?;
    let mut history_problems = Vec::new();
    if let Some(history) = history.filter(|_| keep == Keep::InHistory)
        && let Err(error) = history::add(history, &analysis)
    {
        history_problems.push(format!("{error:#}"));
    }
    let known = match history {
        Some(folder) => Some(history::read(folder, Some(&StoredRun::of(&analysis)?))),
        None => None,
    };
    history_problems.extend(known.iter().flat_map(|known| known.problems.clone()));
    Ok(Written {
        index: render_analysis(dir, &analysis, known.as_ref())
            .context("cannot render the report")?,
        has_invalid_host: (analysis.hosts.iter()).any(HostAnalysis::is_all_invalid),
        history_problems,
    })
}

fn render_analysis(
    dir: &Path,
    analysis: &Analysis,
    history: Option<&History>,
) -> anyhow::Result<PathBuf> {
    let mut files = pages(analysis, history)?;
    files.insert(
        "data/samples.csv".into(),
        frames::csv(&mut frames::samples(analysis)?)?,
    );
    files.insert(
        "data/units.csv".into(),
        frames::csv(&mut frames::units(analysis)?)?,
    );
    files.insert(
        "data/bounds.csv".into(),
        frames::csv(&mut frames::catalogue_bounds(analysis)?)?,
    );
    if analysis.run.has_results_of_others() {
        files.insert(
            "data/imported.csv".into(),
            frames::csv(&mut frames::imported(analysis)?)?,
        );
    }
    replace_folder(&dir.join("html"), &files)?;
    let summary_path = dir.join("summary.md");
    fs::write(&summary_path, summary::markdown(analysis))
        .with_context(|| format!("cannot write `{}`", summary_path.display()))?;
    Ok(dir.join("html").join("index.html"))
}

/// File name of a page about something with a foreign name: safe on every file system and in every URL.
pub(crate) fn page_name(name: &str) -> String {
    let safe: String = name
        .chars()
        .take(60)
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
                c
            } else {
                '-'
            }
        })
        .collect();
    match safe == name && !name.starts_with('.') && !name.is_empty() {
        true => format!("{name}.html"),
        // Two names may become the same safe one: the hash keeps them apart.
        false => format!(
            "{}-{:016x}.html",
            safe.trim_start_matches('.'),
            stats::seed_of(&[name])
        ),
    }
}

/// What the marks of a report mean.
const FOOTER: &str = "Dashed outlines are theory, solid bars are measured, grey bars ran under an emulator and are compared with \
    nothing, hollow bars are invalid.";

/// What the page around the sections needs.
#[derive(Serialize)]
struct Frame<'a> {
    footer: &'a str,
    style: &'static str,
    title: String,
    subtitle: String,
    run_id: String,
    root: &'a str,
    is_index: bool,
    sections: Vec<Rendered>,
}

#[derive(Serialize)]
struct Rendered {
    id: &'static str,
    title: &'static str,
    html: String,
}

fn pages(
    analysis: &Analysis,
    history: Option<&History>,
) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let environment = environment()?;
    let mut pages = BTreeMap::new();
    let mut add =
        |path: String, scope: Scope, title: &str, subtitle: &str, sections: &[Section]| {
            let root = if path.contains('/') { "../" } else { "" };
            let page = Page {
                analysis,
                scope,
                history,
                root,
            };
            let html = render_page(&environment, &page, title, subtitle, sections)?;
            pages.insert(path, html.into_bytes());
            anyhow::Ok(())
        };
    let run_title = format!(
        "Memory bandwidth, run {}",
        format::foreign_short(&analysis.run.manifest.run_id, 80)
    );
    add(
        "index.html".into(),
        Scope::Run,
        &run_title,
        "",
        sections::RUN,
    )?;
    for host in &analysis.hosts {
        let title = format!("Host {}", format::foreign_short(host.name(), 80));
        add(
            format!("hosts/{}", page_name(host.name())),
            Scope::Host(host),
            &title,
            &host_subtitle(host),
            sections::HOST,
        )?;
    }
    for board in analysis.run.inventory.boards.values() {
        let title = format::foreign_short(&board.name, 80);
        add(
            format!("boards/{}", page_name(&board.id)),
            Scope::Board(board),
            &title,
            &format::foreign(&board.soc),
            sections::BOARD,
        )?;
    }
    for (path, scope, title, sections) in history.map(history_pages).unwrap_or_default() {
        add(path, scope, &title, "", sections)?;
    }
    Ok(pages)
}

/// Path, scope, title and sections of a page.
type Planned<'a> = (String, Scope<'a>, String, &'static [Section]);

/// The pages of a history, where there is enough of one.
fn history_pages(history: &History) -> Vec<Planned<'_>> {
    if !history.is_shown() {
        return Vec::new();
    }
    let mut pages: Vec<Planned> = vec![(
        "history.html".into(),
        Scope::History,
        "History".into(),
        sections::HISTORY,
    )];
    for host in &history.hosts {
        pages.push((
            format!("history/{}", page_name(&host.name)),
            Scope::HostHistory(host),
            format!("History of {}", format::foreign_short(&host.name, 80)),
            sections::HOST_HISTORY,
        ));
    }
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
        name.map(|name| format::foreign_short(name, 100))
            .unwrap_or_default()
    )
}

fn render_page(
    environment: &Environment,
    page: &Page,
    title: &str,
    subtitle: &str,
    sections: &[Section],
) -> anyhow::Result<String> {
    let mut rendered = Vec::new();
    for section in sections {
        let Some(view) = (section.view)(page) else {
            continue;
        };
        let html = environment
            .get_template(section.template)
            .and_then(|template| template.render(context! { root => page.root, view }))
            .with_context(|| format!("cannot render section `{}`", section.id))?;
        rendered.push(Rendered {
            id: section.id,
            title: section.title,
            html,
        });
    }
    let frame = Frame {
        footer: FOOTER,
        style: include_str!("report/style.css"),
        title: title.to_owned(),
        subtitle: subtitle.to_owned(),
        run_id: format::foreign(&page.analysis.run.manifest.run_id),
        root: page.root,
        is_index: matches!(page.scope, Scope::Run),
        sections: rendered,
    };
    let template = environment.get_template("page.html.j2")?;
    template
        .render(context! { page => Serde(&frame) })
        .context("cannot render the page")
}

/// A section of a page that belongs to no run.
pub(crate) struct Part {
    /// Anchor on the page.
    pub(crate) id: &'static str,
    /// Heading.
    pub(crate) title: &'static str,
    /// Name of the template; must end in `.html.j2`, which switches escaping on.
    pub(crate) template: &'static str,
    /// The template.
    pub(crate) source: &'static str,
    /// The view model.
    pub(crate) view: minijinja::Value,
}

/// A page of its own, in one file and in the style of a report; `footer` says what its marks mean.
///
/// # Errors
/// When a template does not fit its view model.
pub(crate) fn standalone(
    title: &str,
    subtitle: &str,
    footer: &str,
    parts: Vec<Part>,
) -> anyhow::Result<String> {
    let mut environment = environment()?;
    for part in &parts {
        environment.add_template(part.template, part.source)?;
    }
    let mut sections = Vec::new();
    for part in parts {
        let html = environment
            .get_template(part.template)
            .and_then(|template| template.render(context! { view => part.view }))
            .with_context(|| format!("cannot render section `{}`", part.id))?;
        sections.push(Rendered {
            id: part.id,
            title: part.title,
            html,
        });
    }
    let frame = Frame {
        footer,
        style: include_str!("report/style.css"),
        title: title.to_owned(),
        subtitle: subtitle.to_owned(),
        run_id: String::new(),
        root: "",
        is_index: true,
        sections,
    };
    let template = environment.get_template("page.html.j2")?;
    template
        .render(context! { page => Serde(&frame) })
        .context("cannot render the page")
}

/// The suffix of a template's name switches escaping on: every name ends in `.html.j2`.
fn environment() -> anyhow::Result<Environment<'static>> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("prose", |text: &str| {
        minijinja::Value::from_safe_string(prose(text))
    });
    environment.add_template("page.html.j2", include_str!("report/page.html.j2"))?;
    let (name, source) = sections::PUBLISHED;
    environment.add_template(name, source)?;
    for section in [
        sections::RUN,
        sections::HOST,
        sections::BOARD,
        sections::HISTORY,
        sections::HOST_HISTORY,
    ]
    .into_iter()
    .flatten()
    {
        environment.add_template(section.template, section.source)?;
    }
    Ok(environment)
}

/// Escapes a text and sets what stands between backticks as code.
fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return svg::escape(text);
    }
    let mark = |(i, part): (usize, &&str)| match i % 2 {
        0 => svg::escape(part),
        _ => format!("<code>{}</code>", svg::escape(part)),
    };
    parts.iter().enumerate().map(mark).collect()
}

/// Writes a whole folder beside its place, then puts it there: no page of an earlier report stays behind.
fn replace_folder(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> anyhow::Result<()> {
    let beside = folder.with_extension(format!("tmp-{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        for (name, bytes) in files {
            let path = beside.join(name);
            fs::create_dir_all(path.parent().unwrap_or(&beside))?;
            fs::write(path, bytes)?;
        }
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::rename(&beside, folder)
    };
    write().with_context(|| format!("cannot write the report to `{}`", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_escapes_and_marks_code() {
        assert_eq!(
            prose("add `a<b>` & go"),
            "add <code>a&lt;b&gt;</code> &amp; go"
        );
        assert_eq!(prose("one ` only"), "one ` only");
    }

    #[test]
    fn page_names_cannot_leave_their_folder() {
        assert_eq!(page_name("rock-5b"), "rock-5b.html");
        for name in [
            "../../etc/passwd",
            "..",
            "",
            "<script>",
            "a/b",
            "a\\b",
            &"x".repeat(300),
        ] {
            let page = page_name(name);
            assert!(
                !page.contains('/') && !page.contains('\\') && !page.starts_with('.'),
                "{page}"
            );
            assert!(page.len() < 100, "{page}");
        }
        assert_ne!(page_name("a/b"), page_name("a\\b"));
    }
}
