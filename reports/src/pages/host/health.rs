//! What about a host's state may have disturbed its measurements.

use serde::Serialize;

use crate::pages::{Page, value};
use bench_analysis::validity::host_check::{self, Weight};

#[derive(Serialize)]
struct View {
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    weight: String,
    badge: &'static str,
    what: String,
    remedy: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let host = page.host()?;
    let facts = host
        .data
        .facts
        .as_ref()
        .filter(|_| !host.data.record.emulated)?;
    let findings = host_check::examine(facts);
    if findings.is_empty() {
        return None;
    }
    let row = |finding: host_check::HostProblem| Row {
        weight: page.text.say(&finding.weight.message()),
        badge: match finding.weight {
            Weight::Problem => "suspect",
            Weight::Note => "not_measured",
        },
        what: page.text.say(&finding.what),
        // A line for a shell is code as a whole.
        remedy: (finding.remedy).map_or_else(String::new, |remedy| match page.text.say(&remedy) {
            line if line.contains("echo ") => format!("`{line}`"),
            said => said,
        }),
    };
    value(View {
        rows: findings.into_iter().map(row).collect(),
    })
}
