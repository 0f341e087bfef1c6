//! No text ends the program: arbitrary ones and mutated real ones are figures or an error.

use bench_run_dir::readers::{Tool, Value, detect, parse};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const REAL: [&str; 9] = [
    include_str!("data/llama-bench.json"),
    include_str!("data/llama-bench.jsonl"),
    include_str!("data/llama-bench.csv"),
    include_str!("data/stream-1-thread.txt"),
    include_str!("data/stream-2-threads.txt"),
    include_str!("data/mbw-all-tests.txt"),
    include_str!("data/mbw-quiet.txt"),
    include_str!("data/tinymembench.txt"),
    include_str!("data/sysbench-read.txt"),
];

const PIECES: [&str; 16] = [
    "nan",
    "-1",
    "inf",
    "1e999",
    "\"",
    "[",
    "{",
    "}",
    "\n",
    ",",
    ":",
    "MB/s",
    "\0",
    "\u{202e}",
    "99999999999999999999",
    "é",
];

/// Whatever comes out is finite.
fn check(text: &str) {
    let _ = detect(text);
    for tool in Tool::ALL {
        let Ok(imported) = parse(tool, text) else {
            continue;
        };
        for figure in &imported.figures {
            let value = match &figure.value {
                Value::Bandwidth(it) => it.gb_per_s,
                Value::Latency(it) => it.ns,
                Value::Tokens(it) => it.tokens_per_s,
            };
            assert!(value.is_finite() && value >= 0.0, "{figure:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn arbitrary_lines_of_known_words_never_panic(
        words in prop::collection::vec(select(&[
            "STREAM version", "Function  MB/s\n", "Copy: ", "Triad:", "1.0 ", "\n", "0\tMethod: ", "MEMCPY ", "Elapsed: 1 MiB: 2 Copy: 3 MiB/s\n",
            "| test | t/s | model |\n", "|---|---|---|\n", "| tg1 ", "| 1 ± 2 ", "| ", "Number of Threads", " = 3\n", "BabelStream\n",
            "Function    MBytes/sec\n", "Copy 1 2 3 4\n", "operation: read\n", "1 MiB transferred (2 MiB/sec)\n",
            "tinymembench v0", " C copy : 5 MB/s (1%)\n", "block size :\n", " 1024 : 0.1 ns / 2 ns ", "Executing benchmark on cpu", "Executing ramlat on ",
            ", results in ns:\n", "size: 1x32 2x32\n", "4k: 1 2\n", "n_prompt,n_gen,avg_ts\n", "\"1\",\"2\",\"3\"\n", "[\n{\"n_prompt\": 1", "}", "é",
        ][..]), 0..40),
    ) {
        check(&words.concat());
    }

    #[test]
    fn mutated_real_outputs_never_panic(
        file in select(&REAL[..]),
        edits in prop::collection::vec((any::<Index>(), 0usize..40, select(&PIECES[..])), 1..6),
    ) {
        let mut bytes = file.as_bytes().to_vec();
        for (at, n_removed, piece) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + n_removed).min(bytes.len());
            bytes.splice(at..end, piece.bytes());
        }
        check(&String::from_utf8_lossy(&bytes));
    }
}
