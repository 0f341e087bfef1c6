//! Units that the time budget of a host had no room for.

use serde::Serialize;

use super::{Page, value};
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    budget_s: u64,
    units: Vec<Unit>,
}

#[derive(Serialize)]
struct Unit {
    unit: String,
    estimated_s: String,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let left_out = page.host()?.data.left_out.as_ref()?;
    let unit = |unit: &bench_run_dir::LeftOutUnit| Unit {
        unit: unit.name(),
        estimated_s: format::number(unit.estimated_ms as f64 / 1000.0),
    };
    value(View {
        budget_s: left_out.budget_s,
        units: left_out.units.iter().map(unit).collect(),
    })
}
