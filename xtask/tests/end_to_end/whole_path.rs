//! The main job: local machine, an SSH host and an emulated aarch64 host side by side, and their report in a browser.

use std::fs;

use crate::browser::Browser;
use crate::controller::{self, Outcome};
use crate::sshd::{Oddity, Sshd};

const LOCAL_AND_EMULATED: &str = "  this-machine:\n    transport: local\n  emulated:\n    transport: qemu-user\n    \
                                  arch: aarch64\n    cpu: max\n";

/// The board of the catalogue with the fastest memory that a CPU uses: the machine that runs the test should stay below
/// its theory, or all its data would be invalid.
const BOARD: &str = "jetson-orin-nano-super";

fn all_measured(outcome: &Outcome, host: &str) {
    let host = outcome.host(host);
    assert_eq!(host["status"], "ok", "{host}");
    assert_eq!(host["units_failed"], 0, "{host}");
    assert!(host["units_ok"].as_u64().unwrap() >= 8, "{host}");
}

#[test]
fn measures_all_hosts_and_reports_them() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::None);
    let noisy = Sshd::start(dir.path(), "noisy", Oddity::NoisyLogin);
    let fleet = format!(
        "{LOCAL_AND_EMULATED}{}{}",
        board.fleet_entry("board", Some(BOARD)),
        noisy.fleet_entry("noisy", None)
    );
    let outcome = controller::run(dir.path(), &fleet, &["--suite", "smoke"]);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    for host in ["this-machine", "emulated", "board", "noisy"] {
        all_measured(&outcome, host);
    }
    // The output of a login comes before the answer and is not part of it.
    assert!(
        outcome
            .read("hosts/noisy/stream.jsonl")
            .starts_with(r#"{"type":"hello""#)
    );
    assert_eq!(outcome.host("board")["board"], BOARD);
    for file in ["frames/samples.parquet", "frames/units.parquet"] {
        assert!(
            fs::read(outcome.run_dir().join(file))
                .unwrap()
                .starts_with(b"PAR1"),
            "{file} is Parquet"
        );
    }
    renders_again_from_the_run_directory_alone(&outcome, dir.path());
    second_upload_is_skipped(&board, dir.path(), &fleet);
    opens_in_a_browser(&outcome);
    assert!(board.programs().is_empty(), "no process is left behind");
}

fn renders_again_from_the_run_directory_alone(outcome: &Outcome, dir: &std::path::Path) {
    let moved = dir.join("elsewhere").join("run");
    fs::create_dir_all(moved.parent().unwrap()).unwrap();
    let status = std::process::Command::new("cp")
        .arg("-r")
        .arg(outcome.run_dir())
        .arg(&moved)
        .status()
        .unwrap();
    assert!(status.success());
    for derived in ["frames", "html"] {
        fs::remove_dir_all(moved.join(derived)).unwrap();
    }
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("report")
        .arg(&moved)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let again = fs::read_to_string(moved.join("html/index.html")).unwrap();
    assert!(
        again == outcome.read("html/index.html"),
        "the same run directory gives the same bytes"
    );
}

fn second_upload_is_skipped(board: &Sshd, dir: &std::path::Path, fleet: &str) {
    let store = || {
        let cache = board.home().join(".cache");
        let folder = fs::read_dir(cache)
            .unwrap()
            .flatten()
            .next()
            .unwrap()
            .path();
        let file = fs::read_dir(folder).unwrap().flatten().next().unwrap();
        let metadata = file.metadata().unwrap();
        // Another upload would be another file; the time only says when it was last used.
        (
            file.file_name(),
            std::os::unix::fs::MetadataExt::ino(&metadata),
        )
    };
    let before = store();
    let outcome = controller::run(dir, fleet, &["--suite", "smoke", "--kernel", "read"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(
        store(),
        before,
        "the program on the board is the one from the first run"
    );
}

fn opens_in_a_browser(outcome: &Outcome) {
    let html = outcome.run_dir().join("html");
    let mut browser = Browser::start();
    let host_page = html.join("hosts").join("board.html");
    for page in [html.join("index.html"), host_page] {
        for (width, dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
            let look = browser.open(&page, width, dark);
            let place = format!("{} at {width} px", page.display());
            assert!(look.console.is_empty(), "{place}: {:?}", look.console);
            assert!(
                look.foreign_requests.is_empty(),
                "{place}: {:?}",
                look.foreign_requests
            );
            assert!(
                look.n_charts > 0 && look.n_visible_charts == look.n_charts,
                "{place}: charts {look:?}"
            );
            assert!(
                look.scroll_width <= width,
                "{place}: scrolls sideways to {} px",
                look.scroll_width
            );
            assert!(look.text.contains("board"), "{place}: no text");
        }
    }
}
