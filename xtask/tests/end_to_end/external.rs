//! External programs as units, on this machine and over SSH: what they write arrives whole, and none of them outlives
//! its unit.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bench_analysis::measured::{self, UnitKind};
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::{self, ExternalOutput, UnitData};

use crate::board::signal;
use crate::controller::{self, Outcome};
use crate::sshd::{Oddity, Sshd, wait_for};

const HERE: &str = "  here:\n    transport: local\n";

/// A suite with one unit for each of these `external:` parts. Only what never ends gets a deadline that it meets.
fn suite(dir: &Path, units: &[&str]) -> PathBuf {
    let head = "description: external programs\nemulated:\n  working-set-kib: 1024\n  decode-model: qwen2.5-0.5b\n  \
                sampling: {min-samples: 1, max-samples: 1, budget-ms: 1}\nunits:\n";
    let units = units.iter().map(|unit| {
        let deadline_s = if unit.contains("/hangs,") { 4 } else { 600 };
        format!("  - kernel: external\n    threads: [1]\n    deadline-s: {deadline_s}\n    external: {unit}\n")
    });
    let path = dir.join("programs.yaml");
    fs::write(&path, head.to_owned() + &units.collect::<String>()).unwrap();
    path
}

/// A program of the test.
fn script(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// How many processes have this word among their arguments.
fn n_running(word: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines
        .filter(|line| {
            line.split(|byte| *byte == 0)
                .any(|it| it == word.as_bytes())
        })
        .count()
}

/// A time to sleep that no other process sleeps.
fn odd_seconds(number: u32) -> String {
    format!("{}.{number}", 1_000_000 + std::process::id())
}

fn unit<'a>(units: &'a [UnitData], label: &str) -> &'a UnitData {
    let name = format!("external/{label}/t1");
    units.iter().find(|unit| unit.unit == name).unwrap()
}

fn output(unit: &UnitData) -> &ExternalOutput {
    let missing = || panic!("no output of `{}`: {:?}", unit.unit, unit.rounds[&0].end);
    unit.output.as_ref().unwrap_or_else(missing)
}

fn reason(unit: &UnitData) -> &str {
    let end = unit.rounds[&0].end.as_ref().unwrap();
    end.reason.as_deref().unwrap_or_default()
}

#[test]
fn what_programs_write_arrives_and_how_they_end_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let good = script(
        dir,
        "good",
        r#"printf '%s|' "$@"; echo "$WIDTH on $(grep Cpus_allowed_list /proc/self/status | cut -f2)"
           [ -t 0 ] || cat; yes 'a line of “output”' | head -n 20000; echo warning >&2"#,
    );
    let bad = script(
        dir,
        "bad",
        "echo partial; echo first >&2; echo 'no such model' >&2; exit 3",
    );
    let (left, hung) = (odd_seconds(1), odd_seconds(2));
    // What is left holds the output open, in a session of its own.
    let leaves = script(
        dir,
        "leaves",
        &format!("echo done; setsid sleep {left} & exit 0"),
    );
    let hangs = script(
        dir,
        "hangs",
        &format!("echo began; sleep {hung} & setsid sh -c 'sleep {hung}; :' & sleep {hung}"),
    );
    let units = [
        format!(
            "{{program: {good}, args: [-t, '{{threads}}', '{{cpus}}', '{{cpu-mask}}', \"it's $HOME\", '{{{{x}}', 7], output: text, environment: {{WIDTH: '{{threads}}'}}}}"
        ),
        "{program: no-such-program, output: stream}".to_owned(),
        format!("{{program: {bad}, output: llama-bench}}"),
        "{program: 'yes', output: text}".to_owned(),
        format!("{{program: {leaves}, output: text}}"),
        format!("{{program: {hangs}, output: text}}"),
    ];
    let suite = suite(dir, &units.each_ref().map(String::as_str));
    let board = Sshd::start(dir, "board", Oddity::None);
    let fleet = format!("{HERE}{}", board.fleet_entry("board", None));
    let outcome = controller::run(dir, &fleet, &["--suite", suite.to_str().unwrap()]);
    assert_eq!(outcome.code, 5, "{}\n{}", outcome.stderr, outcome.document);
    assert_eq!(
        n_running(&left) + n_running(&hung),
        0,
        "nothing outlives its unit"
    );
    for host in ["here", "board"] {
        let counts = outcome.host(host);
        assert_eq!(counts["status"], "ok", "{counts}");
        let counts = ["units_ok", "units_failed", "units_skipped"].map(|key| &counts[key]);
        assert_eq!(counts, [2, 3, 1], "{host}");
        check_host(&outcome, host, &good);
    }
    assert!(board.programs().is_empty(), "no process is left behind");
}

fn check_host(outcome: &Outcome, host: &str, good: &str) {
    let run = bench_run_dir::read(&outcome.run_dir()).unwrap();
    let data = run.hosts.iter().find(|it| it.record.host == host).unwrap();
    assert_eq!(data.problems, [""; 0], "{host}");
    assert_eq!(data.n_garbage_lines, 0, "{host}");
    let cpu = data.facts.as_ref().unwrap().cpus[0].cpu;

    let written = output(unit(&data.units, "good"));
    assert!(written.is_complete(), "{:?}", written.end);
    assert!(written.n_parts > 1, "long outputs come in parts");
    let mut lines = written.stdout.lines();
    let mask = format!("{:x}", 1u64 << cpu);
    let first = format!("-t|1|{cpu}|{mask}|it's $HOME|{{x}}|7|1 on {cpu}");
    assert_eq!(lines.next(), Some(first.as_str()), "{host}");
    assert_eq!(lines.clone().count(), 20_000);
    assert!(lines.all(|line| line == "a line of “output”"));
    let end = written.end.as_ref().unwrap();
    assert_eq!((end.program.as_str(), end.exit_code), (good, Some(0)));
    assert_eq!(
        (end.format.as_str(), end.cpus.as_slice()),
        ("text", &[cpu][..])
    );
    assert_eq!(end.stderr_tail, ["warning"]);
    let sha256 = bench_run_dir::files::sha256(&fs::read(good).unwrap());
    assert_eq!(end.sha256.as_ref(), Some(&sha256));
    assert!(
        unit(&data.units, "good").rounds[&0].state.is_some(),
        "the gates saw it"
    );

    let missing = unit(&data.units, "no-such-program");
    assert_eq!(missing.output, None);
    assert!(reason(missing).contains("install it, or name it by its absolute path"));
    let bad = unit(&data.units, "bad");
    assert!(reason(bad).ends_with("ended with status 3; it said: first / no such model"));
    assert_eq!(output(bad).stdout, "partial\n");
    assert!(!output(bad).is_complete());
    let flood = unit(&data.units, "yes");
    assert!(
        reason(flood).contains("wrote more than 4 MiB"),
        "{}",
        reason(flood)
    );
    assert_eq!(output(flood).stdout.len(), 4 << 20);
    assert!(!output(flood).is_complete());
    let leaves = output(unit(&data.units, "leaves"));
    assert_eq!(
        (leaves.stdout.as_str(), leaves.is_complete()),
        ("done\n", true)
    );
    let hangs = unit(&data.units, "hangs");
    assert!(
        reason(hangs).contains("took longer than 3 s and was ended"),
        "{}",
        reason(hangs)
    );
    assert_eq!(
        output(hangs).stdout,
        "began\n",
        "what it wrote until then is kept"
    );

    let analysis = measured::analyse(&run);
    let host = analysis.hosts.iter().find(|it| it.name() == host).unwrap();
    for row in &host.units {
        assert_eq!(row.kind, UnitKind::External, "{}", row.unit);
        assert_eq!((row.gb_per_s, row.efficiency), (None, None), "{}", row.unit);
        let is_measured = row.verdict != Verdict::NotMeasured;
        let expect = ["external/good/t1", "external/leaves/t1"].contains(&row.unit.as_str());
        assert_eq!(is_measured, expect, "{}: {:?}", row.unit, row.reason);
    }
}

#[test]
fn a_killed_supervisor_takes_the_program_and_its_children_along() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let seconds = odd_seconds(3);
    // The first start hangs; the second one ends well.
    let program = script(
        dir,
        "once",
        &format!(
            "[ -e {0} ] && {{ echo again; exit 0; }}\n: > {0}; echo first; sleep {seconds} & setsid sleep {seconds} & wait",
            dir.join("started").display()
        ),
    );
    let text = format!("{{program: {program}, output: text}}");
    let suite = suite(dir, &[&text]);
    let board = Sshd::start(dir, "board", Oddity::None);
    let fleet = board.fleet_entry("board", None);
    let child = controller::start(dir, &fleet, &["--suite", suite.to_str().unwrap()]);
    wait_for("both sleep", || n_running(&seconds) == 2);
    let mode = |id: u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let word = line.split(|byte| *byte == 0).nth(1).map(<[u8]>::to_vec);
        String::from_utf8(word.unwrap_or_default()).unwrap()
    };
    let mut supervisors = board.programs();
    supervisors.retain(|id| mode(*id) == "supervise");
    assert_eq!(supervisors.len(), 1);
    signal("-KILL", supervisors[0]);
    let outcome = controller::finish(dir, child);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    assert_eq!(n_running(&seconds), 0, "nothing outlives its supervisor");
    let run = bench_run_dir::read(&outcome.run_dir()).unwrap();
    let written = output(&run.hosts[0].units[0]);
    assert_eq!(
        (written.stdout.as_str(), written.is_complete()),
        ("again\n", true)
    );
}

#[test]
fn an_interrupted_run_ends_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let seconds = odd_seconds(4);
    let program = script(dir, "long", &format!("setsid sleep {seconds} & wait"));
    let text = format!("{{program: {program}, output: text}}");
    let suite = suite(dir, &[&text]);
    let child = controller::start(dir, HERE, &["--suite", suite.to_str().unwrap()]);
    wait_for("it sleeps", || n_running(&seconds) == 1);
    signal("-INT", child.id());
    let outcome = controller::finish(dir, child);
    assert_eq!(outcome.code, 130, "{}", outcome.stderr);
    wait_for("the program is gone", || n_running(&seconds) == 0);
}

#[test]
fn emulated_hosts_skip_programs_unless_the_suite_wants_them() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let suite = suite(
        dir,
        &[
            "{program: 'true', output: text}",
            "{program: 'true', output: text, label: wanted, on-emulated-hosts: true}",
        ],
    );
    let fleet = "  emulated:\n    transport: qemu-user\n    arch: aarch64\n    cpu: max\n";
    let outcome = controller::run(dir, fleet, &["--suite", suite.to_str().unwrap()]);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    let run = bench_run_dir::read(&outcome.run_dir()).unwrap();
    let units = &run.hosts[0].units;
    assert!(reason(unit(units, "true")).contains("`on-emulated-hosts: true` in the suite"));
    assert!(output(unit(units, "wanted")).is_complete());
    let analysis = measured::analyse(&run);
    let verdicts: Vec<Verdict> = analysis.hosts[0]
        .units
        .iter()
        .map(|it| it.verdict)
        .collect();
    assert_eq!(verdicts, [Verdict::NotMeasured, Verdict::Emulated]);
}

/// What a program of the suite printed stands beside our figures: read by its format, never mixed with them.
#[test]
fn results_of_programs_are_read_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let recorded =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/run-dir/tests/imports/data");
    let bench = script(
        dir,
        "bench",
        &format!("cat '{}'", recorded.join("llama-bench.json").display()),
    );
    let broken = script(dir, "broken", "echo 'no result at all'");
    let units = [
        format!("{{program: {bench}, output: llama-bench}}"),
        format!("{{program: {broken}, output: mbw}}"),
    ];
    let suite = suite(dir, &units.each_ref().map(String::as_str));
    let outcome = controller::run(dir, HERE, &["--suite", suite.to_str().unwrap()]);
    let run = bench_run_dir::read(&outcome.run_dir()).unwrap();
    assert_eq!(run.outputs.len(), 1);
    assert!(!run.outputs[0].imported.figures.is_empty());
    let problems = &run.hosts[0].problems;
    assert!(
        problems
            .iter()
            .any(|it| it.contains("`external/broken/t1`") && it.contains("mbw")),
        "{problems:?}"
    );
    let csv = fs::read_to_string(outcome.run_dir().join("html/data/imported.csv")).unwrap();
    let mut rows = csv.lines().skip(1).peekable();
    assert!(rows.peek().is_some());
    assert!(
        rows.all(|row| row.contains(",imported,external/bench/t1,ok,llama-bench,")),
        "{csv}"
    );
    let html = fs::read_to_string(outcome.run_dir().join("html/index.html")).unwrap();
    assert!(html.contains("with the same supervision as every unit"));
}
