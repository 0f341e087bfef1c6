//! What did not work on a host: its own failure, units without a figure, lines that could not be read.

use bench_analysis::validity::status::UnitStatusKind;
use bench_locales::Text;
use serde::Serialize;

use crate::pages::{Page, value};
use bench_analysis::measured::Judged;
use bench_analysis::validity::status;
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    status: &'static str,
    status_word: String,
    stage: String,
    reason: String,
    stderr_tail: Vec<String>,
    problems: Vec<String>,
    n_garbage: usize,
    garbage: Vec<(String, String)>,
    units: Vec<Unit>,
}

#[derive(Serialize)]
struct Unit {
    unit: String,
    badge: &'static str,
    status: String,
    reason: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, host) = (page.text, page.host()?);
    let data = &host.data;
    let units: Vec<Unit> = (host.all_units())
        .filter(|unit| unit.status != UnitStatusKind::Ok || unit.verdict == Verdict::NotMeasured)
        .map(|it| unit(text, it))
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
        status_word: text.say(&status::of_host(record.status)),
        stage: (record.stage)
            .map(|stage| text.say(&status::of_stage(stage)))
            .unwrap_or_default(),
        reason: (record.reason.as_deref())
            .map(|reason| format::foreign_short(reason, 1000))
            .unwrap_or_default(),
        stderr_tail: (record.stderr_tail.iter())
            .map(|line| format::foreign_short(line, 300))
            .collect(),
        problems: (data.problems.iter())
            .map(|problem| format::foreign(problem))
            .collect(),
        n_garbage: data.n_garbage_lines,
        garbage: (data.garbage.iter())
            .map(|(line, why)| (line.to_string(), format::foreign_short(why, 200)))
            .collect(),
        units,
    })
}

fn unit(text: &Text, unit: &Judged) -> Unit {
    Unit {
        unit: format::foreign_short(&unit.unit, 80),
        badge: unit.status.name(),
        status: text.say(&unit.status.message()),
        reason: (unit.reason.as_ref())
            .map(|reason| format::foreign_short(&text.say(reason), 600))
            .unwrap_or_default(),
    }
}
