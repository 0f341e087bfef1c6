//! What about a host's state may have disturbed its measurements.

use serde::Serialize;

use super::{Page, value};
use bench_analysis::validity::host_check::{self, Weight};

#[derive(Serialize)]
struct View {
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    weight: &'static str,
    badge: &'static str,
    what: String,
    remedy: String,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
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
    let row = |finding: host_check::Finding| Row {
        weight: finding.weight.name(),
        badge: match finding.weight {
            Weight::Problem => "suspect",
            Weight::Note => "not_measured",
        },
        what: finding.what,
        // A line for a shell is code as a whole.
        remedy: match finding.remedy.starts_with("echo ") {
            true => format!("`{}`", finding.remedy),
            false => finding.remedy,
        },
    };
    value(View {
        rows: findings.into_iter().map(row).collect(),
    })
}
