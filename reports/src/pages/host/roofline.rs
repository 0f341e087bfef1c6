//! The roofline: rates of arithmetic under the memory's slope and the cores' ceilings (Williams et al. 2009).

use bench_locales::Figure::{GopPerS, Number, Percent};
use bench_locales::{Text, say};
use serde::Serialize;

use crate::charts::{Axis, AxisKind, Caption, Series, Style, XyChart, xy_chart};
use crate::pages::{Page, doubt, figure_or_empty, value};
use bench_analysis::measured::{HostAnalysis, Judged, UnitKind};
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::format;

/// Series a picture can carry beside the ceilings.
const MAX_KERNELS: usize = 5;

#[derive(Serialize)]
struct View {
    chart: String,
    doubt: String,
    peaks: Vec<Row>,
    kernels: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    threads: usize,
    rate: String,
    intensity: String,
    share: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, host) = (page.text, page.host()?);
    let peaks: Vec<&Judged> = (host.usable_units())
        .filter(|unit| unit.kind == UnitKind::Peak)
        .collect();
    if peaks.is_empty() {
        return None;
    }
    let n_threads = peaks.iter().map(|unit| unit.cpus.len()).max()?;
    let kernels = kernels(host, n_threads);
    let highest = best_peak(&peaks, n_threads)?;
    let chart = match host.best_read.as_ref() {
        Some(read) => chart(text, &peaks, n_threads, read.gb_per_s, &kernels),
        None => String::new(),
    };
    value(View {
        chart,
        doubt: {
            let shown = || (peaks.iter().copied()).chain(kernels.iter().map(|kernel| kernel.0));
            doubt(
                text,
                shown().filter(|unit| unit.verdict != Verdict::Ok).count(),
                shown().count(),
            )
        },
        peaks: peaks
            .iter()
            .map(|unit| Row {
                name: format::foreign_short(&unit.kernel, 30),
                threads: unit.cpus.len(),
                rate: figure_or_empty(text, unit.gop_per_s.map(GopPerS)),
                intensity: String::new(),
                share: String::new(),
            })
            .collect(),
        kernels: kernels
            .iter()
            .map(|(unit, intensity, gop_per_s)| Row {
                name: kernel_name(unit),
                threads: unit.cpus.len(),
                rate: text.figure(GopPerS(*gop_per_s)),
                intensity: text.figure(Number(*intensity)),
                share: text.figure(Percent(gop_per_s / highest)),
            })
            .collect(),
    })
}

fn best_peak(peaks: &[&Judged], n_threads: usize) -> Option<f64> {
    (peaks.iter())
        .filter(|unit| unit.cpus.len() == n_threads)
        .filter_map(|unit| unit.gop_per_s)
        .max_by(f64::total_cmp)
}

/// Units of a model and batched products with all threads: unit, operations per byte, rate.
fn kernels<'a>(host: &'a HostAnalysis, n_threads: usize) -> Vec<(&'a Judged, f64, f64)> {
    let mut kernels: Vec<(&Judged, f64, f64)> = (host.usable_units())
        .filter(|unit| unit.cpus.len() == n_threads && unit.kind.is_of_a_model())
        .filter_map(|unit| {
            let work = unit.work.as_ref()?;
            let bytes = work.read_bytes as f64 + work.written_bytes as f64;
            (bytes > 0.0).then_some((unit, work.ops as f64 / bytes, unit.gop_per_s?))
        })
        .collect();
    // Prompts first, then the fastest steps: a picture has room for a few.
    kernels.sort_by(|a, b| b.2.total_cmp(&a.2));
    kernels
}

fn chart(
    text: &Text,
    peaks: &[&Judged],
    n_threads: usize,
    read_gb_per_s: f64,
    kernels: &[(&Judged, f64, f64)],
) -> String {
    let least = kernels.iter().map(|kernel| kernel.1).fold(1.0, f64::min) / 2.0;
    let most = kernels.iter().map(|kernel| kernel.1).fold(1000.0, f64::max) * 2.0;
    let mut series = Vec::new();
    for peak in peaks.iter().filter(|unit| unit.cpus.len() == n_threads) {
        let Some(gop_per_s) = peak.gop_per_s else {
            continue;
        };
        let ridge = gop_per_s / read_gb_per_s;
        let points = match ridge > least && ridge < most {
            true => vec![
                (least, least * read_gb_per_s),
                (ridge, gop_per_s),
                (most, gop_per_s),
            ],
            false => vec![(least, gop_per_s), (most, gop_per_s)],
        };
        series.push(Series {
            label: format::foreign_short(&peak.kernel, 20),
            points,
            style: Style::Bound,
        });
    }
    let one_model = kernels
        .iter()
        .filter_map(|kernel| kernel.0.model.as_ref())
        .all(|model| {
            kernels[0]
                .0
                .model
                .as_ref()
                .is_some_and(|first| first.model == model.model)
        });
    for (unit, intensity, gop_per_s) in kernels.iter().take(MAX_KERNELS) {
        let name = kernel_name(unit);
        // Every label would begin with the same model, and a phone shows little more than that.
        let short = name.split_once(' ').filter(|_| one_model);
        series.push(Series {
            label: short.map_or(name.as_str(), |(_, rest)| rest).to_owned(),
            points: vec![(*intensity, *gop_per_s)],
            style: Style::Dots,
        });
    }
    let caption = Caption {
        text,
        id: "roofline",
        title: &say!(text, "roofline-chart"),
        description: &say!(text, "roofline-chart-text"),
    };
    let chart = XyChart {
        x: Axis {
            label: say!(text, "roofline-axis"),
            kind: AxisKind::Log,
        },
        y: Axis {
            label: say!(text, "roofline-axis-rate"),
            kind: AxisKind::Log,
        },
        series,
        places: Vec::new(),
    };
    xy_chart(&caption, &chart)
}

fn kernel_name(unit: &Judged) -> String {
    let label = unit.model.as_ref().map(crate::pages::model_label);
    label.unwrap_or_else(|| format::foreign_short(&unit.kernel, 30))
}
