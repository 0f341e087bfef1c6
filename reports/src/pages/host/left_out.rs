//! Units that the time budget of a host had no room for.

use bench_locales::Figure::{Number, Seconds};
use serde::Serialize;

use crate::pages::{Page, value};

#[derive(Serialize)]
struct View {
    budget: String,
    units: Vec<Unit>,
}

#[derive(Serialize)]
struct Unit {
    unit: String,
    estimated_s: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let text = page.text;
    let left_out = page.host()?.data.left_out.as_ref()?;
    let unit = |unit: &bench_run_dir::LeftOutUnit| Unit {
        unit: unit.name(),
        estimated_s: text.figure(Number(unit.estimated_ms as f64 / 1000.0)),
    };
    value(View {
        budget: text.figure(Seconds(left_out.budget_s as f64)),
        units: left_out.units.iter().map(unit).collect(),
    })
}
