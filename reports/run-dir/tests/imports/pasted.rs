//! Texts as they are in the wild: appended, logged, pasted, saved by other programs, of several programs.

use bench_run_dir::readers::{self, Counted, Imported, TokenRate, Tool, Value, detect, parse};

use crate::llama_bench::{CSV, JSON, JSONL};

const STREAM: &str = include_str!("data/stream-2-threads.txt");
const MBW: &str = include_str!("data/mbw-quiet.txt");
const TINYMEMBENCH: &str = include_str!("data/tinymembench.txt");

const TABLE: &str = "\
| model                          |       size |     params | backend    | threads |            test |                  t/s |
| ------------------------------ | ---------: | ---------: | ---------- | ------: | --------------: | -------------------: |
| llama 1B Q4_K - Medium         | 636.18 MiB |     1.10 B | CPU        |       8 |           pp512 |        190.00 ± 0.70 |
| llama 1B Q4_K - Medium         | 636.18 MiB |     1.10 B | CPU        |       8 |           tg128 |         38.80 ± 0.40 |
| llama 1B Q4_K - Medium         | 636.18 MiB |     1.10 B | CPU        |       8 |   tg128 @ d4096 |         30.10 ± 0.10 |

build: 0123abc4 (9992)
";

fn bench(text: &str) -> Imported {
    assert_eq!(detect(text), [Tool::LlamaBench], "{text}");
    parse(Tool::LlamaBench, text).unwrap()
}

fn refused(text: &str) -> String {
    parse(Tool::LlamaBench, text).unwrap_err().to_string()
}

fn rates(imported: &Imported) -> Vec<&TokenRate> {
    let rates = imported.figures.iter().map(|figure| match &figure.value {
        Value::Tokens(rate) => rate.as_ref(),
        other => panic!("{other:?} is not a rate of tokens"),
    });
    rates.collect()
}

fn names(imported: &Imported) -> Vec<&str> {
    imported.figures.iter().map(|it| it.name.as_str()).collect()
}

#[test]
fn byte_order_marks_and_utf16_lose_no_row() {
    let utf16 = |text: &str| -> Vec<u8> {
        let text = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    for text in [JSON, JSONL, CSV, STREAM, MBW, TINYMEMBENCH, TABLE] {
        let [tool] = detect(text)[..] else {
            panic!("{text}")
        };
        let expect = parse(tool, text).unwrap();
        for bytes in [format!("\u{feff}{text}").into_bytes(), utf16(text)] {
            let text = readers::text(&bytes).unwrap();
            assert_eq!(parse(tool, &text).unwrap(), expect);
        }
    }
    // Two files with a mark each, joined.
    let joined = format!("\u{feff}{JSONL}\u{feff}{JSONL}");
    assert_eq!(
        bench(&readers::text(joined.as_bytes()).unwrap())
            .figures
            .len(),
        8
    );
    let error = readers::text(&[JSONL.as_bytes(), &utf16(JSONL)[2..]].concat()).unwrap_err();
    assert!(error.contains("save it as UTF-8"), "{error}");
}

#[test]
fn appended_csv_begins_new_columns() {
    let expect = bench(CSV).figures.len();
    assert_eq!(bench(&format!("{CSV}{CSV}")).figures.len(), 2 * expect);
    // After an update of llama.cpp: the last column is new.
    let older: String = CSV
        .lines()
        .map(|line| format!("{}\n", line.rsplit_once(',').unwrap().0))
        .collect();
    let both = bench(&format!("{older}\n{CSV}"));
    assert_eq!(both.figures.len(), 2 * expect);
    assert_eq!(
        rates(&both)[0].model_bytes,
        rates(&both)[expect].model_bytes
    );
}

#[test]
fn log_lines_between_rows_pass_in_every_form() {
    let logs = "llama-bench: benchmark 1/2: starting\nwarning: a, b, \"c\n";
    let csv: String = CSV.lines().map(|line| format!("{logs}{line}\n")).collect();
    assert_eq!(
        bench(&format!("{csv}build: 0123abc4 (9992)\n")).figures,
        bench(CSV).figures
    );
    // llama-bench prints the bracket of a row without a line end, and logs then.
    let json = JSON.replace("  },\n", "  }llama-bench: benchmark 2/4: starting\n,\n");
    assert_ne!(json, JSON);
    assert_eq!(
        bench(&format!("{logs}{json}{logs}")).figures,
        bench(JSON).figures
    );
    let compact = serde_json::from_str::<serde_json::Value>(JSON)
        .unwrap()
        .to_string();
    assert_eq!(bench(&compact).figures, bench(JSON).figures);
    assert_eq!(
        bench(&format!("{{\"results\": {compact}}}")).figures,
        bench(JSON).figures
    );
    let table = TABLE.replace("|\n|", &format!("|\n{logs}|"));
    assert_eq!(bench(&table).figures.len(), 3);
}

#[test]
fn a_row_that_cannot_be_read_is_a_problem() {
    let quoted: String = JSONL.lines().map(|line| format!("> {line}\n")).collect();
    let error = refused(&quoted);
    assert!(
        error.contains("line 1") && error.contains("remove the `> `"),
        "{error}"
    );
    let prompted = JSONL.replacen('{', "$ {", 1);
    assert!(refused(&prompted).contains("line 1: the line holds `n_prompt`"));
    let blanks = JSON.replace("    \"", "\u{a0}\u{a0}\"");
    assert_eq!(
        bench(&readers::text(blanks.as_bytes()).unwrap()).figures,
        bench(JSON).figures
    );
}

#[test]
fn other_programs_save_csv_with_other_separators_and_floats() {
    let expect = bench(CSV).figures;
    for separator in [";", "\t"] {
        let other = CSV.replace("\",\"", &format!("\"{separator}\""));
        let (header, rows) = other.split_once('\n').unwrap();
        let other = format!("{}\n{rows}", header.replace(',', separator));
        assert_eq!(bench(&other).figures, expect, "{separator}");
    }
    let decimal = CSV.replace("\",\"", "\";\"");
    let (header, rows) = decimal.split_once('\n').unwrap();
    let decimal = format!(
        "{}\n{}",
        header.replace(',', ";"),
        rows.replace("1014.610916", "1014,610916")
    );
    assert_eq!(bench(&decimal).figures, expect);
    let floats = JSON.replace("\"n_threads\": 2", "\"n_threads\": 2.0");
    assert_ne!(floats, JSON);
    assert_eq!(bench(&floats).figures, bench(JSON).figures);
}

#[test]
fn tables_are_read_with_their_rounding() {
    let table = bench(TABLE);
    assert_eq!(names(&table), ["pp512", "tg128", "tg128 @ d4096"]);
    assert_eq!(table.version.as_deref(), Some("0123abc4"));
    assert_eq!(table.facts["build_number"], "9992");
    let tg = rates(&table)[1];
    assert_eq!((tg.tokens_per_s, tg.stddev_tokens_per_s), (38.8, Some(0.4)));
    assert_eq!((tg.n_threads, tg.n_gen), (Some(8), 128));
    assert_eq!(tg.backends.as_deref(), Some("CPU"));
    assert!(!tg.uses_gpu && tg.is_generation());
    // 636.18 MiB and 1.10 B, give or take half of the last decimal.
    assert_eq!(tg.model_bytes, Some(667_083_080));
    assert_eq!(tg.least_model_bytes(), Some(667_077_837));
    assert!(tg.has_params(1_100_048_384) && !tg.has_params(1_106_000_000));
    assert!(table.remarks[0].contains("rounds"), "{:?}", table.remarks);
}

#[test]
fn tables_stand_in_prose_with_any_columns() {
    let check = |text: &str, expect: &[(&str, f64)]| {
        let table = bench(text);
        let rates = rates(&table);
        let got: Vec<(&str, f64)> = (table.figures.iter().zip(&rates))
            .map(|(figure, rate)| (figure.name.as_str(), rate.tokens_per_s))
            .collect();
        assert_eq!(got, expect, "{text}");
    };
    let all = [("pp512", 190.0), ("tg128", 38.8), ("tg128 @ d4096", 30.1)];
    check(
        &format!("My board:\n\n```\n{TABLE}```\n\n| RAM | price |\n|---|---|\n| 8 GB | 80 |\n"),
        &all,
    );
    check(
        &TABLE
            .replace("| ll", "> | ll")
            .replace("| model", "> | model"),
        &all,
    );
    check(&TABLE.replace('±', "\u{fffd}"), &all);
    check(&TABLE.replace("38.80 ± 0.40", "**38.80**"), &all);
    check(
        "| model | size | params | backend | ngl | fa | test | t/s |\n| - | -: | -: | - | -: | -: | -: | -: |\n\
         | qwen2 7B Q4_0 | 4.12 GiB | 7.62 B | CPU | 0 | 1 | tg64@pp4096 | 3.20 ± 0.00 |\n",
        &[("tg64 @ d4096", 3.2)],
    );
    // Copied from a page.
    check(
        "model\tsize\tparams\tbackend\tthreads\ttest\tt/s\nllama 1B Q4_0\t606.53 MiB\t1.10 B\tCPU\t4\ttg128\t12.50 ± 0.01\n",
        &[("tg128", 12.5)],
    );
    let two = format!("{TABLE}\n{TABLE}");
    assert_eq!(bench(&two).figures.len(), 6);
    let gpu = bench(&TABLE.replace("| CPU        |", "| Vulkan     |"));
    assert!(rates(&gpu).iter().all(|rate| rate.uses_gpu));
    let without =
        bench("| model | test | t/s |\n|---|---|---|\n| llama 1B Q4_0 | tg128 | 12.50 |\n");
    let without = rates(&without)[0];
    assert_eq!((without.model_bytes, without.n_threads), (None, None));
}

#[test]
fn broken_tables_are_refused_with_their_line() {
    for (from, to, expect) in [
        ("38.80 ± 0.40", "fast", "line 4: `t/s` is `fast`"),
        ("38.80 ± 0.40", "0.00 ± 0.00", "line 4: `t/s`"),
        (
            "636.18 MiB |     1.10 B | CPU        |       8 |           tg128",
            "| tg128",
            "line 4: the line has",
        ),
        (
            "           tg128 |         38",
            "           xy128 |         38",
            "row 2: `test` is `xy128`",
        ),
    ] {
        let text = TABLE.replace(from, to);
        assert_ne!(text, TABLE);
        let error = refused(&text);
        assert!(error.starts_with(expect), "{expect}: {error}");
    }
    let rows: String = TABLE
        .lines()
        .skip(2)
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(refused(&rows).contains("header is missing"));
}

#[test]
fn all_forms_in_one_text_count_and_repeated_ones_once() {
    let all = bench(&format!("{JSONL}\n{CSV}\n{TABLE}"));
    assert_eq!(all.figures.len(), 4 + 4 + 3);
    // `-o jsonl -oe md`: the same results on both outputs.
    let expect = bench(JSONL);
    let table: String = (expect.figures.iter().zip(rates(&expect)))
        .map(|(figure, rate)| {
            format!(
                "| {} | {} | {:.2} ± 1.00 |\n",
                rate.model_type, figure.name, rate.tokens_per_s
            )
        })
        .collect();
    let both = bench(&format!(
        "| model | test | t/s |\n|---|---|---|\n{table}{JSONL}"
    ));
    assert_eq!(names(&both), names(&expect));
    assert!(rates(&both).iter().all(|rate| !rate.samples_ns.is_empty()));
    assert!(
        both.remarks[0].starts_with("4 rows of a table"),
        "{:?}",
        both.remarks
    );
}

#[test]
fn every_program_in_a_text_is_told() {
    let text = format!("{MBW}\n{STREAM}\n{TINYMEMBENCH}\n{TABLE}");
    let tools = detect(&text);
    assert_eq!(
        tools,
        [
            Tool::LlamaBench,
            Tool::Stream,
            Tool::Tinymembench,
            Tool::Mbw
        ]
    );
    for (tool, alone) in tools.iter().zip([TABLE, STREAM, TINYMEMBENCH, MBW]) {
        let strip = |mut imported: Imported| {
            let _: Vec<_> = (imported.figures.iter_mut())
                .map(|figure| figure.place = readers::Place::Row(1))
                .collect();
            imported.figures
        };
        assert_eq!(
            strip(parse(*tool, &text).unwrap()),
            strip(parse(*tool, alone).unwrap()),
            "{tool:?}"
        );
    }
}

#[test]
fn sysbench_counts_binary_bytes_of_its_block() {
    let text = include_str!("data/sysbench-read.txt");
    assert_eq!(detect(text), [Tool::Sysbench]);
    let sysbench = parse(Tool::Sysbench, text).unwrap();
    assert_eq!(sysbench.version.as_deref(), Some("1.0.20"));
    let [figure] = &sysbench.figures[..] else {
        panic!("{sysbench:?}")
    };
    let Value::Bandwidth(read) = &figure.value else {
        panic!("{figure:?}")
    };
    assert_eq!(read.gb_per_s, 24235.18 * 1_048_576.0 / 1e9);
    assert_eq!((read.counted, read.n_threads), (Counted::Read, Some(2)));
    assert_eq!(read.block_bytes, Some(64 << 20));
    let written = text.replace("operation: read", "operation: write");
    let written = parse(Tool::Sysbench, &written).unwrap();
    assert!(
        matches!(&written.figures[0].value, Value::Bandwidth(it) if it.counted == Counted::ReadPlusWrite)
    );
    let none = text.replace("operation: read", "operation: none");
    let error = parse(Tool::Sysbench, &none).unwrap_err().to_string();
    assert!(error.contains("operation is `none`"), "{error}");
}

#[test]
fn babelstream_counts_by_its_tests() {
    let text = "BabelStream\nVersion: 5.0\nImplementation: OpenMP\nRunning kernels 100 times\nPrecision: double\n\
        Array size: 268.4 MB (=0.3 GB)\nTotal size: 805.3 MB (=0.8 GB)\n\
        Function    MBytes/sec  Min (sec)   Max         Average     \n\
        Copy        25120.301   0.02137     0.02308     0.02153     \n\
        Triad       25301.120   0.03183     0.03296     0.03200     \n\
        Dot         26112.900   0.02056     0.02199     0.02070     \n";
    assert_eq!(detect(text), [Tool::BabelStream]);
    let babel = parse(Tool::BabelStream, text).unwrap();
    assert_eq!(names(&babel), ["Copy", "Triad", "Dot"]);
    let got: Vec<_> = (babel.figures.iter())
        .map(|figure| match &figure.value {
            Value::Bandwidth(it) => (
                it.gb_per_s,
                it.counted,
                it.n_threads,
                it.block_bytes,
                it.n_samples,
            ),
            other => panic!("{other:?}"),
        })
        .collect();
    let bytes = Some(268_400_000);
    assert_eq!(
        got[0],
        (25.120_301, Counted::ReadPlusWrite, None, bytes, Some(99))
    );
    assert_eq!(got[2], (26.1129, Counted::Read, None, bytes, Some(99)));
    let gpu = text.replace("OpenMP", "CUDA");
    assert!(
        parse(Tool::BabelStream, &gpu)
            .unwrap_err()
            .to_string()
            .contains("graphics processor")
    );
}
