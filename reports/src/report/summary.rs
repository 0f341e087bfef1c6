//! The run in short as Markdown, for terminals, issues and pull requests.

use crate::analysis::Analysis;
use crate::decisions::Decisions;
use crate::findings::findings;
use crate::format;
use crate::sections::sentences;
use crate::verdict::Verdict;

/// `summary.md`: what was found, one sentence per host, then a table.
pub(super) fn markdown(analysis: &Analysis, decisions: &Decisions) -> String {
    let mut lines = vec![
        format!("# Run {}", escape(&analysis.run.manifest.run_id)),
        String::new(),
    ];
    lines.extend(
        analysis
            .run
            .problems
            .iter()
            .map(|problem| format!("- incomplete run: {}", escape(problem))),
    );
    for finding in findings(analysis, decisions) {
        lines.push(escape(&finding.text));
        lines.push(String::new());
    }
    let sentences = sentences(analysis);
    lines.extend(sentences.iter().map(|sentence| {
        format!(
            "- **{}** {}",
            escape(&sentence.host),
            escape(&sentence.text)
        )
    }));
    lines.push(String::new());
    lines.push("| host | status | best read, measured | theory | of theory | ok | suspect | invalid | emulated | not measured |".into());
    lines.push("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|".into());
    for host in &analysis.hosts {
        lines.push(format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            escape(&format::foreign_short(host.name(), 80)),
            host.data.record.status.name(),
            host.best_read
                .as_ref()
                .map(|read| format::gb_per_s(read.gb_per_s))
                .unwrap_or_default(),
            match host.data.record.emulated {
                true => String::new(),
                false => format::gb_per_s_or_unknown(
                    host.theory.as_ref().ok().map(|theory| theory.gb_per_s)
                ),
            },
            host.read_efficiency()
                .map(format::percent)
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
            "- theory of **{}**: {}",
            escape(&format::foreign_short(host.name(), 80)),
            escape(note)
        ))
    });
    let notes: Vec<String> = notes.collect();
    if !notes.is_empty() {
        lines.extend(notes);
        lines.push(String::new());
    }
    lines.push(
        "Report: `html/index.html`. Data: `frames/units.parquet`, `frames/samples.parquet`.".into(),
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
