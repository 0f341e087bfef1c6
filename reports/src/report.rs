//! Renders a run directory: pages, data files and the short summary. Same directory in, same bytes out.
//!
//! Pages ask for nothing outside their folder, and their one script adds comfort only: without it everything is there.

mod document;
mod script;
mod site;
mod summary;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use bench_inventory::foreign::{Folder, Kind};
use bench_locales::{Arg, Language, Message, Text, say};
use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, UndefinedBehavior, Value, context};
use serde::Serialize;

use crate::history::{self, History, StoredRun};
use crate::pages::{self, Page, Scope, Section};
use crate::{charts, tables::frames};
use bench_analysis::choice::decisions::Decisions;
use bench_analysis::guard::guarded;
use bench_analysis::measured::{self, Analysis, HostAnalysis};
use bench_run_dir::format;

/// Renders `html/index.html`, its sub-pages and data files, and `summary.md`; returns the path of the index.
///
/// Everything that people read exists in every language: Spanish pages are in `html/es/`, the summary is `summary.es.md`.
///
/// # Errors
/// When `dir` cannot be read or written. Whatever is broken inside it appears in the report instead.
pub fn render(dir: &Path) -> anyhow::Result<PathBuf> {
    render_in(dir, None, languages())
}

/// The same in these languages, with the pages of a history where there is one. English pages lie in `html/`, those of any
/// other language in a folder named by its code.
///
/// # Errors
/// As for [`render`].
pub fn render_in(dir: &Path, history: Option<&Path>, texts: Vec<Text>) -> anyhow::Result<PathBuf> {
    let run = bench_run_dir::read(dir)?;
    let analysis = measured::analyse(&run);
    let known = match history {
        Some(folder) => Some(history::read(folder, Some(&StoredRun::of(&analysis)?))),
        None => None,
    };
    let mut failures = Failures::default();
    render_analysis(dir, &analysis, known.as_ref(), texts, &mut failures)
}

/// Everything in every language.
fn languages() -> Vec<Text> {
    Language::all().map(Text::new).collect()
}

/// What a run directory became.
#[derive(Debug)]
pub struct Written {
    /// First page of the report, in English.
    pub index: PathBuf,
    /// Whether all data of a host are invalid.
    pub has_invalid_host: bool,
    /// What to say before anything else: hosts most of whose figures were disturbed.
    pub warning: Option<Message>,
    /// What the history lacks, in plain sentences; the report is complete without it.
    pub history_problems: Vec<String>,
    /// Parts of the report that could not be made because of a mistake in memwall, in plain sentences; the rest is there.
    pub failures: Vec<String>,
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
    let mut run = bench_run_dir::read(dir)?;
    // They will be there once this is done.
    run.has_frames = true;
    for host in &mut run.hosts {
        // Its units have what was asked of them; of 200 hosts it is tens of megabytes.
        host.request = None;
    }
    let analysis = measured::analyse(&run);
    let hosts = analysis.hosts.iter();
    let mut failures = Failures(
        (hosts.filter_map(HostAnalysis::failure_words))
            .map(|it| it.to_string())
            .collect(),
    );
    let frames = failures.keep("the frames", || frames::write_analysis(dir, &analysis));
    frames.transpose().context("cannot write the frames")?;
    let mut history_problems = Vec::new();
    if let Some(history) = history.filter(|_| keep == Keep::InHistory)
        && let Some(Err(error)) = failures.keep("the history", || history::add(history, &analysis))
    {
        history_problems.push(format!("{error:#}"));
    }
    let known = match history {
        Some(folder) => failures
            .keep("the history", || {
                anyhow::Ok(history::read(folder, Some(&StoredRun::of(&analysis)?)))
            })
            .transpose()?,
        None => None,
    };
    history_problems
        .extend((known.iter().flat_map(|known| &known.problems)).map(ToString::to_string));
    let index = render_analysis(dir, &analysis, known.as_ref(), languages(), &mut failures)
        .context("cannot render the report")?;
    Ok(Written {
        index,
        has_invalid_host: (analysis.hosts.iter()).any(HostAnalysis::is_all_invalid),
        warning: analysis.warning(),
        history_problems,
        failures: failures.0,
    })
}

/// Parts that a mistake of memwall left out of a report, one sentence each.
#[derive(Debug, Default)]
struct Failures(Vec<String>);

impl Failures {
    /// The result of a part, unless it panics: then it is left out, and this is told.
    fn keep<T>(&mut self, what: &str, part: impl FnOnce() -> T) -> Option<T> {
        match guarded(part) {
            Ok(made) => Some(made),
            Err(failure) => {
                self.add(what, &failure);
                None
            }
        }
    }

    fn add(&mut self, what: &str, failure: &str) {
        self.0.push(format!(
            "{what} could not be written, please report this: {failure}"
        ));
    }
}

impl Written {
    /// First page of the report in a language.
    pub fn index_in(&self, language: Language) -> PathBuf {
        match self.index.parent() {
            Some(folder) if language != Language::ENGLISH => {
                folder.join(language.code()).join("index.html")
            }
            _ => self.index.clone(),
        }
    }
}

fn render_analysis(
    dir: &Path,
    analysis: &Analysis,
    history: Option<&History>,
    texts: Vec<Text>,
    failures: &mut Failures,
) -> anyhow::Result<PathBuf> {
    let texts: Vec<Arc<Text>> = texts.into_iter().map(Arc::new).collect();
    let decisions = failures.keep("the tables of models and boards", || {
        Decisions::of(analysis)
    });
    let decisions = decisions.unwrap_or_default();
    replace_folder(dir, "html", |html| {
        site::write_all(analysis, &decisions, history, (html, &texts), failures)?;
        write_data_files(analysis, &decisions, html, failures)
    })?;
    for text in &texts {
        let name = match text.code() {
            code if code == Language::ENGLISH.code() => "summary.md".to_owned(),
            code => format!("summary.{code}.md"),
        };
        let path = dir.join(&name);
        let markdown = || summary::markdown(analysis, &decisions, text);
        let Some(markdown) = failures.keep(&format!("`{name}`"), markdown) else {
            continue;
        };
        Folder::open(dir)
            .and_then(|run| run.replace(&name, markdown.as_bytes()))
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(dir.join("html").join("index.html"))
}

/// The rows behind the pages.
fn write_data_files(
    analysis: &Analysis,
    decisions: &Decisions,
    html: &Folder,
    failures: &mut Failures,
) -> anyhow::Result<()> {
    let mut add = |name: &str, make: &dyn Fn() -> anyhow::Result<Vec<u8>>| {
        let place = format!("data/{name}");
        match failures.keep(&format!("`{place}`"), make).transpose()? {
            Some(bytes) => write_file(html, &place, &bytes),
            None => Ok(()),
        }
    };
    add("samples.csv", &|| frames::csv(&frames::samples(analysis)?))?;
    add("units.csv", &|| frames::csv(&frames::units(analysis)?))?;
    add("bounds.csv", &|| {
        frames::csv(&frames::catalogue_bounds(analysis)?)
    })?;
    add("decisions.csv", &|| {
        frames::csv(&frames::decisions(decisions)?)
    })?;
    add("report.json", &|| {
        let document = document::document(analysis, decisions);
        let json = serde_json::to_string(&document).context("cannot write `report.json`")?;
        // People look at it in editors and terminals, too. JSON's own escapes stay as they are.
        Ok(format::foreign(&json).into_bytes())
    })?;
    add("report.schema.json", &|| {
        Ok(document::schema()?.into_bytes())
    })?;
    if analysis.run.has_results_of_others() {
        add("imported.csv", &|| {
            frames::csv(&frames::imported(analysis)?)
        })?;
    }
    Ok(())
}

fn write_file(html: &Folder, place: &str, bytes: &[u8]) -> anyhow::Result<()> {
    html.replace(place, bytes)
        .with_context(|| format!("cannot write `html/{place}`"))
}

/// What the page around the sections needs.
#[derive(Serialize)]
struct Frame<'a> {
    /// What the marks mean.
    footer: String,
    style: &'static str,
    script: &'static str,
    script_hash: &'static str,
    title: String,
    subtitle: String,
    run_id: String,
    root: &'a str,
    language: &'a str,
    /// A link to the same page in the other language, as HTML; empty where there is none.
    switch: String,
    is_index: bool,
    /// What to know before anything else; empty where nothing was disturbed.
    warning: String,
    sections: Vec<Rendered>,
}

#[derive(Serialize)]
struct Rendered {
    id: &'static str,
    title: String,
    html: String,
    /// Where the rows behind its pictures stand: a link and its words; empty where there is no picture.
    source: Option<(String, String)>,
}

/// Renders a page; a section that cannot be made says so in its place.
fn render_page(
    environment: &Environment,
    page: &Page,
    path: &str,
    switch: String,
    sections: &[Section],
    failures: &mut Failures,
) -> anyhow::Result<String> {
    let mut rendered = Vec::new();
    for section in sections {
        let html = match guarded(|| render_section(environment, page, section)) {
            Ok(html) => html?,
            Err(failure) => {
                failures.add(
                    &format!("section `{}` of page `{path}`", section.id),
                    &failure,
                );
                Some(failed_section(page.text, &failure))
            }
        };
        let Some(html) = html else {
            continue;
        };
        rendered.push(Rendered {
            id: section.id,
            title: page.text.say(&Message {
                id: section.title.into(),
                args: Vec::new(),
            }),
            source: html
                .contains("<figure")
                .then(|| source_rows(page))
                .flatten(),
            html,
        });
    }
    let (title, subtitle) = site::titles(page);
    let frame = Frame {
        footer: say!(page.text, "footer-marks"),
        style: include_str!("report/style.css"),
        script: script::SOURCE,
        script_hash: script::hash(),
        title,
        subtitle,
        run_id: format::foreign(&page.analysis.run.manifest.run_id),
        root: page.root,
        language: page.text.code(),
        switch,
        is_index: matches!(page.scope, Scope::Run),
        warning: (page.warning()).map_or_else(String::new, |it| page.text.say(&it)),
        sections: rendered,
    };
    let template = environment.get_template("page.html.j2")?;
    template
        .render(context! { page => Serde(&frame) })
        .context("cannot render the page")
}

/// A section as HTML; `None` where it has nothing to say on this page.
fn render_section(
    environment: &Environment,
    page: &Page,
    section: &Section,
) -> anyhow::Result<Option<String>> {
    let Some(view) = (section.view)(page) else {
        return Ok(None);
    };
    let html = environment
        .get_template(section.template)
        .and_then(|template| {
            template.render(context! { root => page.root, files_root => page.files_root, view })
        })
        .with_context(|| format!("cannot render section `{}`", section.id))?;
    Ok(Some(html))
}

/// The text in the place of a section that could not be made.
fn failed_section(text: &Text, failure: &str) -> String {
    format!(
        r#"<p>{}</p><pre tabindex="0">{}</pre>"#,
        say!(text, "page-failed-section"),
        charts::escape(failure)
    )
}

/// The rows behind the pictures of a page.
fn source_rows(page: &Page) -> Option<(String, String)> {
    let data = |file: &str| Some((format!("{}data/{file}", page.files_root), file.to_owned()));
    match page.scope {
        Scope::Host(_) => Some((
            "#host_units".to_owned(),
            say!(page.text, "page-units-of-host"),
        )),
        Scope::Run => data("units.csv"),
        Scope::Board(_) => data("bounds.csv"),
        Scope::Model(_) => data("decisions.csv"),
        // Their tables stand below them.
        Scope::History | Scope::HostHistory(_) => None,
    }
}

/// A section of a page that belongs to no run.
pub(crate) struct Part {
    /// Anchor on the page.
    pub(crate) id: &'static str,
    /// Heading.
    pub(crate) title: String,
    /// Name of the template; must end in `.html.j2`, which switches escaping on.
    pub(crate) template: &'static str,
    /// The template.
    pub(crate) source: &'static str,
    /// The view model.
    pub(crate) view: minijinja::Value,
}

/// A page of its own, in one file and in the style of a report; the footer says what its marks mean. `text` is that of its
/// language.
///
/// # Errors
/// When a template does not fit its view model.
pub(crate) fn standalone(
    [title, subtitle, footer]: [String; 3],
    parts: Vec<Part>,
    text: &Arc<Text>,
) -> anyhow::Result<String> {
    let mut environment = environment(text)?;
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
            source: None,
        });
    }
    let frame = Frame {
        footer,
        style: include_str!("report/style.css"),
        script: script::SOURCE,
        script_hash: script::hash(),
        title,
        subtitle,
        run_id: String::new(),
        root: "",
        language: text.code(),
        switch: String::new(),
        is_index: true,
        warning: String::new(),
        sections,
    };
    let template = environment.get_template("page.html.j2")?;
    template
        .render(context! { page => Serde(&frame) })
        .context("cannot render the page")
}

/// The suffix of a template's name switches escaping on: every name ends in `.html.j2`.
fn environment(text: &Arc<Text>) -> anyhow::Result<Environment<'static>> {
    let mut environment = Environment::new();
    let text = Arc::clone(text);
    environment.add_function("t", move |id: &str, args: Kwargs| said(&text, id, &args));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("prose", |text: &str| {
        minijinja::Value::from_safe_string(prose(text))
    });
    environment.add_template("page.html.j2", include_str!("report/page.html.j2"))?;
    let (name, source) = pages::PUBLISHED;
    environment.add_template(name, source)?;
    for section in [
        pages::RUN,
        pages::HOST,
        pages::BOARD,
        pages::MODEL,
        pages::HISTORY,
        pages::HOST_HISTORY,
    ]
    .into_iter()
    .flatten()
    {
        environment.add_template(section.template, section.source)?;
    }
    Ok(environment)
}

/// A message as HTML: its own markup stays, and what stands in its places is escaped.
fn said(text: &Text, id: &str, args: &Kwargs) -> Result<Value, minijinja::Error> {
    let mut message = Message {
        id: id.to_owned().into(),
        args: Vec::new(),
    };
    for name in args.args() {
        let value: Value = args.get(name)?;
        let arg = match u64::try_from(value.clone()) {
            Ok(n) if value.is_number() => Arg::from(n),
            _ if value.is_safe() => Arg::from(value.to_string()),
            _ => Arg::from(charts::escape(&value.to_string())),
        };
        message.args.push((name.to_owned().into(), arg));
    }
    Ok(Value::from_safe_string(text.say(&message)))
}

/// Escapes a text and sets what stands between backticks as code.
fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return charts::escape(text);
    }
    let mark = |(i, part): (usize, &&str)| match i % 2 {
        0 => charts::escape(part),
        _ => format!("<code>{}</code>", charts::escape(part)),
    };
    parts.iter().enumerate().map(mark).collect()
}

/// Lets `fill` write a whole folder beside its place, then puts it there: no page of an earlier report stays behind. A
/// link in its place goes, and what it points to stays.
fn replace_folder<T>(
    dir: &Path,
    name: &str,
    fill: impl FnOnce(&Folder) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let beside = format!("{name}.tmp-{}", std::process::id());
    let replace = || -> anyhow::Result<T> {
        let run = Folder::open(dir)?;
        let filled = fill(&run.make(&beside)?)?;
        match run.kind(name)? {
            // Links inside it are removed, not followed.
            Some(Kind::Folder) => fs::remove_dir_all(dir.join(name))?,
            Some(_) => run.remove(name)?,
            None => {}
        }
        fs::rename(dir.join(&beside), dir.join(name))?;
        Ok(filled)
    };
    let replaced = replace();
    if replaced.is_err() {
        // A half-written folder has no use; the error is returned.
        let _ = fs::remove_dir_all(dir.join(&beside));
    }
    replaced.with_context(|| format!("cannot write the report to `{}`", dir.join(name).display()))
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
    fn a_mistake_in_a_section_costs_that_section() {
        fn fails(page: &Page) -> Option<minijinja::Value> {
            let zero = page.root.len();
            Some(minijinja::Value::from(1 / zero))
        }
        let run = bench_run_dir::RunData::default();
        let analysis = measured::analyse(&run);
        let page = Page {
            analysis: &analysis,
            decisions: &Decisions::default(),
            scope: Scope::Run,
            history: None,
            root: "",
            files_root: "",
            text: Text::english(),
        };
        let mut sections = pages::RUN.to_vec();
        let n_sections = sections.len();
        sections[0].view = fails;
        let mut failures = Failures::default();
        let html = render_page(
            &environment(&Arc::new(Text::new(Language::ENGLISH))).unwrap(),
            &page,
            "index.html",
            String::new(),
            &sections,
            &mut failures,
        )
        .unwrap();
        assert!(n_sections > 1 && html.contains("could not be written because of an error"));
        assert!(html.contains("attempt to divide by zero, `reports/src/report.rs` line"));
        assert!(html.contains("</html>"));
        let [failure] = failures.0.as_slice() else {
            panic!("{failures:?}");
        };
        assert!(failure.starts_with("section `") && failure.contains("of page `index.html`"));
    }
}
