//! Polars frames of a run: one row per sample, one row per unit, as Parquet and CSV.
//!
//! Column names are stable: renaming one is a format change. Refuses to compute: every figure comes from
//! [`bench_analysis::measured`].

mod decisions;
mod imported;

use std::path::Path;

use anyhow::Context as _;
use bench_inventory::foreign::Folder;
use bench_inventory::{Board, KvFormat, Memory, Model, Quant};
use bench_protocol::{Tried, UnitState, Unrest};
use polars::prelude::*;
use polars_io::prelude::{CsvWriter, ParquetWriter};

use bench_analysis::label::Label;
use bench_analysis::limits::bounds;
use bench_analysis::limits::fit;
use bench_analysis::limits::theory;
use bench_analysis::measured::{self, Analysis, HostAnalysis, Judged, SampleRow};
use bench_analysis::validity::fingerprint;
use bench_run_dir::format;

pub use decisions::decisions;
pub use imported::imported;

/// Reads the run directory and writes `samples`, `units` and `imported` as Parquet and CSV into its folder `frames/`.
///
/// Every file is written beside its place and renamed, so that a reader never sees half of one.
///
/// # Errors
/// When the directory cannot be read, or the files cannot be written.
pub fn write(dir: &Path) -> anyhow::Result<()> {
    let run = bench_run_dir::read(dir)?;
    write_analysis(dir, &measured::analyse(&run))
}

/// The same for a run that was read and analysed already.
///
/// # Errors
/// When the files cannot be written.
pub(crate) fn write_analysis(dir: &Path, analysis: &Analysis) -> anyhow::Result<()> {
    // Anything but a folder was not put there by memwall: it is replaced, not followed.
    let write = |folder: &Folder, name: &str, bytes: &[u8]| {
        let place = dir.join("frames").join(name);
        folder
            .replace(name, bytes)
            .with_context(|| format!("cannot write `{}`", place.display()))
    };
    let folder = Folder::open(dir).and_then(|run| run.make("frames"));
    let folder =
        folder.with_context(|| format!("cannot write the frames of `{}`", dir.display()))?;
    type Frame = fn(&Analysis) -> anyhow::Result<DataFrame>;
    let frames: [(&str, Frame); 3] = [
        ("samples", samples),
        ("units", units),
        ("imported", imported),
    ];
    for (name, frame) in frames {
        let mut frame = frame(analysis)?;
        let mut parquet = Vec::new();
        ParquetWriter::new(&mut parquet).finish(&mut frame)?;
        write(&folder, &format!("{name}.parquet"), &parquet)?;
        write(&folder, &format!("{name}.csv"), &csv(&frame)?)?;
    }
    Ok(())
}

/// A frame as CSV with a header line. People open it in spreadsheets: text from outside is cleaned and begins no formula.
///
/// # Errors
/// When polars cannot format a column.
pub fn csv(frame: &DataFrame) -> anyhow::Result<Vec<u8>> {
    /// Rows whose texts are cleaned at a time: all texts of 200 hosts a second time take as much memory as their frame.
    const N_ROWS: usize = 4096;
    let mut bytes = Vec::new();
    for first in (0..frame.height().max(1)).step_by(N_ROWS) {
        let rows = frame.slice(first as i64, N_ROWS);
        let columns = rows.columns().iter().map(|column| match column.str() {
            Ok(texts) => texts.apply_values(format::csv_cell).into_column(),
            Err(_) => column.clone(),
        });
        let mut cells = self::frame(columns.collect())?;
        let has_header = first == 0;
        CsvWriter::new(&mut bytes)
            .include_header(has_header)
            .finish(&mut cells)?;
    }
    Ok(bytes)
}

/// One row per sample. `read_bytes`, `written_bytes`, `ops` and `tokens` are of the whole sample: work of one iteration
/// times iterations, and `round_is_used` says whether the sample's round makes the unit's figures; they are null where the work is unknown. `lowest_khz` is the lowest clock of the unit's CPUs and
/// `celsius` the highest temperature when the sample ended; null means not measured.
///
/// # Errors
/// When polars refuses the columns.
pub fn samples(analysis: &Analysis) -> anyhow::Result<DataFrame> {
    let rows: Vec<(Row, &SampleRow)> = (rows(analysis).into_iter())
        .flat_map(|row| row.unit.samples.iter().map(move |sample| (row, sample)))
        .collect();
    let of_units: Vec<Row> = rows.iter().map(|(row, _)| *row).collect();
    let mut columns = keys(analysis, &of_units);
    let whole = |pick: fn(&bench_protocol::Work) -> u64| {
        let total = |(row, sample): &(Row, &SampleRow)| {
            row.unit
                .work
                .as_ref()
                .map(|work| pick(work).saturating_mul(sample.iterations))
        };
        rows.iter().map(total).collect::<Vec<Option<u64>>>()
    };
    let of_sample = |pick: fn(&SampleRow) -> Option<u64>| {
        rows.iter()
            .map(|(_, sample)| pick(sample))
            .collect::<Vec<Option<u64>>>()
    };
    let shape = |(row, sample): &(Row, &SampleRow)| {
        let mut rounds = row.unit.rounds.iter();
        let round = rounds.find(|round| round.round == sample.round)?;
        round.shape.clone()
    };
    columns.extend([
        column("shape", rows.iter().map(shape).collect::<Vec<_>>()),
        column(
            "round",
            rows.iter().map(|(_, s)| s.round).collect::<Vec<u32>>(),
        ),
        column(
            "round_is_used",
            rows.iter()
                .map(|(row, s)| row.unit.is_round_used(s.round))
                .collect::<Vec<bool>>(),
        ),
        column(
            "sample_idx",
            rows.iter().map(|(_, s)| s.sample_idx).collect::<Vec<u32>>(),
        ),
        column(
            "iterations",
            rows.iter().map(|(_, s)| s.iterations).collect::<Vec<u64>>(),
        ),
        column(
            "elapsed_ns",
            rows.iter().map(|(_, s)| s.elapsed_ns).collect::<Vec<u64>>(),
        ),
        column("read_bytes", whole(|work| work.read_bytes)),
        column("written_bytes", whole(|work| work.written_bytes)),
        column("ops", whole(|work| work.ops)),
        column("tokens", whole(|work| work.tokens)),
        column("background_bytes", of_sample(|s| s.background_bytes)),
        column(
            "since_start_ns",
            of_sample(|s| s.state.as_ref().map(|state| state.since_start_ns)),
        ),
        column("lowest_khz", of_sample(SampleRow::lowest_khz)),
        column(
            "celsius",
            rows.iter()
                .map(|(_, s)| s.celsius())
                .collect::<Vec<Option<f64>>>(),
        ),
    ]);
    columns.extend(judgement(&of_units));
    frame(columns)
}

/// One row per unit. `other_cpu_ms` is the CPU time of everything else on the board while the unit ran, `celsius` the highest
/// temperature meanwhile, `watts` those of `power_sensor`, the sensor that shows most; null means that the board did not tell. `median_ns`, `best_ns` and the 95 % interval `ci_low_ns` to `ci_high_ns` of the median are
/// nanoseconds per iteration; `n` counts samples of all `rounds`, of which `rounds_used` make the figures and lie
/// `rounds_apart` from the smallest to the largest; `spread` is the interquartile range over the median within a round; `gb_per_s` is
/// the rate of the median, `best_gb_per_s` of the fastest sample, `gop_per_s` 10^9 operations per second; `bound` is
/// GB/s, `bound_tokens_per_s` the same for units of a model, `efficiency` is measured over bound and never clipped.
/// `shape` has the shapes that ran in the rounds that are used, `shapes_tried` what each reached in the race of the first of
/// these, GB/s, the fastest first, and `race_ms` the time it took. `unrest` is `bimodal` or `drifting` where samples do not
/// scatter around one value; the fast ones, a share `unrest_fast_share` of them, took `unrest_fast_ns` per iteration.
///
/// # Errors
/// When polars refuses the columns.
pub fn units(analysis: &Analysis) -> anyhow::Result<DataFrame> {
    let rows = rows(analysis);
    let of_summary = |pick: fn(&bench_analysis::stats::Summary) -> f64| {
        rows.iter()
            .map(|row| row.unit.summary.as_ref().map(pick))
            .collect::<Vec<Option<f64>>>()
    };
    let of_unit = |pick: fn(&Judged) -> Option<f64>| {
        rows.iter()
            .map(|row| pick(row.unit))
            .collect::<Vec<Option<f64>>>()
    };
    let of_state = |pick: fn(&UnitState) -> Option<u64>| {
        rows.iter()
            .map(|row| row.unit.state.as_ref().and_then(pick))
            .collect::<Vec<Option<u64>>>()
    };
    let mut columns = keys(analysis, &rows);
    columns.extend(shapes(&rows));
    columns.extend([
        column(
            "status",
            text(&rows, |row| Some(row.unit.status.name().into())),
        ),
        column(
            "n",
            rows.iter()
                .map(|row| row.unit.samples.len() as u32)
                .collect::<Vec<u32>>(),
        ),
        column(
            "rounds",
            rows.iter()
                .map(|row| row.unit.rounds.len() as u32)
                .collect::<Vec<u32>>(),
        ),
        column(
            "rounds_used",
            rows.iter()
                .map(|row| row.unit.round_medians_ns().len() as u32)
                .collect::<Vec<u32>>(),
        ),
        column("rounds_apart", of_summary(|s| s.rounds_apart)),
        column("median_ns", of_summary(|s| s.median)),
        column("best_ns", of_summary(|s| s.min)),
        column("spread", of_summary(bench_analysis::stats::Summary::spread)),
        column("ci_low_ns", of_summary(|s| s.ci_low)),
        column("ci_high_ns", of_summary(|s| s.ci_high)),
        column("gb_per_s", of_unit(|unit| unit.gb_per_s)),
        column("best_gb_per_s", of_unit(|unit| unit.best_gb_per_s)),
        column("tokens_per_s", of_unit(|unit| unit.tokens_per_s)),
        column("gop_per_s", of_unit(|unit| unit.gop_per_s)),
        column("ns_per_load", of_unit(|unit| unit.ns_per_load)),
        column("other_cpu_ms", of_state(|state| state.other_cpu_ms)),
        column(
            "swapped_pages",
            of_state(|state| {
                Some(
                    state
                        .swapped_in_pages?
                        .saturating_add(state.swapped_out_pages?),
                )
            }),
        ),
        column("throttle_events", of_state(|state| state.throttle_events)),
        column("celsius", of_unit(|unit| unit.celsius)),
        column("watts", of_unit(|unit| Some(unit.power.first()?.watts))),
        column(
            "power_sensor",
            text(&rows, |row| Some(row.unit.power.first()?.sensor.clone())),
        ),
        column("tokens_per_joule", of_unit(|unit| unit.tokens_per_joule())),
        column(
            "label",
            text(&rows, |row| {
                let label = match row.unit.emulated {
                    true => Label::Emulated,
                    false => Label::Measured,
                };
                Some(label.name().into())
            }),
        ),
        column(
            "background_gb_per_s",
            of_unit(|unit| unit.background.as_ref()?.gb_per_s),
        ),
        column(
            "background_alone_gb_per_s",
            of_unit(|unit| unit.background.as_ref()?.alone_gb_per_s),
        ),
        column(
            "bound",
            of_unit(|unit| unit.limits.bound.as_ref().map(|bound| bound.gb_per_s)),
        ),
        column("bound_tokens_per_s", of_unit(Judged::bound_tokens_per_s)),
        column(
            "bound_name",
            text(&rows, |row| {
                row.unit
                    .limits
                    .bound
                    .as_ref()
                    .map(|bound| bound.name.to_string())
            }),
        ),
        column("efficiency", of_unit(|unit| unit.efficiency)),
        column(
            "kernel_gb_per_s",
            of_unit(|unit| unit.limits.kernel_gb_per_s),
        ),
        column(
            "limit",
            text(&rows, |row| {
                row.unit.limit().map(|limit| limit.name().into())
            }),
        ),
    ]);
    columns.extend(unrest(&rows));
    columns.extend(judgement(&rows));
    frame(columns)
}

/// One row per memory, model and quantisation of the catalogue: bounds by theory at depth 0, and whether the largest
/// capacity holds the model.
///
/// # Errors
/// When polars refuses the columns.
pub fn catalogue_bounds(analysis: &Analysis) -> anyhow::Result<DataFrame> {
    let inventory = &analysis.run.inventory;
    let mut rows = Vec::new();
    for board in inventory.boards.values() {
        for memory in &board.memories {
            for model in inventory.models.values() {
                rows.extend(Quant::ALL.map(|quant| (board, memory, model, quant)));
            }
        }
    }
    let names = |pick: fn(&Load) -> String| rows.iter().map(pick).collect::<Vec<String>>();
    let bytes = |pick: fn(&Load) -> u64| rows.iter().map(pick).collect::<Vec<u64>>();
    let rates = |pick: fn(&Load) -> f64| rows.iter().map(pick).collect::<Vec<f64>>();
    let bound = |memory: &Memory, bytes: u64| {
        bounds::tokens_per_s(memory.theoretical_gb_per_s(), bytes as f64 / 1e9)
    };
    let fits = |(_, memory, model, quant): &Load| {
        let needed = bounds::needed_bytes(model, model.file_bytes(*quant), 0);
        let fits = bounds::fits(&fit::rooms(memory), needed);
        fits.last().is_some_and(|fit| fit.fits)
    };
    frame(vec![
        column("board", names(|(board, ..)| board.id.clone())),
        column("memory", names(|(_, memory, ..)| memory.name.clone())),
        column(
            "processors",
            names(|(_, memory, ..)| memory.processors.join(" ")),
        ),
        column("model", names(|(_, _, model, _)| model.id.clone())),
        column("quant", names(|(.., quant)| quant.id().to_owned())),
        column(
            "bandwidth_gb_s",
            rates(|(_, memory, ..)| memory.theoretical_gb_per_s()),
        ),
        column(
            "file_bytes",
            bytes(|(_, _, model, quant)| model.file_bytes(*quant)),
        ),
        column(
            "read_bytes_per_token",
            bytes(|(_, _, model, quant)| model.read_bytes_per_token(*quant)),
        ),
        column(
            "kv_bytes_per_token",
            bytes(|(_, _, model, _)| model.kv_bytes_per_token(KvFormat::F16)),
        ),
        column(
            "bound_file_tokens_per_s",
            rows.iter()
                .map(|(_, memory, model, quant)| bound(memory, model.file_bytes(*quant)))
                .collect::<Vec<f64>>(),
        ),
        column(
            "bound_read_tokens_per_s",
            rows.iter()
                .map(|(_, memory, model, quant)| bound(memory, model.read_bytes_per_token(*quant)))
                .collect::<Vec<f64>>(),
        ),
        column("fits", rows.iter().map(fits).collect::<Vec<bool>>()),
    ])
}

/// What the kernels of memwall run on.
pub(crate) const PROCESSOR: &str = "cpu";

/// A model in a quantisation, in a memory of a board.
type Load<'a> = (&'a Board, &'a Memory, &'a Model, Quant);

/// A unit and the host it ran on.
#[derive(Clone, Copy)]
struct Row<'a> {
    host: &'a HostAnalysis<'a>,
    unit: &'a Judged,
}

fn rows<'a>(analysis: &'a Analysis) -> Vec<Row<'a>> {
    let of_host = |host: &'a HostAnalysis<'a>| host.all_units().map(move |unit| Row { host, unit });
    analysis.hosts.iter().flat_map(of_host).collect()
}

/// The columns that say what a row is about.
fn keys(analysis: &Analysis, rows: &[Row]) -> Vec<Column> {
    let run_id = &analysis.run.manifest.run_id;
    let inventory = &analysis.run.inventory;
    let board = |row: &Row| theory::board_id(&row.host.data.record, inventory).map(str::to_owned);
    let model = |row: &Row| row.unit.model.clone();
    vec![
        column("run_id", text(rows, |_| Some(run_id.clone()))),
        column("host", text(rows, |row| Some(row.host.name().to_owned()))),
        column("board", text(rows, board)),
        column("processor", text(rows, |_| Some(PROCESSOR.to_owned()))),
        column(
            "emulated",
            rows.iter()
                .map(|row| row.unit.emulated)
                .collect::<Vec<bool>>(),
        ),
        column("unit", text(rows, |row| Some(row.unit.unit.clone()))),
        column("kernel", text(rows, |row| Some(row.unit.kernel.clone()))),
        column(
            "residency",
            text(rows, |row| {
                row.unit.residency.map(|residency| residency.name().into())
            }),
        ),
        column("variant", text(rows, |row| Some(row.unit.variant.clone()))),
        column(
            "threads",
            rows.iter()
                .map(|row| row.unit.cpus.len() as u32)
                .collect::<Vec<u32>>(),
        ),
        column(
            "cpus",
            text(rows, |row| Some(format::cpu_list(&row.unit.cpus))),
        ),
        column(
            "working_set_bytes",
            rows.iter()
                .map(|row| row.unit.working_set_bytes)
                .collect::<Vec<u64>>(),
        ),
        column(
            "convention",
            text(rows, |row| {
                row.unit
                    .convention
                    .map(|convention| convention.name().into())
            }),
        ),
        column(
            "model",
            text(rows, |row| model(row).map(|model| model.model)),
        ),
        column(
            "quant",
            text(rows, |row| model(row).map(|model| model.quant)),
        ),
        column(
            "depth",
            rows.iter()
                .map(|row| model(row).map(|model| model.depth))
                .collect::<Vec<Option<u64>>>(),
        ),
        column(
            "n_prompt",
            rows.iter()
                .map(|row| model(row).map(|model| model.n_prompt))
                .collect::<Vec<Option<u64>>>(),
        ),
        column(
            "n_generate",
            rows.iter()
                .map(|row| model(row).map(|model| model.n_generate))
                .collect::<Vec<Option<u64>>>(),
        ),
        column(
            "kv_format",
            text(rows, |row| {
                model(row).map(|model| model.kv_format.name().into())
            }),
        ),
        column(
            "held_layers",
            rows.iter()
                .map(|row| model(row).and_then(|model| model.held_layers))
                .collect::<Vec<Option<u32>>>(),
        ),
        column(
            "chains",
            rows.iter()
                .map(|row| row.unit.n_chains)
                .collect::<Vec<Option<u32>>>(),
        ),
        column(
            "pages",
            text(rows, |row| row.unit.pages.map(|pages| pages.name().into())),
        ),
        column(
            "background_permille",
            rows.iter()
                .map(|row| {
                    row.unit
                        .background
                        .as_ref()
                        .map(|background| background.permille)
                })
                .collect::<Vec<Option<u32>>>(),
        ),
        column(
            "environment",
            text(rows, |row| Some(row.unit.environment.name().into())),
        ),
        column(
            "epoch",
            text(rows, |row| {
                row.host.data.facts.as_ref().map(fingerprint::name)
            }),
        ),
    ]
}

/// The columns that say which shape of the loops ran, and why that one.
fn shapes(rows: &[Row]) -> [Column; 4] {
    let joined = |texts: Vec<String>| (!texts.is_empty()).then(|| texts.join(", "));
    let ran = |row: &Row| joined(row.unit.shapes().into_iter().map(str::to_owned).collect());
    let tried = |row: &Row| {
        let rate = |tried: &&Tried| {
            let gb_per_s = tried.bytes_per_s as f64 / 1e9;
            format!("{} {gb_per_s:.3}", tried.shape)
        };
        joined(row.unit.tried().iter().map(rate).collect())
    };
    let is_forced = |row: &Row| (!row.unit.shapes().is_empty()).then_some(row.unit.is_shape_forced);
    let race_ms = |row: &Row| Some(row.unit.race.as_ref()?.elapsed_ns as f64 / 1e6);
    [
        column("shape", text(rows, ran)),
        column(
            "shape_is_forced",
            rows.iter().map(is_forced).collect::<Vec<Option<bool>>>(),
        ),
        column("shapes_tried", text(rows, tried)),
        column(
            "race_ms",
            rows.iter().map(race_ms).collect::<Vec<Option<f64>>>(),
        ),
    ]
}

/// The columns of samples that do not scatter around one value.
fn unrest(rows: &[Row]) -> [Column; 4] {
    let number = |pick: fn(&Unrest) -> f64| {
        let of_row = |row: &Row| row.unit.unrest().as_ref().map(pick);
        rows.iter().map(of_row).collect::<Vec<Option<f64>>>()
    };
    [
        column(
            "unrest",
            text(rows, |row| Some(row.unit.unrest()?.kind.name().into())),
        ),
        column("unrest_fast_ns", number(|it| it.fast_ns as f64)),
        column("unrest_slow_ns", number(|it| it.slow_ns as f64)),
        column(
            "unrest_fast_share",
            number(|it| f64::from(it.fast_permille) / 1000.0),
        ),
    ]
}

fn judgement(rows: &[Row]) -> Vec<Column> {
    vec![
        column(
            "verdict",
            text(rows, |row| Some(row.unit.verdict.name().into())),
        ),
        column(
            "reason",
            text(rows, |row| Some(row.unit.reason.as_ref()?.to_string())),
        ),
    ]
}

fn text<'a>(rows: &[Row<'a>], pick: impl Fn(&Row<'a>) -> Option<String>) -> Vec<Option<String>> {
    rows.iter().map(pick).collect()
}

/// A column of these values.
pub(crate) fn column<T, Phantom: ?Sized>(name: &str, values: T) -> Column
where
    Series: NamedFrom<T, Phantom>,
{
    Series::new(name.into(), values).into_column()
}

/// A frame of columns of the same length.
pub(crate) fn frame(columns: Vec<Column>) -> anyhow::Result<DataFrame> {
    let height = columns.first().map_or(0, Column::len);
    Ok(DataFrame::new(height, columns)?)
}
