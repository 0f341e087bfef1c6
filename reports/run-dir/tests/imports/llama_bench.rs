//! llama-bench in its three formats, old and new.

use bench_run_dir::readers::{ImportError, Imported, Place, TokenRate, Tool, Value, detect, parse};
use serde_json::{Value as Json, json};

pub const JSON: &str = include_str!("data/llama-bench.json");
pub const JSONL: &str = include_str!("data/llama-bench.jsonl");
pub const CSV: &str = include_str!("data/llama-bench.csv");

fn parsed(text: &str) -> Imported {
    assert_eq!(detect(text), [Tool::LlamaBench]);
    parse(Tool::LlamaBench, text).unwrap()
}

fn refused(text: &str) -> ImportError {
    parse(Tool::LlamaBench, text).unwrap_err()
}

fn rate(imported: &Imported, row_idx: usize) -> &TokenRate {
    match &imported.figures[row_idx].value {
        Value::Tokens(rate) => rate,
        other => panic!("{other:?} is no rate of tokens"),
    }
}

/// The rows of the real file, to be changed.
fn rows() -> Vec<Json> {
    serde_json::from_str(JSON).unwrap()
}

fn changed(change: impl Fn(&mut serde_json::Map<String, Json>)) -> String {
    let mut rows = rows();
    for row in &mut rows {
        change(row.as_object_mut().unwrap());
    }
    serde_json::to_string_pretty(&rows).unwrap()
}

#[test]
fn json_rows_become_rates_of_their_samples() {
    let bench = parsed(JSON);
    let names: Vec<&str> = bench.figures.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["pp64", "tg16", "pp64 @ d64", "tg16 @ d64"]);
    assert_eq!(bench.figures[0].place, Place::Row(1));
    assert_eq!(bench.facts["build_commit"], "0c1e570");
    assert_eq!(bench.facts["cpu_info"], "Intel(R) Xeon(R) Processor");
    assert!(bench.remarks.is_empty(), "{:?}", bench.remarks);
    let first = rate(&bench, 0);
    assert_eq!(first.samples_ns, [66_694_206, 76_962_348, 64_560_105]);
    assert!((first.tokens_per_s - 927.501_115).abs() < 1e-6);
    assert!((first.stddev_tokens_per_s.unwrap() - 84.574_517).abs() < 1e-5);
    assert_eq!(first.model_bytes, Some(346_206_720));
    assert_eq!(first.n_params, Some(494_032_768));
    assert_eq!(
        (first.n_threads, first.n_prompt, first.n_gen, first.n_depth),
        (Some(2), 64, 0, 0)
    );
    assert_eq!(first.type_k.as_deref(), Some("f16"));
    assert!(!first.uses_gpu && !first.is_generation());
    assert!(rate(&bench, 3).is_generation());
}

#[test]
fn the_three_formats_give_the_same_rows() {
    let (json, lines, csv) = (parsed(JSON), parsed(JSONL), parsed(CSV));
    let shape = |imported: &Imported| {
        let rows = 0..imported.figures.len();
        rows.map(|i| {
            let rate = rate(imported, i);
            (
                imported.figures[i].name.clone(),
                rate.model_type.clone(),
                rate.model_bytes,
                rate.n_threads,
            )
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(shape(&json), shape(&lines));
    assert_eq!(shape(&json), shape(&csv));
    let first = rate(&csv, 0);
    assert!(first.samples_ns.is_empty());
    assert_eq!(first.tokens_per_s, 1_014.610_916);
    assert_eq!(first.stddev_tokens_per_s, Some(66.947_465));
    assert!(csv.remarks[0].contains("no samples"), "{:?}", csv.remarks);
}

#[test]
fn log_lines_around_the_rows_pass() {
    let noise = "ggml_init: found 1 device\n[INFO] loading {model}\n";
    assert_eq!(
        parsed(&format!("{noise}{JSON}\nmain: done\n")).figures,
        parsed(JSON).figures
    );
    let lines: String = JSONL
        .lines()
        .map(|line| format!("{noise}{line}\n"))
        .collect();
    assert_eq!(parsed(&lines).figures, parsed(JSONL).figures);
    assert_eq!(
        parsed(&format!("{noise}{CSV}")).figures,
        parsed(CSV).figures
    );
    // Two results one after the other lose no row.
    assert_eq!(parsed(&format!("{JSON}{JSON}")).figures.len(), 8);
}

#[test]
fn old_rows_have_fewer_fields() {
    let old = changed(|row| {
        for newer in [
            "n_depth",
            "load_mode",
            "lazy_mode",
            "repack",
            "fit_target",
            "devices",
            "cpu_info",
        ] {
            row.remove(newer);
        }
        row.insert("use_mmap".into(), json!(true));
        row.insert("cuda".into(), json!(false));
    });
    let old = parsed(&old);
    assert_eq!(old.figures.len(), 4);
    assert_eq!(rate(&old, 2).n_depth, 0);
    assert_eq!(old.facts.get("cpu_info"), None);
}

#[test]
fn deviations_are_computed_from_the_samples() {
    // Five times some 26 s, whose squares overflow 64 bits: what llama-bench prints then is anything.
    let slow = changed(|row| {
        row.remove("avg_ts");
        row.remove("samples_ts");
        row.insert(
            "samples_ns".into(),
            json!([25_600_000_000_u64, 26_100_000_000_u64, 25_900_000_000_u64]),
        );
        row.insert("stddev_ns".into(), json!(3_036_999_113_u64));
    });
    let bench = parsed(&slow);
    let tg = rate(&bench, 1);
    assert!((tg.stddev_tokens_per_s.unwrap() / tg.tokens_per_s - 0.0097).abs() < 0.0002);
    let words = bench
        .remarks
        .iter()
        .find(|it| it.starts_with("row 2"))
        .unwrap();
    assert!(
        words.contains("`stddev_ns` is 3036999113") && words.contains("251661"),
        "{words}"
    );
}

#[test]
fn numbers_of_a_row_that_contradict_each_other_are_refused() {
    for (field, value) in [
        ("avg_ts", json!(12.5)),
        ("samples_ts", json!([12.5, 12.5, 12.5])),
        ("samples_ts", json!([12.5])),
    ] {
        let error = refused(&changed(|row| {
            row.insert(field.to_owned(), value.clone());
        }));
        assert_eq!(error.problems.len(), 4, "{field}: {error}");
        assert!(error.to_string().contains("`samples_ns`"), "{error}");
    }
    let error = refused(&changed(|row| {
        row.remove("samples_ns");
        row.insert("samples_ts".into(), json!([1.0, 1.0]));
    }));
    assert!(
        error.to_string().contains("mean of `samples_ts`"),
        "{error}"
    );
}

/// Every sample and the mean agree on the tokens that were timed, if not on those that the row names.
#[test]
fn tokens_that_were_timed_count_before_those_that_are_named() {
    let text = changed(|row| {
        row.insert("n_gen".into(), json!(4096));
    });
    let (before, after) = (parsed(JSON), parsed(&text));
    for idx in 0..before.figures.len() {
        let (before, after) = (rate(&before, idx), rate(&after, idx));
        assert!((after.tokens_per_s / before.tokens_per_s - 1.0).abs() < 0.01);
    }
    assert!(
        after.remarks[0].contains("of 64 tokens, not of the 4160"),
        "{:?}",
        after.remarks
    );
}

#[test]
fn generation_after_a_prompt_counts_the_generation() {
    let after_prompt = |test: &str| {
        changed(|row| {
            row.insert("n_prompt".into(), json!(4096));
            row.insert("n_gen".into(), json!(64));
            row.insert("n_depth".into(), json!(0));
            row.insert("test".into(), json!(test));
            row.insert(
                "samples_ns".into(),
                json!([20_000_000_000_u64, 20_000_000_000_u64]),
            );
            row.insert("samples_ts".into(), json!([3.2, 3.2]));
            row.insert("avg_ts".into(), json!(3.2));
            row.insert("stddev_ns".into(), json!(0));
        })
    };
    let bench = parsed(&after_prompt("tg64@pp4096"));
    assert_eq!(bench.figures[0].name, "tg64 @ d4096");
    let first = rate(&bench, 0);
    assert_eq!((first.n_prompt, first.n_gen, first.n_depth), (0, 64, 4096));
    assert_eq!(first.tokens_per_s, 3.2);
    assert!(first.is_generation());
    // Without the name, rates and times tell that only the generation was timed.
    let unnamed = parsed(&after_prompt("pp4096+tg64"));
    assert_eq!(unnamed.figures[0].name, "tg64 @ d4096");
    assert_eq!(rate(&unnamed, 0).tokens_per_s, 3.2);
    for (test, expect) in [
        ("tg32@pp4096", "`n_gen` is 64"),
        ("something", "not a test like"),
    ] {
        let error = refused(&after_prompt(test)).to_string();
        assert!(error.contains(expect), "{test}: {error}");
    }
}

#[test]
fn missing_fields_are_named_all_at_once() {
    let mut rows = rows();
    for field in ["model_type", "n_gen"] {
        rows[1].as_object_mut().unwrap().remove(field);
    }
    for field in ["samples_ns", "avg_ts"] {
        rows[3].as_object_mut().unwrap().remove(field);
    }
    let error = refused(&serde_json::to_string(&rows).unwrap());
    let all = error.to_string();
    for part in [
        "row 2: field `model_type` is missing",
        "row 2: field `n_gen`",
        "row 4: fields `samples_ns` and `avg_ts`",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
}

#[test]
fn impossible_numbers_are_refused() {
    let with = |field: &str, value: Json| {
        changed(|row| {
            row.insert(field.to_owned(), value.clone());
        })
    };
    for (field, value) in [
        ("samples_ns", json!([1, 0])),
        ("samples_ns", json!([-5])),
        ("samples_ns", json!("many")),
        ("n_gen", json!(-1)),
        ("n_depth", json!(1.5)),
        ("model_size", json!(0)),
        ("n_threads", json!(1e300)),
    ] {
        let error = refused(&with(field, value.clone())).to_string();
        assert!(
            error.contains(&format!("`{field}`")),
            "{field} {value}: {error}"
        );
    }
    for text in ["nan", "inf", "-3", "0", ""] {
        let csv = CSV.replace("1014.610916", text);
        let error = refused(&csv).to_string();
        assert!(
            error.starts_with("row 1: field `avg_ts`"),
            "{text}: {error}"
        );
    }
    let nothing = changed(|row| {
        row.insert("n_prompt".into(), json!(0));
        row.insert("n_gen".into(), json!(0));
    });
    assert!(
        refused(&nothing)
            .to_string()
            .contains("nothing was measured")
    );
}

#[test]
fn damaged_files_are_refused_with_their_line() {
    let error = refused(&format!(
        "log\n{}",
        JSONL.replacen("\"n_gen\": 0", "\"n_gen\": ", 1)
    ));
    assert_eq!(error.problems[0].place, Some(Place::Line(2)));
    // A bracket lost in the middle is not a run that was ended early.
    let error = refused(&JSON.replacen("  },\n", "", 1));
    assert!(
        matches!(error.problems[0].place, Some(Place::Line(line)) if line > 40),
        "{error}"
    );
    assert!(refused("[]").to_string().contains("no result"));
    assert!(refused("[\n1\n]").to_string().contains("no result"));
}

#[test]
fn the_whole_rows_of_a_run_that_was_ended_early_count() {
    let check = |whole: &str, text: &str, n_rows: usize, line: &str| {
        let bench = parsed(text);
        assert_eq!(bench.figures[..], parsed(whole).figures[..n_rows], "{line}");
        assert!(bench.remarks[0].starts_with(line), "{:?}", bench.remarks);
    };
    let whole = JSON.match_indices("  },\n").nth(1).unwrap().0 + 5;
    let n_lines = JSON[..whole].lines().count();
    check(
        JSON,
        &JSON[..whole + 100],
        2,
        &format!("line {}", n_lines + 4),
    );
    let lines = JSONL.trim_end();
    check(JSONL, &lines[..lines.len() - 30], 3, "line 4");
    check(
        JSONL,
        &format!("{}\n", &lines[..lines.len() - 30]),
        3,
        "line 4",
    );
    let cut = CSV.trim_end();
    check(CSV, &cut[..cut.len() - 30], 3, "line 5");
    // Nothing is whole.
    refused(&JSON[..500]);
}

#[test]
fn which_processor_computed_is_told_by_backends_or_booleans() {
    let check = |change: &[(&str, Json)], expect: (Option<&str>, bool, bool)| {
        let text = changed(|row| {
            for (field, value) in change {
                match value {
                    Json::Null => row.remove(*field),
                    value => row.insert((*field).to_owned(), value.clone()),
                };
            }
        });
        let bench = parsed(&text);
        let (prompt, generation) = (rate(&bench, 0), rate(&bench, 1));
        let got = (
            generation.backends.as_deref(),
            prompt.uses_gpu,
            generation.uses_gpu,
        );
        assert_eq!(got, expect, "{change:?}");
    };
    let gpu = ("gpu_info", json!("Some GPU"));
    let layers = |n: i32| ("n_gpu_layers", json!(n));
    check(&[gpu.clone(), layers(99)], (Some("CPU"), true, true));
    check(&[gpu.clone(), layers(-1)], (Some("CPU"), true, true));
    // Prompts are computed there even when no layer lies there.
    check(&[gpu.clone(), layers(0)], (Some("CPU"), true, false));
    check(
        &[gpu.clone(), layers(99), ("devices", json!("none"))],
        (Some("CPU"), false, false),
    );
    check(
        &[
            ("backends", json!("CUDA")),
            gpu,
            layers(99),
            ("devices", json!("none")),
        ],
        (Some("CUDA"), false, false),
    );
    check(
        &[("backends", json!("Vulkan")), layers(99)],
        (Some("Vulkan"), true, true),
    );
    check(
        &[("backends", json!("BLAS,RPC,CPU")), layers(99)],
        (Some("BLAS,RPC,CPU"), false, false),
    );
    for (boolean, name) in [
        ("vulkan", "Vulkan"),
        ("metal", "Metal"),
        ("opencl", "OpenCL"),
        ("cuda", "CUDA"),
    ] {
        let old = |value: Json| [("backends", Json::Null), (boolean, value), layers(99)];
        check(&old(json!(true)), (Some(name), true, true));
        check(&old(json!("1")), (Some(name), true, true));
        check(&old(json!(false)), (Some("CPU"), false, false));
    }
}
