//! The run in short as Markdown, for terminals, issues and pull requests.

use crate::findings::findings;
use crate::pages::sentences;
use bench_analysis::choice::decisions::Decisions;
use bench_analysis::measured::Analysis;
use bench_analysis::validity::status;
use bench_analysis::validity::verdict::Verdict;
use bench_locales::Figure::{self, GbPerS, Percent};
use bench_locales::{Language, Message, Text, say};
use bench_run_dir::format;

/// `summary.md`: what was found, one sentence per host, then a table.
pub(super) fn markdown(analysis: &Analysis, decisions: &Decisions, text: &Text) -> String {
    let mut lines = Vec::new();
    let say = |message: &Message| escape(&text.say(message));
    if let Some(warning) = analysis.warning() {
        let word = say!(text, "disturbed");
        lines.extend([format!("**{word}:** {}", say(&warning)), String::new()]);
    }
    let run_id = escape(&analysis.run.manifest.run_id);
    lines.push(format!("# {}", say!(text, "summary-title", run = run_id)));
    lines.push(String::new());
    let problems = analysis.run.problems.iter();
    lines.extend(problems.map(|problem| {
        let problem = escape(problem);
        format!(
            "- {}",
            say!(text, "summary-incomplete-run", problem = problem)
        )
    }));
    for finding in findings(analysis, decisions) {
        lines.extend([say(&finding.text), String::new()]);
    }
    let sentences = sentences(text, analysis).into_iter();
    lines.extend(sentences.map(|it| format!("- **{}** {}", escape(&it.host), escape(&it.text))));
    lines.push(String::new());
    lines.extend(table(analysis, text));
    lines.push(String::new());
    let notes = analysis.hosts.iter().filter_map(|host| {
        let note = host.theory.as_ref().ok()?.note.as_ref()?;
        let host = escape(&format::foreign_short(host.name(), 80));
        let note = say!(text, "summary-theory-note", host = host, note = say(note));
        Some(format!("- {note}"))
    });
    let notes: Vec<String> = notes.collect();
    if !notes.is_empty() {
        lines.extend(notes);
        lines.push(String::new());
    }
    let folder = match text.code() == Language::ENGLISH.code() {
        true => "html".to_owned(),
        false => format!("html/{}", text.code()),
    };
    lines.push(say!(text, "summary-files", folder = folder));
    lines.join("\n") + "\n"
}

fn table(analysis: &Analysis, text: &Text) -> Vec<String> {
    let header = [
        say!(text, "summary-host"),
        say!(text, "summary-status"),
        say!(text, "summary-best-read"),
        say!(text, "summary-theory"),
        say!(text, "summary-of-theory"),
    ];
    let verdicts = [
        Verdict::Ok,
        Verdict::Suspect,
        Verdict::Invalid,
        Verdict::Emulated,
        Verdict::NotMeasured,
    ];
    let header = header.into_iter();
    let header = header.chain(verdicts.map(|verdict| text.say(&verdict.message())));
    let row = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let mut lines = vec![
        row(header.collect()),
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|".to_owned(),
    ];
    let figure = |figure: Option<Figure>| figure.map_or_else(String::new, |it| text.figure(it));
    lines.extend(analysis.hosts.iter().map(|host| {
        let theory = host.theory.as_ref().ok().map(|it| GbPerS(it.gb_per_s));
        let mut cells = vec![
            escape(&format::foreign_short(host.name(), 80)),
            text.say(&status::of_host(host.data.record.status)),
            figure(host.best_read.as_ref().map(|read| GbPerS(read.gb_per_s))),
            match host.data.record.emulated {
                true => String::new(),
                false => text.figure_or_unknown(theory),
            },
            figure(host.read_efficiency().map(Percent)),
        ];
        cells.extend(verdicts.map(|verdict| host.count(verdict).to_string()));
        row(cells)
    }));
    lines
}

/// Foreign text as plain words in Markdown. Backticks stay: reasons quote keys and files with them.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in format::foreign(text).chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '*' | '|' | '[' | ']' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}
