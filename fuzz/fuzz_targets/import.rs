//! Any text as the output of a benchmark program: it is refused with a reason, or every figure in it is a number.

#![no_main]

use bench_run_dir::readers::{Tool, Value, detect, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let _ = detect(&text);
    for tool in Tool::ALL {
        let imported = match parse(tool, &text) {
            Ok(imported) => imported,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                continue;
            }
        };
        assert!(!imported.figures.is_empty());
        for figure in &imported.figures {
            let (number, is_possible) = match &figure.value {
                Value::Bandwidth(it) => (it.gb_per_s, it.gb_per_s > 0.0),
                // A load that hits the first cache takes nothing beyond one that does.
                Value::Latency(it) => (it.ns, it.ns >= 0.0),
                Value::Tokens(it) => (it.tokens_per_s, it.tokens_per_s > 0.0),
            };
            assert!(number.is_finite() && is_possible, "{figure:?}");
        }
    }
});
