//! Sessions with boards that send anything: each ends in time, with its cause, and only clean text reaches people.
//!
//! Time is paused: waits of hours take no time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bench_inventory::{Host, Inventory, Transport, load_catalogue};
use bench_protocol::RunRequest;
use bench_run_dir::{HostRecord, HostStatus, UnitCounts};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Machines, Prior, RunContext, measure};
use crate::artifact::{Artifact, target_of};
use crate::events::Events;
use crate::plan;
use crate::progress::Progress;
use crate::recorder::Recorder;
use crate::transport::End;
use crate::transport::acted::{Acted, Streams};

/// Terminal escapes, a line end, a command of GitHub's logs, a direction override.
const EVIL: &str =
    "\u{1b}]0;pwned\u{7}\u{1b}[2K\r\u{202e}rtl\n::error::injected\n##[error]x<script>";

/// The result of a session.
struct Outcome {
    record: HostRecord,
    counts: UnitCounts,
    /// Everything that a person or a program saw.
    said: String,
    stream: Vec<u8>,
    elapsed: Duration,
    request: Option<RunRequest>,
}

/// Measures a board of the smoke suite.
async fn session() -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    static INVENTORY: LazyLock<Inventory> = LazyLock::new(|| {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../inventory");
        load_catalogue(&root).unwrap_or_else(|error| panic!("{error}"))
    });
    let inventory = INVENTORY.clone();
    let target = target_of("x86_64").unwrap();
    let artifact = Artifact {
        target,
        path: dir.path().join("program"),
        sha256: "0".repeat(64),
        size_bytes: 1,
    };
    let context = RunContext {
        run_id: "run".into(),
        suite: inventory.suites["smoke"].clone(),
        variant: None,
        shape: None,
        inventory,
        compare_environment: false,
        patience: Duration::from_secs(60),
        artifacts: [(target.arch, artifact)].into(),
        budget: None,
        deploys: Semaphore::new(8),
        cancelled: CancellationToken::new(),
        machines: Machines::default(),
    };
    let host = Host {
        name: "board".into(),
        board: None,
        transport: Transport::Local,
        tags: Vec::new(),
        emulated: true,
        memory: None,
        prepare: Default::default(),
    };
    let events_file = dir.path().join("events");
    let events = Arc::new(Events::open(Some(&events_file)).unwrap());
    let shown = Arc::new(Mutex::new(Vec::new()));
    let progress = Progress::plain(Arc::clone(&events), shown.clone());
    let files = Recorder::reopen(dir.path().to_owned())
        .host(&host.name)
        .unwrap();
    let line = progress.host(&host.name);
    let started = Instant::now();
    let (record, counts) = measure(&context, &host, Prior::default(), files, &line).await;
    let elapsed = started.elapsed();
    events.host_finished(&record, &counts);
    let of_host = dir.path().join("hosts/board");
    let read = |name: &str| std::fs::read(of_host.join(name)).unwrap_or_default();
    let mut said = String::from_utf8(shown.lock().unwrap().clone()).unwrap();
    said += &std::fs::read_to_string(&events_file).unwrap();
    said += &String::from_utf8(read("host.json")).unwrap();
    Outcome {
        record,
        counts,
        said,
        stream: read("stream.jsonl"),
        elapsed,
        request: serde_json::from_slice(&read("request.json")).ok(),
    }
}

impl Outcome {
    /// No line that anybody saw does more than say something.
    fn expect_clean(&self) {
        for line in self.said.lines() {
            let evil = line.chars().find(|c| c.is_control() || *c == '\u{202e}');
            assert_eq!(evil, None, "{line:?}");
            let is_command = line.trim_start().starts_with("::") || line.contains("##[");
            assert!(!is_command, "{line:?}");
            assert!(line.len() < 40_000, "a line of {} bytes", line.len());
        }
    }

    fn expect_failed(&self, reason: &str) {
        let said = self.record.reason.as_deref().unwrap_or_default();
        assert_eq!(self.record.status, HostStatus::Failed, "{said}");
        assert!(said.contains(reason), "{said}");
    }
}

/// A board that tells its facts, and plays the rest. `supervise` comes with its request; every other mode is named.
fn board<F: Future<Output = End> + Send + 'static>(
    play: impl Fn(String, RunRequest, Streams) -> F + Clone + Send + Sync + 'static,
) {
    Acted::set(move |args, mut streams| {
        let play = play.clone();
        async move {
            let mut request = RunRequest::default();
            match args[0].as_str() {
                "facts" => {
                    say(&mut streams, &hello(0)).await;
                    say(&mut streams, &facts()).await;
                    return End::Status(0);
                }
                "supervise" => {
                    let line = first_line(&mut streams).await;
                    request = serde_json::from_slice(&line).unwrap();
                }
                _ => {}
            }
            play(args[0].clone(), request, streams).await
        }
    });
}

async fn first_line(streams: &mut Streams) -> Vec<u8> {
    let mut line = Vec::new();
    while let Ok(byte) = streams.input.read_u8().await
        && byte != b'\n'
    {
        line.push(byte);
    }
    line
}

async fn say(streams: &mut Streams, message: &Value) -> bool {
    let line = format!("{message}\n");
    streams.output.write_all(line.as_bytes()).await.is_ok()
}

fn hello(attempt: u32) -> Value {
    json!({"type": "hello", "protocol": bench_protocol::PROTOCOL_VERSION, "program": "p", "arch": "x86_64",
           "run_id": "run", "attempt": attempt})
}

fn facts() -> Value {
    let mut facts = serde_json::to_value(plan::assumed_facts(4)).unwrap();
    facts["type"] = "facts".into();
    facts
}

fn note(text: &str) -> Value {
    json!({"type": "note", "text": text})
}

fn end(unit: &str, status: &str, reason: Option<&str>) -> Value {
    json!({"type": "unit_end", "unit": unit, "status": status, "reason": reason})
}

fn sample(unit: &str) -> Value {
    json!({"type": "sample", "unit": unit, "sample_idx": 0, "elapsed_ns": 1000, "iterations": 1})
}

fn done(n_units: usize) -> Value {
    json!({"type": "done", "n_units": n_units, "n_samples": n_units})
}

#[tokio::test(start_paused = true)]
async fn an_honest_board_is_measured() {
    board(async |_, request, mut streams| {
        say(&mut streams, &hello(request.attempt)).await;
        for unit in &request.units {
            say(&mut streams, &sample(&unit.unit)).await;
            say(&mut streams, &end(&unit.unit, "ok", None)).await;
        }
        say(&mut streams, &done(request.units.len())).await;
        End::Status(0)
    });
    let outcome = session().await;
    assert_eq!(outcome.record.status, HostStatus::Ok, "{}", outcome.said);
    let n_units = outcome.request.as_ref().unwrap().units.len();
    assert_eq!(outcome.counts.n_ok as usize, n_units);
    outcome.expect_clean();
}

#[tokio::test(start_paused = true)]
async fn a_unit_without_a_sample_is_not_measured() {
    board(async |_, request, mut streams| {
        say(&mut streams, &hello(request.attempt)).await;
        for unit in &request.units {
            say(&mut streams, &end(&unit.unit, "ok", None)).await;
        }
        say(&mut streams, &done(request.units.len())).await;
        End::Status(0)
    });
    let outcome = session().await;
    assert_eq!(outcome.counts.n_ok, 0);
    assert!(outcome.counts.n_failed > 0 && outcome.said.contains("without one sample"));
}

/// A connection may end anywhere in a line: before, within and right before the end of it.
#[tokio::test(start_paused = true)]
async fn a_line_that_is_cut_off_runs_into_no_other() {
    for (n_kept, what) in [
        (0, "before"),
        (9, "within"),
        (usize::MAX, "before the end of"),
    ] {
        board(move |mode, request, mut streams| async move {
            if mode != "supervise" {
                return End::Status(0);
            }
            say(&mut streams, &hello(request.attempt)).await;
            for (i, unit) in request.units.iter().enumerate() {
                let line = sample(&unit.unit).to_string();
                if request.attempt == 1 && i == 1 {
                    let part = &line.as_bytes()[..n_kept.min(line.len())];
                    streams.output.write_all(part).await.unwrap();
                    return End::ConnectionLost;
                }
                say(&mut streams, &sample(&unit.unit)).await;
                say(&mut streams, &end(&unit.unit, "ok", None)).await;
            }
            say(&mut streams, &done(request.units.len())).await;
            End::Status(0)
        });
        let outcome = session().await;
        assert_eq!(outcome.record.status, HostStatus::Ok, "{}", outcome.said);
        assert_eq!(outcome.counts.n_failed, 0, "cut off {what} a line");
        let stream = String::from_utf8(outcome.stream).unwrap();
        for line in stream.lines() {
            let is_message = bench_protocol::parse_line(line).is_ok();
            assert!(is_message, "cut off {what} a line: {line}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_board_that_only_says_that_it_is_done_is_not_believed() {
    board(async |_, request, mut streams| {
        say(&mut streams, &hello(request.attempt)).await;
        say(&mut streams, &end("of its own", "ok", None)).await;
        say(&mut streams, &done(request.units.len())).await;
        End::Status(0)
    });
    session()
        .await
        .expect_failed("says that it is done, although");
}

#[tokio::test(start_paused = true)]
async fn nothing_a_board_says_reaches_a_terminal_as_it_is() {
    board(async |_, request, mut streams| {
        let first = &request.units[0].unit;
        let reason = format!("{EVIL}{}", "x".repeat(100_000));
        let environment = json!({"type": "environment", "action": "prepare", "setting": EVIL, "before": "a",
                                 "wanted": EVIL, "after": EVIL, "problem": EVIL});
        let ready = json!({"type": "unit_ready", "unit": first, "kernel": EVIL, "variant": EVIL, "cpus": [0],
            "working_set_bytes": 1, "residency": "dram", "work": {"read_bytes": 1, "written_bytes": 0, "ops": 0},
            "convention": "read_plus_write", "check": {"passed": true, "max_error": 0.0, "tolerance": 0.0},
            "huge_page_bytes": null, "model": null});
        let said = [
            hello(request.attempt),
            note(EVIL),
            note(&reason),
            environment,
            ready,
            end(first, "failed", Some(&reason)),
            // This unit is not in the request.
            end(EVIL, "failed", Some(EVIL)),
            json!({"type": "left", "text": EVIL}),
        ];
        for message in said {
            say(&mut streams, &message).await;
        }
        let _ = streams.errors.write_all(EVIL.as_bytes()).await;
        let _ = streams
            .output
            .write_all(b"::error::not a message\n\x1b[31m\n")
            .await;
        End::Status(1)
    });
    let outcome = session().await;
    outcome.expect_clean();
    assert_eq!(outcome.record.status, HostStatus::Failed);
    assert!(outcome.said.contains("injected"), "it is shown, but clean");
}

#[tokio::test(start_paused = true)]
async fn a_flood_ends_once_with_its_reason() {
    let n_requests = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&n_requests);
    board(move |_, request, mut streams| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move {
            say(&mut streams, &hello(request.attempt)).await;
            while say(&mut streams, &note(&"n".repeat(900))).await {}
            End::ConnectionLost
        }
    });
    let outcome = session().await;
    outcome.expect_failed("the board floods the controller");
    assert_eq!(n_requests.load(Ordering::Relaxed), 1);
    assert!(outcome.stream.len() < 64 << 20);
    assert!(
        outcome.said.lines().count() < 300,
        "notes are shown up to a number"
    );
}

#[tokio::test(start_paused = true)]
async fn an_endless_line_is_a_flood() {
    board(async |_, _, mut streams| {
        let chunk = vec![b'x'; 1 << 16];
        while streams.output.write_all(&chunk).await.is_ok() {}
        End::ConnectionLost
    });
    session()
        .await
        .expect_failed("the board floods the controller");
}

#[tokio::test(start_paused = true)]
async fn a_board_that_drips_is_given_up_at_its_deadline() {
    board(async |_, request, mut streams| {
        say(&mut streams, &hello(request.attempt)).await;
        while say(&mut streams, &note("still here")).await {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        End::ConnectionLost
    });
    let outcome = session().await;
    outcome.expect_failed("no end within");
    let request = outcome.request.unwrap();
    let limit = Duration::from_millis(request.deadline_ms + request.wait_ms);
    assert!(
        outcome.elapsed < limit + Duration::from_secs(120),
        "{:?}",
        outcome.elapsed
    );
}

#[tokio::test(start_paused = true)]
async fn a_collection_that_drips_or_hangs_is_given_up() {
    for drips in [true, false] {
        board(move |mode, request, mut streams| async move {
            match mode.as_str() {
                "supervise" => {
                    say(&mut streams, &hello(request.attempt)).await;
                    End::Status(1)
                }
                _ if drips => {
                    while say(&mut streams, &note(&"c".repeat(500))).await {
                        tokio::time::sleep(Duration::from_millis(500)).await;
                    }
                    End::ConnectionLost
                }
                _ => std::future::pending().await,
            }
        });
        let outcome = session().await;
        outcome.expect_failed("does not hand over what it kept");
        let request = outcome.request.unwrap();
        let limit = Duration::from_millis(request.deadline_ms + request.wait_ms);
        assert!(
            outcome.elapsed < limit + Duration::from_secs(300),
            "{:?}",
            outcome.elapsed
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_board_that_says_nothing_at_all_is_given_up() {
    board(async |_, _, streams| {
        let _open = streams;
        std::future::pending().await
    });
    session().await.expect_failed("no end within");
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_dies_every_time_is_started_five_times() {
    let n_requests = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&n_requests);
    board(move |mode, _, _| {
        let is_request = mode == "supervise";
        counter.fetch_add(u32::from(is_request), Ordering::Relaxed);
        async move { End::Status(if is_request { 1 } else { 0 }) }
    });
    session().await.expect_failed("it was the 5th time");
    assert_eq!(n_requests.load(Ordering::Relaxed), 5);
}

/// Sessions with arbitrary boards: `MEMWALL_FUZZ_INPUTS` of them.
#[tokio::test(start_paused = true)]
async fn every_board_comes_to_an_end() {
    let n_inputs = std::env::var("MEMWALL_FUZZ_INPUTS").ok();
    let n_inputs: u64 = n_inputs.map_or(30, |text| text.parse().unwrap());
    for seed in 0..n_inputs {
        board(move |mode, request, streams| arbitrary(seed, mode, request, streams));
        let outcome = session().await;
        let limit = outcome
            .request
            .as_ref()
            .map_or(0, |request| request.deadline_ms + request.wait_ms);
        let limit = Duration::from_millis(2 * limit) + Duration::from_secs(2400);
        assert!(
            outcome.elapsed < limit,
            "seed {seed}: {:?}",
            outcome.elapsed
        );
        assert!(outcome.stream.len() < 256 << 20, "seed {seed}");
        outcome.expect_clean();
    }
}

/// Says whatever comes, in any order, with any pause, and ends somehow or not at all.
async fn arbitrary(seed: u64, mode: String, request: RunRequest, mut streams: Streams) -> End {
    let mut rng =
        fastrand::Rng::with_seed(seed ^ mode.len() as u64 ^ u64::from(request.attempt) << 32);
    let names: Vec<String> = request.units.iter().map(|unit| unit.unit.clone()).collect();
    for _ in 0..rng.u32(0..300) {
        let unit = match names.get(rng.usize(0..names.len() + 2)) {
            Some(name) => name.as_str(),
            None => EVIL,
        };
        let text = if rng.bool() { EVIL } else { "text" };
        let action = ["prepare", "restore"][rng.usize(0..2)];
        let number = [0, 1, 1 << 31, u64::MAX][rng.usize(0..4)];
        let message = match rng.u32(0..11) {
            0 => hello(rng.u32(0..4)),
            1 => facts(),
            2 => note(text),
            3 => json!({"type": "left", "text": text}),
            4 => done(rng.usize(0..30)),
            5 => end(
                unit,
                ["ok", "failed", "skipped"][rng.usize(0..3)],
                Some(text),
            ),
            6 => {
                json!({"type": "sample", "unit": unit, "sample_idx": number as u32, "elapsed_ns": number, "iterations": number})
            }
            7 => {
                json!({"type": "output_part", "unit": unit, "part_idx": number as u32, "text": text})
            }
            8 => {
                json!({"type": "environment", "action": action, "setting": text,
                        "before": text, "wanted": text, "after": unit, "problem": text})
            }
            9 => json!({"type": text, "unit": number}),
            _ => json!([number, text]),
        };
        let mut line = format!("{message}\n").into_bytes();
        if rng.u32(0..8) == 0 {
            let at = rng.usize(0..line.len());
            line[at] = rng.u8(..);
        }
        if rng.u32(0..50) == 0 {
            tokio::time::sleep(Duration::from_secs(rng.u64(0..400))).await;
        }
        let to_people = rng.u32(0..20) == 0;
        let pipe = if to_people {
            &mut streams.errors
        } else {
            &mut streams.output
        };
        if pipe.write_all(&line).await.is_err() {
            break;
        }
    }
    match rng.u32(0..12) {
        0 => std::future::pending().await,
        1 => End::ConnectionLost,
        2 => End::Signal("signal 9".to_owned()),
        n => End::Status(n as i32 - 3),
    }
}
