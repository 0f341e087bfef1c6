//! The Parquet files of a run: columns, types, rows.

use std::fs::{self, File};
use std::path::Path;

use crate::fixture;
use polars::prelude::*;
use polars_io::prelude::ParquetReader;

const SAMPLE_COLUMNS: &str = "run_id host board processor emulated unit kernel residency variant threads cpus working_set_bytes \
    convention model quant depth n_prompt n_generate kv_format held_layers chains pages background_permille environment epoch \
    shape round round_is_used sample_idx iterations elapsed_ns read_bytes written_bytes ops tokens background_bytes since_start_ns lowest_khz \
    celsius verdict reason";

const UNIT_COLUMNS: &str = "run_id host board processor emulated unit kernel residency variant threads cpus working_set_bytes \
    convention model quant depth n_prompt n_generate kv_format held_layers chains pages background_permille environment epoch shape shape_is_forced \
    shapes_tried race_ms status n rounds rounds_used rounds_apart median_ns best_ns spread ci_low_ns ci_high_ns gb_per_s best_gb_per_s tokens_per_s gop_per_s ns_per_load \
    other_cpu_ms swapped_pages throttle_events celsius watts power_sensor tokens_per_joule label background_gb_per_s background_alone_gb_per_s bound bound_tokens_per_s bound_name efficiency kernel_gb_per_s limit \
    unrest unrest_fast_ns unrest_slow_ns unrest_fast_share verdict reason";

#[test]
fn columns_are_stable() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    assert_eq!(
        columns(&read(&dir, "samples")),
        SAMPLE_COLUMNS.split_whitespace().collect::<Vec<_>>()
    );
    assert_eq!(
        columns(&read(&dir, "units")),
        UNIT_COLUMNS.split_whitespace().collect::<Vec<_>>()
    );
}

#[test]
fn types_do_not_depend_on_the_rows() {
    let temp = tempfile::tempdir().unwrap();
    let full = fixture::full_run(temp.path(), "run");
    let empty = temp.path().join("empty");
    fixture::write_run(&empty, &[]);
    for name in ["samples", "units"] {
        assert_eq!(
            read(&full, name).schema(),
            read(&empty, name).schema(),
            "{name}"
        );
        assert_eq!(read(&empty, name).height(), 0);
    }
}

#[test]
fn every_sample_is_a_row() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    let n_sent: usize = [
        "rock-desk",
        "rock-lab",
        "rock-prepared",
        "this-machine",
        "emulated-aarch64",
        "pi-window",
        "rock-metered",
    ]
    .iter()
    .map(|host| fs::read_to_string(dir.join("hosts").join(host).join("stream.jsonl")).unwrap())
    .map(|stream| {
        stream
            .lines()
            .filter(|line| line.starts_with(r#"{"type":"sample""#) && line.ends_with('}'))
            .count()
    })
    .sum();
    assert_eq!(read(&dir, "samples").height(), n_sent);
}

#[test]
fn work_is_of_the_whole_sample() {
    let temp = tempfile::tempdir().unwrap();
    let frame = read(&fixture::full_run(temp.path(), "run"), "samples");
    let row = find(&frame, "rock-desk", "gemv_q4_0_cache_t4");
    let number = |column: &str| {
        frame
            .column(column)
            .unwrap()
            .u64()
            .unwrap()
            .get(row)
            .unwrap()
    };
    assert_eq!(number("read_bytes"), 110_592 * number("iterations"));
}

#[test]
fn rates_follow_from_the_samples() {
    let temp = tempfile::tempdir().unwrap();
    let frame = read(&fixture::full_run(temp.path(), "run"), "units");
    let row = find(&frame, "rock-desk", "read_dram_t4");
    let float = |column: &str| {
        frame
            .column(column)
            .unwrap()
            .f64()
            .unwrap()
            .get(row)
            .unwrap()
    };
    let text = |column: &str| {
        frame
            .column(column)
            .unwrap()
            .str()
            .unwrap()
            .get(row)
            .map(str::to_owned)
    };
    assert!((float("gb_per_s") - (256 << 20) as f64 / float("median_ns")).abs() < 1e-9);
    assert!((float("efficiency") - float("gb_per_s") / 33.792).abs() < 1e-9);
    assert!(float("ci_low_ns") <= float("median_ns") && float("median_ns") <= float("ci_high_ns"));
    assert_eq!(text("cpus").as_deref(), Some("4-7"));
    assert_eq!(text("verdict").as_deref(), Some("ok"));
    assert_eq!(text("reason"), None);
}

#[test]
fn rows_say_which_shape_ran_and_what_the_others_reached() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    let frame = read(&dir, "units");
    let value = |unit: &str, column: &str| {
        let row = find(&frame, "rock-desk", unit);
        format!("{}", frame.column(column).unwrap().get(row).unwrap())
    };
    for (column, raced, other) in [
        ("shape", "\"v128x8-far\"", "null"),
        ("shape_is_forced", "false", "null"),
        (
            "shapes_tried",
            "\"v128x8-far 24.200, ldnp 24.150, v128x8 21.500\"",
            "null",
        ),
        ("race_ms", "375.0", "null"),
        ("unrest", "null", "\"bimodal\""),
        ("unrest_fast_ns", "null", "1.1e7"),
        ("unrest_slow_ns", "null", "1.6e7"),
        ("unrest_fast_share", "null", "0.6"),
    ] {
        assert_eq!(value("read_dram_t4", column), raced, "{column}");
        assert_eq!(value("read_dram_t2", column), other, "{column}");
    }
    let samples = read(&dir, "samples");
    let row = find(&samples, "rock-desk", "read_dram_t4");
    let shape = samples.column("shape").unwrap().str().unwrap();
    assert_eq!(shape.get(row), Some("v128x8-far"));
}

#[test]
fn writing_leaves_no_half_files() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    bench_reports::tables::frames::write(&dir).unwrap();
    let mut names: Vec<String> = (fs::read_dir(dir.join("frames")).unwrap())
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "imported.csv",
            "imported.parquet",
            "samples.csv",
            "samples.parquet",
            "units.csv",
            "units.parquet"
        ]
    );
}

fn read(dir: &Path, name: &str) -> DataFrame {
    bench_reports::tables::frames::write(dir).expect("the report can be read back");
    let file = File::open(dir.join("frames").join(format!("{name}.parquet")))
        .expect("the report can be read back");
    ParquetReader::new(file)
        .finish()
        .expect("the report can be read back")
}

fn columns(frame: &DataFrame) -> Vec<&str> {
    frame
        .get_column_names()
        .into_iter()
        .map(|name| name.as_str())
        .collect()
}

fn find(frame: &DataFrame, host: &str, unit: &str) -> usize {
    let text = |column: &str, row: usize| {
        frame
            .column(column)
            .expect("the report can be read back")
            .str()
            .expect("the report can be read back")
            .get(row)
            .map(str::to_owned)
    };
    (0..frame.height())
        .find(|row| {
            text("host", *row).as_deref() == Some(host)
                && text("unit", *row).as_deref() == Some(unit)
        })
        .unwrap_or_else(|| panic!("no row for {host}, {unit}"))
}

/// A run directory of protocol 1, written out as it was then.
#[test]
fn runs_of_the_first_protocol_are_still_read() {
    const REQUEST: &str = r#"{"protocol":1,"run_id":"old","units":[{"unit":"decode/m/q4_0/d8/t1","kernel":"decode",
        "variant":null,"cpus":[0],"job":{"decode":{"model":{"model":"m","quant":"q4_0","n_layers":1,"hidden":64,
        "n_heads":1,"n_kv_heads":1,"head_dim":64,"tensors":[]},"depth":8}},"sampling":{"min_samples":1,"max_samples":1,
        "budget_ms":1,"precision_ppm":0},"deadline_ms":1000}],"deadline_ms":1000}"#;
    const STREAM: &str = r#"{"type":"hello","protocol":1,"program":"bench-kernels 0.1.0","arch":"x86_64","run_id":"old"}
{"type":"unit_ready","unit":"decode/m/q4_0/d8/t1","kernel":"decode","variant":"avx2","cpus":[0],"working_set_bytes":1000000,"residency":"dram","work":{"read_bytes":1000000,"written_bytes":0,"ops":5},"convention":"token","check":{"passed":true,"max_error":0.0,"tolerance":0.0},"huge_page_bytes":null,"model":{"model":"m","quant":"q4_0","depth":8}}
{"type":"sample","unit":"decode/m/q4_0/d8/t1","sample_idx":0,"elapsed_ns":2000000,"iterations":2}
{"type":"unit_end","unit":"decode/m/q4_0/d8/t1","status":"ok","reason":null}
{"type":"done","n_units":1,"n_samples":1}
"#;
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("old");
    fixture::write_run(&dir, &[fixture::this_machine()]);
    let host = dir.join("hosts/this-machine");
    fs::write(host.join("request.json"), REQUEST).unwrap();
    fs::write(host.join("stream.jsonl"), STREAM).unwrap();
    let frame = read(&dir, "units");
    assert_eq!(frame.height(), 1);
    let row = find(&frame, "this-machine", "decode/m/q4_0/d8/t1");
    let tokens_per_s = frame.column("tokens_per_s").unwrap().f64().unwrap();
    assert_eq!(tokens_per_s.get(row), Some(1000.0));
    for unknown in ["shape", "shapes_tried", "race_ms", "unrest"] {
        assert_eq!(frame.column(unknown).unwrap().null_count(), 1, "{unknown}");
    }
}
