//! Checks that look at several values together: they run on what is there, whatever else is missing or wrong.

mod files;

use std::fs;

use bench_inventory::load;
use files::{board, model, suite};

/// Titles of everything that is wrong with one file, in the order they are printed.
fn check_titles(name: &str, text: String, expect: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder can be written and read");
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().expect("a data file lies in a folder"))
        .expect("a temporary folder can be written and read");
    fs::write(folder.path().join("fleet.yaml"), "hosts: {}\n")
        .expect("a temporary folder can be written and read");
    fs::write(&path, text).expect("a temporary folder can be written and read");
    let diagnostics = match load(folder.path(), None) {
        Ok(_) => Vec::new(),
        Err(error) => error.diagnostics,
    };
    let titles: Vec<&str> = (diagnostics.iter())
        .map(|diagnostic| diagnostic.title.as_str())
        .collect();
    assert_eq!(titles, expect);
}

#[test]
fn missing_keys_do_not_hide_a_clock_that_disagrees() {
    let disagreeing = board().replace(
        "mt-per-s: 4224",
        "mt-per-s: 5600\n    clock-mhz: 100\n    transfers-per-clock: 2",
    );
    let disagreement = "`mt-per-s` is 5600, but `clock-mhz` x `transfers-per-clock` is 200";
    for (line, title) in [
        (
            "    source: boot log\n",
            "`memories[0]` states numbers without a source",
        ),
        (
            "    bus-bits: 64\n",
            "`memories[0]` lacks the key `bus-bits`",
        ),
        (
            "    capacities: {gib: [4, 8], source: vendor page}\n",
            "`memories[0]` lacks the key `capacities`",
        ),
        (
            "    processors: [cpu]\n",
            "`memories[0]` lacks the key `processors`",
        ),
    ] {
        let text = disagreeing.replace(line, "");
        check_titles("boards/rock.yaml", text, &[title, disagreement]);
    }
    let text = disagreeing.replace("soc: RK3588\n", "");
    check_titles(
        "boards/rock.yaml",
        text,
        &["the file lacks the key `soc`", disagreement],
    );
}

#[test]
fn missing_source_does_not_hide_a_lonely_clock() {
    let text = board()
        .replace("    source: boot log\n", "")
        .replace("4224", "5600\n    clock-mhz: 100");
    check_titles(
        "boards/rock.yaml",
        text,
        &[
            "`memories[0]` states numbers without a source",
            "`clock-mhz` is given without `transfers-per-clock`",
        ],
    );
}

#[test]
fn a_host_lacking_a_transport_still_has_its_memory_checked() {
    let memory = "kind: DDR5, mt-per-s: 5600, clock-mhz: 100, transfers-per-clock: 2, bus-bits: 60, capacities: {gib: [8, 4], source: label}, processors: [cpu]";
    check_titles(
        "fleet.yaml",
        format!("hosts:\n  desk:\n    port: 22\n    memory: {{{memory}}}\n"),
        &[
            "`hosts.desk` lacks the key `transport`",
            "`hosts.desk.memory` states numbers without a source",
            "`hosts.desk.memory` lacks the key `name`",
            "`mt-per-s` is 5600, but `clock-mhz` x `transfers-per-clock` is 200",
            "a memory bus of 60 bits is impossible",
            "capacities are not in rising order",
        ],
    );
}

#[test]
fn a_suite_lacking_a_key_still_has_its_samples_compared() {
    let text = suite()
        .replace("description: one unit\n", "")
        .replace("min-samples: 5", "min-samples: 50")
        .replace("    deadline-s: 60\n", "")
        .replace("decode-model: qwen", "decode-model: qwem");
    check_titles(
        "suites/s.yaml",
        text,
        &[
            "the file lacks the key `description`",
            "unknown model `qwem`",
            "`units[0]` lacks the key `deadline-s`",
            "unknown model `qwen`",
            "at least 50 samples cannot be taken when at most 30 are allowed",
        ],
    );
}

#[test]
fn a_model_lacking_a_key_still_has_its_heads_compared() {
    let text = model()
        .replace("layers: 24\n", "")
        .replace("kv-heads: 2", "kv-heads: 5");
    check_titles(
        "models/qwen.yaml",
        text,
        &[
            "the file lacks the key `layers`",
            "14 query heads cannot share 5 key and value heads",
        ],
    );
}

#[test]
fn what_is_wrong_is_not_called_missing_too() {
    for (from, to, title) in [
        (
            "mt-per-s: 4224",
            "mt-per-s: fast",
            "`memories[0].mt-per-s` must be a number",
        ),
        (
            "mt-per-s: 4224",
            "mt-per-ss: 4224",
            "unknown key `mt-per-ss` in `memories[0]`",
        ),
        (
            "name: system",
            "name: sytem",
            "`sytem` is no value for `memories[0].name`",
        ),
        (
            "gib: [4, 8]",
            "gib: [4, eight]",
            "`memories[0].capacities.gib[1]` must be a number",
        ),
        (
            "capacities: {gib: [4, 8], source: vendor page}",
            "capacities: 8\n    usable: {gb: 7, source: free}",
            "`memories[0].capacities` must be a map of keys and values",
        ),
    ] {
        check_titles("boards/rock.yaml", board().replace(from, to), &[title]);
    }
    check_titles(
        "suites/s.yaml",
        suite()
            .replace("decode: {", "decode: [")
            .replace("[0]}", "[0]]")
            .replace("model: qwen, ", "")
            .replace("quant: q4_0, depths: [0]", "1")
            .replace("decode-model: qwen", "decode-model: 5"),
        &[
            "`emulated.decode-model` must be text",
            "`units[0].decode` must be a map of keys and values",
        ],
    );
    check_titles(
        "fleet.yaml",
        "hosts:\n  desk: {transport: ssh, ssh: 5}\n  shelf: {transport: qemu-user, arch: arm}\n  sill: local\n"
            .to_owned(),
        &[
            "`hosts.desk.ssh` must be text",
            "`arm` is no value for `hosts.shelf.arch`",
            "`hosts.sill` must be a map of keys and values",
        ],
    );
}
