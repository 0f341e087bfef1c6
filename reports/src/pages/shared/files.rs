//! Links to the data behind the pages, relative, so that a copied run directory keeps them.

use bench_locales::say;
use serde::Serialize;

use crate::pages::{Page, value};

#[derive(Serialize)]
struct View {
    files: Vec<(&'static str, String)>,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let text = page.text;
    let mut files = vec![
        ("data/units.csv", say!(text, "files-units")),
        ("data/samples.csv", say!(text, "files-samples")),
        ("data/bounds.csv", say!(text, "files-bounds")),
        ("data/decisions.csv", say!(text, "files-decisions")),
        ("data/report.json", say!(text, "files-report")),
        ("data/report.schema.json", say!(text, "files-schema")),
    ];
    if page.analysis.run.has_results_of_others() {
        files.push(("data/imported.csv", say!(text, "files-imported")));
    }
    if page.analysis.run.has_frames {
        files.extend([
            ("../frames/units.parquet", say!(text, "files-units-frame")),
            (
                "../frames/samples.parquet",
                say!(text, "files-samples-frame"),
            ),
        ]);
    }
    value(View { files })
}
