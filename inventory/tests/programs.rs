//! External programs in a suite.

use bench_inventory::{FileKind, OutputFormat, Suite, SuiteWork, load_text};

const HEAD: &str = "\
description: programs
emulated:
  working-set-kib: 1024
  decode-model: m
  sampling: {min-samples: 1, max-samples: 1, budget-ms: 1}
units:
";

const GOOD: &str = "  - kernel: external
    threads: [1, all]
    external:
      program: llama-bench
      args: [-m, /data/model.gguf, -t, \"{threads}\", -n, 128, -o, json]
      output: llama-bench
      environment: {OMP_NUM_THREADS: \"{threads}\", GOMP_CPU_AFFINITY: \"{cpus}\"}
    deadline-s: 600
";

fn load(units: &str) -> Result<Suite, Vec<(usize, String)>> {
    let text = format!("{HEAD}{units}");
    match load_text(FileKind::Suite, "s", &text) {
        Ok(mut inventory) => Ok(inventory
            .suites
            .remove("s")
            .unwrap_or_else(|| unreachable!())),
        Err(error) => Err(error
            .diagnostics
            .into_iter()
            .map(|it| (it.line, it.title))
            .collect()),
    }
}

#[test]
fn a_program_needs_no_sampling_and_has_a_name() {
    let suite = load(GOOD).unwrap_or_else(|titles| panic!("{titles:?}"));
    let [unit] = suite.units.as_slice() else {
        panic!("{:?}", suite.units);
    };
    let SuiteWork::External(program) = &unit.work else {
        panic!("{:?}", unit.work);
    };
    assert_eq!(program.label, "llama-bench");
    assert_eq!(program.format, OutputFormat::LlamaBench);
    assert!(!program.on_emulated_hosts);
    // All that is known of its time.
    assert_eq!(unit.sampling.budget_ms, 600_000);
    let asked = program.for_cpus(&[0, 1, 4]);
    assert_eq!(asked.args[2..], ["-t", "3", "-n", "128", "-o", "json"]);
    assert_eq!(asked.environment["GOMP_CPU_AFFINITY"], "0-1,4");
    let path = GOOD.replace("program: llama-bench", "program: /opt/my tools/tg+");
    let suite = load(&path).unwrap_or_else(|titles| panic!("{titles:?}"));
    assert!(matches!(&suite.units[0].work, SuiteWork::External(it) if it.label == "tg-"));
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (from, to, line, title) in [
        (
            "\"{threads}\", -n",
            "\"{thread}\", -n",
            11,
            "unknown placeholder `{thread}`",
        ),
        (
            "\"{cpus}\"",
            "\"{CPUS}\"",
            13,
            "unknown placeholder `{CPUS}`",
        ),
        (
            "program: llama-bench",
            "program: ./llama-bench",
            10,
            "`./llama-bench` is neither a name nor an absolute path",
        ),
        (
            "OMP_NUM_THREADS:",
            "\"OMP=1\":",
            13,
            "`OMP=1` is no name of a variable",
        ),
        (
            "OMP_NUM_THREADS:",
            "MEMWALL_UNIT:",
            13,
            "`MEMWALL_UNIT` is no name of a variable",
        ),
        (
            "threads: [1, all]",
            "threads: [1, best]",
            8,
            "memwall has no rate by which to choose CPUs for an external program",
        ),
        (
            "    deadline-s: 600",
            "    sampling: {min-samples: 1, max-samples: 1, budget-ms: 1}\n    deadline-s: 600",
            14,
            "an external program is run once and decides itself how long it measures",
        ),
        (
            "    deadline-s: 600",
            "    background-percent: [50]\n    deadline-s: 600",
            14,
            "nothing is read beside an external program",
        ),
        (
            "kernel: external",
            "kernel: read",
            7,
            "kernel `read` and the work of this unit do not fit",
        ),
        (
            "      output: llama-bench",
            "      output: llama-bench\n      label: a/b",
            13,
            "`a/b` is no part of a unit's name",
        ),
        (
            "/data/model.gguf",
            "\"a\\0b\"",
            11,
            "the text holds a zero byte",
        ),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let titles = load(&GOOD.replace(from, to)).err().unwrap_or_default();
        assert_eq!(titles, [(line, title.to_owned())], "{to}");
    }
    let unknown = load(&GOOD.replace("output: llama-bench", "output: llama"));
    assert!(unknown.is_err());
}

#[test]
fn two_programs_of_one_name_need_labels() {
    let twice = format!("{GOOD}{GOOD}");
    let titles = load(&twice).err().unwrap_or_default();
    assert_eq!(titles.len(), 1, "{titles:?}");
    assert_eq!(
        titles[0].1,
        "two units run an external program as `llama-bench`"
    );
    let labelled = GOOD.replace("output:", "label: tg128\n      output:");
    assert!(load(&format!("{GOOD}{labelled}")).is_ok());
}

#[test]
fn a_kernel_still_needs_its_sampling() {
    let unit =
        "  - kernel: read\n    threads: [1]\n    stream: {residency: dram}\n    deadline-s: 5\n";
    let titles = load(unit).err().unwrap_or_default();
    assert_eq!(
        titles,
        [(7, "`units[0]` lacks the key `sampling`".to_owned())]
    );
}
