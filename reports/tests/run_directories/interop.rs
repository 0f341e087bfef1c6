//! Results of external programs in a run directory, its frame and its page; and a run as rows of llama-bench.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

use std::fs::{self, File};
use std::path::Path;

use bench_analysis::measured;
use bench_reports::tables::export::{LlamaBenchFormat, llama_bench};
use bench_run_dir::files::sha256;
use bench_run_dir::imports::{self, Addition, ImportRecord};
use bench_run_dir::readers::{self, Tool, Value};
use polars::prelude::*;
use polars_io::prelude::ParquetReader;

use crate::fixture;

pub(crate) const STREAM: &str =
    include_str!("../../run-dir/tests/imports/data/stream-2-threads.txt");
pub(crate) const MBW: &str = include_str!("../../run-dir/tests/imports/data/mbw-quiet.txt");
pub(crate) const LLAMA_BENCH: &str =
    include_str!("../../run-dir/tests/imports/data/llama-bench.json");

const COLUMNS: &str = "run_id label unit verdict tool tool_version host board file original_name place name kind core threads \
    block_bytes pages gb_per_s convention statistic latency_ns latency_meaning tokens_per_s spread spread_kind n_samples \
    model_filename model_type model_bytes n_params n_prompt n_generate depth type_k type_v backends theory_gb_per_s \
    moved_gb_per_s bound_file_tokens_per_s share_of_theory";

pub(crate) fn file(
    tool: Tool,
    name: &str,
    text: &str,
    host: Option<&str>,
    board: Option<&str>,
) -> (ImportRecord, Vec<u8>) {
    let hash = sha256(text.as_bytes());
    let record = ImportRecord {
        file: imports::place(&hash, name),
        sha256: hash,
        tool: tool.id().into(),
        board: board.map(str::to_owned),
        host: host.map(str::to_owned),
        original_name: name.into(),
        imported_at: "2026-02-01T10:00:00Z".into(),
    };
    (record, text.as_bytes().to_vec())
}

pub(crate) fn add(dir: &Path, files: Vec<(ImportRecord, Vec<u8>)>) -> usize {
    let addition = Addition::of(dir, files).unwrap();
    addition.write(dir).unwrap();
    addition.n_added()
}

fn rendered(dir: &Path) -> String {
    bench_reports::tables::frames::write(dir).unwrap();
    bench_reports::report::render(dir).unwrap();
    fs::read_to_string(dir.join("html/index.html")).unwrap()
}

fn frame(dir: &Path, name: &str) -> DataFrame {
    let file = File::open(dir.join(format!("frames/{name}.parquet"))).unwrap();
    ParquetReader::new(file).finish().unwrap()
}

#[test]
fn imported_figures_have_a_frame_of_their_own() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    rendered(&dir);
    let before = frame(&dir, "units");
    let empty = frame(&dir, "imported");
    assert_eq!(empty.height(), 0);
    add(
        &dir,
        vec![
            file(Tool::Stream, "stream.txt", STREAM, Some("rock-desk"), None),
            file(Tool::Mbw, "mbw.txt", MBW, None, Some("raspberry-pi-4")),
            file(
                Tool::LlamaBench,
                "bench.json",
                LLAMA_BENCH,
                Some("rock-desk"),
                None,
            ),
        ],
    );
    let page = rendered(&dir);
    let imported = frame(&dir, "imported");
    let names: Vec<&str> = (imported.get_column_names().into_iter())
        .map(|name| name.as_str())
        .collect();
    assert_eq!(names, COLUMNS.split_whitespace().collect::<Vec<_>>());
    assert_eq!(
        imported.schema(),
        empty.schema(),
        "types do not depend on the rows"
    );
    assert_eq!(imported.height(), 4 + 4 + 4);
    assert!(
        frame(&dir, "units").equals_missing(&before),
        "nothing imported is a unit"
    );

    let text = |column: &str, row: usize| {
        let column = imported.column(column).unwrap().str().unwrap();
        column.get(row).map(str::to_owned)
    };
    let float = |column: &str, row: usize| imported.column(column).unwrap().f64().unwrap().get(row);
    let find = |tool: &str, name: &str| {
        let mut rows = 0..imported.height();
        let is_it = |row: &usize| {
            text("tool", *row).as_deref() == Some(tool)
                && text("name", *row).as_deref() == Some(name)
        };
        rows.rfind(is_it).unwrap()
    };
    let triad = find("stream", "Triad");
    assert_eq!(text("board", triad).as_deref(), Some("rock-5b"));
    assert_eq!(text("place", triad).as_deref(), Some("line 30"));
    // 35.2 GB/s against the 33.8 of the board: shown, not clipped.
    assert!(float("share_of_theory", triad).unwrap() > 1.0);
    let memcpy = find("mbw", "MEMCPY");
    let counted = float("gb_per_s", memcpy).unwrap();
    assert_eq!(float("moved_gb_per_s", memcpy), Some(2.0 * counted));
    assert!((float("theory_gb_per_s", memcpy).unwrap() - 12.8).abs() < 1e-9);
    let tg = find("llama-bench", "tg16 @ d64");
    let bound = float("bound_file_tokens_per_s", tg).unwrap();
    assert!((bound - 33.792e9 / 346_206_720.0).abs() < 1e-6, "{bound}");
    let pp = find("llama-bench", "pp64");
    assert_eq!(float("bound_file_tokens_per_s", pp), None);

    for part in [
        "Results of external programs",
        "implausible",
        "doubled: 13.1 GB",
        "bytes read and written, fastest",
        "model of 346 MB",
        "imported.csv",
    ] {
        assert!(page.contains(part), "the page lacks `{part}`");
    }
}

#[test]
fn a_run_without_imports_says_nothing_of_them() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    assert!(!rendered(&dir).contains("Results of external programs"));
    assert!(!dir.join("html/data/imported.csv").exists());
}

#[test]
fn content_that_is_there_is_not_added_again() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    let with = |host, board| vec![file(Tool::Mbw, "mbw.txt", MBW, host, board)];
    assert_eq!(add(&dir, with(None, None)), 1);
    let same = Addition::of(&dir, with(None, None)).unwrap();
    assert!(same.is_empty() && same.n_added() == 0);
    // What was left open may be told later, and not be told otherwise.
    assert_eq!(add(&dir, with(Some("rock-desk"), None)), 0);
    let index = fs::read(dir.join(imports::INDEX)).unwrap();
    let (records, problems) = imports::parse_index(&index);
    assert_eq!((records.len(), problems.len()), (1, 0));
    assert_eq!(records[0].host.as_deref(), Some("rock-desk"));
    let error = Addition::of(&dir, with(Some("rock-lab"), None)).unwrap_err();
    assert!(
        error.to_string().contains("`rock-desk` and `rock-lab`"),
        "{error}"
    );
}

#[test]
fn damaged_imports_are_named_and_the_rest_is_shown() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    let stream = file(Tool::Stream, "stream.txt", STREAM, None, None);
    let mbw = file(Tool::Mbw, "mbw.txt", MBW, None, None);
    let (stream_path, mbw_path) = (stream.0.file.clone(), mbw.0.file.clone());
    let mut elsewhere = mbw.0.clone();
    elsewhere.sha256 = "0".repeat(64);
    elsewhere.file = "../outside.txt".into();
    add(&dir, vec![stream, mbw]);
    fs::write(dir.join(&mbw_path), "changed").unwrap();
    let mut index = fs::read(dir.join(imports::INDEX)).unwrap();
    index.extend(b"no json\n");
    index.extend(serde_json::to_vec(&elsewhere).unwrap());
    fs::write(dir.join(imports::INDEX), index).unwrap();
    let run = bench_run_dir::read(&dir).unwrap();
    assert_eq!(run.imports.len(), 1);
    assert_eq!(run.imports[0].record.file, stream_path);
    for part in [
        "line 3, is broken",
        "`../outside.txt` is no file of that folder",
        "was changed after it was imported",
    ] {
        assert!(
            run.problems.iter().any(|it| it.contains(part)),
            "{part}: {:?}",
            run.problems
        );
    }
    assert!(rendered(&dir).contains("Results of external programs"));
}

#[test]
fn what_a_file_says_cannot_become_markup() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    let evil = LLAMA_BENCH
        .replace("qwen2 1B (guessed) Q4_0", "<script>alert(1)</script>")
        .replace("Intel(R) Xeon(R) Processor", "<img src=x>`\\\"");
    add(
        &dir,
        vec![file(
            Tool::LlamaBench,
            "<b>.json",
            &evil,
            Some("<q>"),
            Some("<u>"),
        )],
    );
    let page = rendered(&dir);
    for markup in ["<script>alert", "<img", "<b>.json", "<q>", "<u>"] {
        assert!(!page.contains(markup), "{markup}");
    }
}

#[test]
fn exported_rows_come_back_as_the_same_figures() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    let run = bench_run_dir::read(&dir).unwrap();
    let analysis = measured::analyse(&run);
    let units: Vec<_> = (analysis.hosts.iter())
        .flat_map(|host| &host.units)
        .filter(|unit| unit.kind.is_of_a_model())
        .collect();
    let mut shapes = Vec::new();
    for format in [
        LlamaBenchFormat::Json,
        LlamaBenchFormat::JsonLines,
        LlamaBenchFormat::Csv,
    ] {
        let export = llama_bench(&analysis, format);
        assert_eq!(export.n_rows + export.left_out.len(), units.len());
        assert!(export.n_rows > 0);
        assert_eq!(readers::detect(&export.text), [Tool::LlamaBench]);
        let back = readers::parse(Tool::LlamaBench, &export.text).unwrap();
        assert_eq!(back.figures.len(), export.n_rows);
        assert_eq!(back.facts["backends"], "memwall");
        let shape: Vec<_> = (back.figures.iter())
            .map(|figure| match &figure.value {
                Value::Tokens(rate) => (
                    figure.name.clone(),
                    (rate.tokens_per_s * 1e4).round(),
                    rate.model_type.clone(),
                ),
                other => panic!("{other:?}"),
            })
            .collect();
        shapes.push(shape);
        if format != LlamaBenchFormat::Csv {
            assert!(back.remarks.is_empty(), "{:?}", back.remarks);
        }
    }
    assert_eq!(shapes[0], shapes[1]);
    assert_eq!(shapes[0], shapes[2]);
}

#[test]
fn exported_samples_are_repetitions_and_invalid_units_stay_out() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    let run = bench_run_dir::read(&dir).unwrap();
    let analysis = measured::analyse(&run);
    let export = llama_bench(&analysis, LlamaBenchFormat::Json);
    let back = readers::parse(Tool::LlamaBench, &export.text).unwrap();
    let exported: Vec<Vec<u64>> = (back.figures.iter())
        .map(|figure| match &figure.value {
            Value::Tokens(rate) => rate.samples_ns.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    let mut n_usable = 0;
    for unit in analysis.hosts.iter().flat_map(|host| &host.units) {
        let per_iteration = |sample: &measured::SampleRow| {
            (sample.elapsed_ns as f64 / sample.iterations as f64).round() as u64
        };
        let samples: Vec<u64> = unit.samples.iter().map(per_iteration).collect();
        let is_plain =
            unit.kind.is_of_a_model() && unit.is_quiet() && unit.extrapolated().is_none();
        if is_plain && unit.verdict.is_usable() {
            n_usable += 1;
            assert!(exported.contains(&samples), "{} is missing", unit.unit);
        }
    }
    assert_eq!(n_usable, export.n_rows);
    assert!(
        export
            .left_out
            .iter()
            .any(|it| it.contains("background readers")),
        "{:?}",
        export.left_out
    );
    // The fields of llama-bench in its order, and the one that `load_mode` replaced.
    let rows: Vec<&str> = export
        .text
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"'))
        .collect();
    let names: Vec<&str> = rows
        .iter()
        .take(45)
        .map(|line| line.split('"').next().unwrap())
        .collect();
    let header = include_str!("../../run-dir/tests/imports/data/llama-bench.csv")
        .lines()
        .next()
        .unwrap();
    let theirs: Vec<&str> = header
        .split(',')
        .chain(["samples_ns", "samples_ts"])
        .collect();
    let ours: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| *name != "use_mmap")
        .collect();
    assert_eq!(ours, theirs);
    assert_eq!(ours.len() + 1, names.len());
}
