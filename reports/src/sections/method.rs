//! How to read the figures: kinds, verdicts, conventions. Thresholds come from the code that applies them.

use serde::Serialize;

use super::{Page, value};
use bench_analysis::validity::verdict;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    suspect_efficiency: String,
    suspect_spread: String,
}

pub(super) fn view(_page: &Page) -> Option<minijinja::Value> {
    value(View {
        suspect_efficiency: format::percent(verdict::SUSPECT_EFFICIENCY),
        suspect_spread: format::percent(verdict::SUSPECT_SPREAD),
    })
}
