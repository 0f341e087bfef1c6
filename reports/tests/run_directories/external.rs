//! External programs in streams: their output is put together, and judged by what the board did meanwhile.

use bench_analysis::measured::{self, UnitKind};
use bench_analysis::validity::verdict::Verdict;
use bench_protocol::{
    External, Job, Message, Note, Output, OutputPart, PROTOCOL_VERSION, RunRequest, Sampling,
    UnitEnd, UnitSpec, UnitState, UnitStatus,
};
use bench_run_dir::{HostData, HostFiles, RunData, RunManifest, read_host_files};

const UNIT: &str = "external/tool/t2";

fn part(part_idx: u32, text: &str) -> Message {
    Message::OutputPart(OutputPart {
        unit: UNIT.into(),
        part_idx,
        text: text.into(),
    })
}

fn ended(exit_code: i32, n_parts: u32) -> Message {
    Message::Output(Output {
        unit: UNIT.into(),
        program: "/usr/bin/tool".into(),
        format: "text".into(),
        cpus: vec![0, 1],
        exit_code: Some(exit_code),
        n_parts,
        is_whole: true,
        ..Output::default()
    })
}

fn state(throttle_events: u64) -> Message {
    Message::UnitState(UnitState {
        unit: UNIT.into(),
        elapsed_ms: 100,
        throttle_events: Some(throttle_events),
        ..UnitState::default()
    })
}

fn end(status: UnitStatus, reason: Option<&str>) -> Message {
    Message::UnitEnd(UnitEnd {
        unit: UNIT.into(),
        round: 0,
        status,
        reason: reason.map(str::to_owned),
        unrest: None,
    })
}

fn read(messages: &[Message]) -> RunData {
    let request = RunRequest {
        protocol: PROTOCOL_VERSION,
        units: vec![UnitSpec {
            unit: UNIT.into(),
            round: 0,
            kernel: "external".into(),
            variant: None,
            shape: None,
            cpus: vec![0, 1],
            candidates: Vec::new(),
            job: Job::External(External {
                program: "tool".into(),
                format: "text".into(),
                ..External::default()
            }),
            background: None,
            environment: Default::default(),
            sampling: Sampling {
                min_samples: 1,
                max_samples: 1,
                budget_ms: 1000,
                precision_ppm: 0,
                sample_ms: 0,
                with_state: false,
            },
            deadline_ms: 1000,
        }],
        ..RunRequest::default()
    };
    let line =
        |message: &Message| serde_json::to_string(message).expect("messages are plain data") + "\n";
    let files = HostFiles {
        request: Some(serde_json::to_vec(&request).expect("requests are plain data")),
        stream: Some(messages.iter().map(line).collect::<String>().into_bytes()),
        ..HostFiles::default()
    };
    let manifest = RunManifest::default();
    let host = read_host_files("shelf", &files, &manifest);
    RunData {
        manifest,
        hosts: vec![host],
        ..RunData::default()
    }
}

fn host(run: &RunData) -> &HostData {
    &run.hosts[0]
}

fn verdict(run: &RunData) -> (Verdict, String) {
    let analysis = measured::analyse(run);
    let unit = &analysis.hosts[0].units[0];
    assert_eq!(unit.kind, UnitKind::External);
    assert_eq!(
        (unit.gb_per_s, unit.tokens_per_s, unit.gop_per_s),
        (None, None, None)
    );
    (
        unit.verdict,
        unit.reason
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
    )
}

#[test]
fn an_output_is_all_its_parts() {
    let good = [
        part(0, "a\n"),
        part(1, "b\n"),
        ended(0, 2),
        state(0),
        end(UnitStatus::Ok, None),
    ];
    let run = read(&good);
    let output = host(&run).units[0].output.as_ref().unwrap();
    assert_eq!(
        (output.stdout.as_str(), output.is_complete()),
        ("a\nb\n", true)
    );
    assert_eq!(host(&run).problems, [""; 0]);
    assert_eq!(verdict(&run), (Verdict::Ok, String::new()));
}

#[test]
fn the_gates_see_programs_as_any_unit() {
    let hot = [
        part(0, "a"),
        ended(0, 1),
        state(3),
        end(UnitStatus::Ok, None),
    ];
    let (verdict, reason) = verdict(&read(&hot));
    assert_eq!(verdict, Verdict::Invalid);
    assert!(reason.contains("the board was throttled"), "{reason}");
}

#[test]
fn a_program_that_failed_is_not_measured_and_its_output_is_kept() {
    let failed = [
        part(0, "a"),
        ended(3, 1),
        end(UnitStatus::Failed, Some("ended with status 3")),
    ];
    let run = read(&failed);
    assert_eq!(host(&run).units[0].output.as_ref().unwrap().stdout, "a");
    assert_eq!(
        verdict(&run),
        (Verdict::NotMeasured, "ended with status 3".into())
    );
    let never = read(&[end(UnitStatus::Skipped, Some("there is no program"))]);
    assert_eq!(host(&never).units[0].output, None);
    assert_eq!(
        verdict(&never),
        (Verdict::NotMeasured, "there is no program".into())
    );
}

#[test]
fn a_lost_part_is_told_and_makes_the_output_useless() {
    let run = read(&[
        part(0, "a"),
        part(2, "c"),
        ended(0, 3),
        end(UnitStatus::Ok, None),
    ]);
    assert!(!host(&run).units[0].output.as_ref().unwrap().is_complete());
    assert_eq!(host(&run).problems.len(), 1);
    assert!(host(&run).problems[0].contains("1 of 3 parts are missing"));
    assert_eq!(verdict(&run).0, Verdict::NotMeasured);
}

#[test]
fn a_second_start_replaces_the_first() {
    let cut = [part(0, "old"), part(1, "old")];
    let note = [Message::Note(Note {
        text: "lost".into(),
    })];
    let again = [part(0, "new"), ended(0, 1), end(UnitStatus::Ok, None)];
    let run = read(&[&cut[..], &note[..], &again[..]].concat());
    let output = host(&run).units[0].output.as_ref().unwrap();
    assert_eq!(
        (output.stdout.as_str(), output.is_complete()),
        ("new", true)
    );
    // Cut off for good: what arrived is there, and nothing is made of it.
    let run = read(&cut);
    assert_eq!(
        host(&run).units[0].output.as_ref().unwrap().stdout,
        "oldold"
    );
    assert_eq!(verdict(&run).0, Verdict::NotMeasured);
}
