//! Links to the data behind the pages, relative, so that a copied run directory keeps them.

use serde::Serialize;

use super::{Page, value};

#[derive(Serialize)]
struct View {
    files: Vec<(&'static str, &'static str)>,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let mut files = vec![
        (
            "data/units.csv",
            "one row per unit: rates, bounds, verdicts (CSV)",
        ),
        ("data/samples.csv", "one row per sample (CSV)"),
        (
            "data/bounds.csv",
            "every model on every board, by theory (CSV)",
        ),
        (
            "data/decisions.csv",
            "every model and quantisation on every board and host (CSV)",
        ),
        ("data/report.json", "this report (JSON)"),
        (
            "data/report.schema.json",
            "what the fields of that file mean (JSON Schema)",
        ),
    ];
    if page.analysis.run.has_results_of_others() {
        files.push((
            "data/imported.csv",
            "one row per figure of another program (CSV)",
        ));
    }
    if page.analysis.run.has_frames {
        files.extend([
            (
                "../frames/units.parquet",
                "one row per unit (Parquet, in the run directory)",
            ),
            (
                "../frames/samples.parquet",
                "one row per sample (Parquet, in the run directory)",
            ),
        ]);
    }
    value(View { files })
}
