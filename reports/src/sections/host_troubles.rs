//! What did not work on a host: its own failure, units without a figure, lines that could not be read.

use bench_analysis::validity::status::UnitStatusKind;
use serde::Serialize;

use super::{Page, value};
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    status: &'static str,
    stage: &'static str,
    reason: String,
    stderr_tail: Vec<String>,
    problems: Vec<String>,
    n_garbage: usize,
    garbage: Vec<(usize, String)>,
    units: Vec<Unit>,
}

#[derive(Serialize)]
struct Unit {
    unit: String,
    badge: &'static str,
    status: String,
    reason: String,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let data = &page.host()?.data;
    let units: Vec<Unit> = (page.host()?.all_units())
        .filter(|unit| unit.status != UnitStatusKind::Ok || unit.verdict == Verdict::NotMeasured)
        .map(|unit| Unit {
            unit: format::foreign_short(&unit.unit, 80),
            badge: unit.status.name(),
            status: unit.status.name().replace('_', " "),
            reason: unit
                .reason
                .as_deref()
                .map(|reason| format::foreign_short(reason, 600))
                .unwrap_or_default(),
        })
        .collect();
    let record = &data.record;
    if units.is_empty()
        && record.reason.is_none()
        && data.problems.is_empty()
        && data.n_garbage_lines == 0
    {
        return None;
    }
    value(View {
        status: record.status.name(),
        stage: record.stage.map(|stage| stage.name()).unwrap_or_default(),
        reason: record
            .reason
            .as_deref()
            .map(|reason| format::foreign_short(reason, 1000))
            .unwrap_or_default(),
        stderr_tail: record
            .stderr_tail
            .iter()
            .map(|line| format::foreign_short(line, 300))
            .collect(),
        problems: data
            .problems
            .iter()
            .map(|problem| format::foreign(problem))
            .collect(),
        n_garbage: data.n_garbage_lines,
        garbage: data
            .garbage
            .iter()
            .map(|(line, why)| (*line, format::foreign_short(why, 200)))
            .collect(),
        units,
    })
}
