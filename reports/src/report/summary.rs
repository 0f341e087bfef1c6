//! The run in short as Markdown, for terminals, issues and pull requests.

use crate::findings::findings;
use crate::sections::sentences;
use crate::words::{Language, Words};
use bench_analysis::choice::decisions::Decisions;
use bench_analysis::measured::Analysis;
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::format;

/// `summary.md`: what was found, one sentence per host, then a table.
pub(super) fn markdown(analysis: &Analysis, decisions: &Decisions, words: &Words) -> String {
    let mut lines = Vec::new();
    if let Some(warning) = analysis.warning() {
        let (word, text) = (words.say("disturbed"), words.say(&warning));
        lines.extend([format!("**{word}:** {}", escape(&text)), String::new()]);
    }
    lines.extend([
        format!(
            "# {} {}",
            words.say("Run"),
            escape(&analysis.run.manifest.run_id)
        ),
        String::new(),
    ]);
    lines.extend(
        analysis
            .run
            .problems
            .iter()
            .map(|problem| format!("- {}: {}", words.say("incomplete run"), escape(problem))),
    );
    for finding in findings(analysis, decisions) {
        lines.push(escape(&words.say(&finding.text)));
        lines.push(String::new());
    }
    let sentences = sentences(analysis);
    lines.extend(sentences.iter().map(|sentence| {
        format!(
            "- **{}** {}",
            escape(&sentence.host),
            escape(&words.say(&sentence.text))
        )
    }));
    lines.push(String::new());
    let header = [
        "host",
        "status",
        "best read, measured",
        "theory",
        "of theory",
        "ok",
        "suspect",
        "invalid",
        "emulated",
        "not measured",
    ];
    lines.push(format!(
        "| {} |",
        header.map(|name| words.say(name)).join(" | ")
    ));
    lines.push("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|".into());
    for host in &analysis.hosts {
        lines.push(format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            escape(&format::foreign_short(host.name(), 80)),
            words.say(host.data.record.status.name()),
            host.best_read
                .as_ref()
                .map(|read| words.say(&format::gb_per_s(read.gb_per_s)))
                .unwrap_or_default(),
            match host.data.record.emulated {
                true => String::new(),
                false => words.say(&format::gb_per_s_or_unknown(
                    host.theory.as_ref().ok().map(|theory| theory.gb_per_s)
                )),
            },
            host.read_efficiency()
                .map(|share| words.say(&format::percent(share)))
                .unwrap_or_default(),
            host.count(Verdict::Ok),
            host.count(Verdict::Suspect),
            host.count(Verdict::Invalid),
            host.count(Verdict::Emulated),
            host.count(Verdict::NotMeasured),
        ));
    }
    lines.push(String::new());
    let notes = analysis.hosts.iter().filter_map(|host| {
        let note = host.theory.as_ref().ok()?.note.as_ref()?;
        Some(format!(
            "- {} **{}**: {}",
            words.say("theory of"),
            escape(&format::foreign_short(host.name(), 80)),
            escape(&words.say(note))
        ))
    });
    let notes: Vec<String> = notes.collect();
    if !notes.is_empty() {
        lines.extend(notes);
        lines.push(String::new());
    }
    lines.push(
        match words.language() {
            Language::English => "Report: `html/index.html`. Data: `frames/units.parquet`, `frames/samples.parquet`.",
            Language::Spanish => "Informe: `html/es/index.html`. Datos: `frames/units.parquet`, `frames/samples.parquet`.",
        }
        .into(),
    );
    lines.join("\n") + "\n"
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
