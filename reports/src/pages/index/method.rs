//! How to read the figures: kinds, verdicts, conventions. Thresholds come from the code that applies them.

use bench_locales::Figure::Percent;
use serde::Serialize;

use crate::pages::{Page, value};
use bench_analysis::validity::verdict;

#[derive(Serialize)]
struct View {
    suspect_efficiency: String,
    suspect_spread: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    value(View {
        suspect_efficiency: page.text.figure(Percent(verdict::SUSPECT_EFFICIENCY)),
        suspect_spread: page.text.figure(Percent(verdict::SUSPECT_SPREAD)),
    })
}
