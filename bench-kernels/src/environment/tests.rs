//! Changing and putting back, with files that stand for the kernel's.

use std::collections::BTreeMap;
use std::fs;

use super::journal::FILE;
use super::*;
use crate::fuzz;

struct Fixture {
    root: tempfile::TempDir,
    store: tempfile::TempDir,
}

impl Fixture {
    fn new(files: &[(&str, &str)]) -> Fixture {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Fixture {
            root,
            store: tempfile::tempdir().unwrap(),
        }
    }

    fn journal(&self) -> std::path::PathBuf {
        self.store.path().join(FILE)
    }

    fn board(&self) -> Board {
        Board::new(Store::open(self.store.path()).unwrap(), self.root.path())
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.root.path().join(path))
            .unwrap()
            .trim()
            .to_string()
    }

    fn prepare(&self, prepare: &Prepare) -> Vec<EnvironmentStep> {
        let mut steps = Vec::new();
        self.board().prepare(prepare, |step| steps.push(step));
        steps
    }

    fn restore(&self) -> Vec<EnvironmentStep> {
        let mut steps = Vec::new();
        self.board().restore(|step| steps.push(step));
        steps
    }
}

const GOVERNOR: &str = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
const DMC: &str = "sys/class/devfreq/dmc/governor";

fn performance() -> Prepare {
    Prepare {
        governor: Some("performance".into()),
        dram_governor: Some("performance".into()),
        ..Prepare::default()
    }
}

#[test]
fn governors_are_set_and_put_back() {
    let fixture = Fixture::new(&[(GOVERNOR, "ondemand\n"), (DMC, "dmc_ondemand\n")]);
    let steps = fixture.prepare(&performance());
    assert_eq!(steps.len(), 2);
    assert!(steps.iter().all(|step| step.problem.is_none()), "{steps:?}");
    assert_eq!(
        (fixture.text(GOVERNOR), fixture.text(DMC)),
        ("performance".into(), "performance".into())
    );
    assert!(fixture.board().is_changed());
    let steps = fixture.restore();
    assert!(steps.iter().all(|step| step.problem.is_none()), "{steps:?}");
    assert_eq!(
        (fixture.text(GOVERNOR), fixture.text(DMC)),
        ("ondemand".into(), "dmc_ondemand".into())
    );
    assert!(!fixture.board().is_changed());
}

#[test]
fn a_second_preparation_does_not_take_the_first_for_the_original() {
    let fixture = Fixture::new(&[(GOVERNOR, "ondemand\n"), (DMC, "dmc_ondemand\n")]);
    fixture.prepare(&performance());
    let other = Prepare {
        governor: Some("powersave".into()),
        ..Prepare::default()
    };
    fixture.prepare(&other);
    fixture.restore();
    assert_eq!(fixture.text(GOVERNOR), "ondemand");
}

#[test]
fn what_is_not_there_is_told_and_stops_nothing() {
    let fixture = Fixture::new(&[("proc/sys/vm/swappiness", "60\n")]);
    let settings = [
        ("/proc/sys/vm/swappiness", "10"),
        ("/proc/sys/vm/unheard_of", "1"),
    ];
    let prepare = Prepare {
        settings: settings
            .map(|(path, value)| (path.to_string(), value.to_string()))
            .into(),
        ..performance()
    };
    let steps = fixture.prepare(&prepare);
    let problems: BTreeMap<&str, bool> = (steps.iter())
        .map(|step| (step.setting.as_str(), step.problem.is_some()))
        .collect();
    assert_eq!(
        problems.values().filter(|problem| **problem).count(),
        3,
        "{steps:?}"
    );
    assert_eq!(fixture.text("proc/sys/vm/swappiness"), "10");
    fixture.restore();
    assert_eq!(fixture.text("proc/sys/vm/swappiness"), "60");
}

#[test]
fn what_cannot_be_put_back_stays_in_the_journal() {
    let fixture = Fixture::new(&[(GOVERNOR, "ondemand\n"), (DMC, "dmc_ondemand\n")]);
    fixture.prepare(&performance());
    fs::remove_dir_all(fixture.root.path().join("sys/class/devfreq")).unwrap();
    let steps = fixture.restore();
    assert_eq!(
        steps.iter().filter(|step| step.problem.is_some()).count(),
        1
    );
    assert_eq!(fixture.text(GOVERNOR), "ondemand");
    assert!(fixture.board().is_changed());
    fs::create_dir_all(fixture.root.path().join("sys/class/devfreq/dmc")).unwrap();
    fs::write(fixture.root.path().join(DMC), "performance").unwrap();
    fixture.restore();
    assert_eq!(fixture.text(DMC), "dmc_ondemand");
    assert!(!fixture.board().is_changed());
}

/// Whether memwall says that the board may not be as it was.
fn is_told(board: &Board, steps: &[EnvironmentStep]) -> bool {
    board.is_changed() && steps.iter().any(|step| step.problem.is_some())
}

#[test]
fn an_entry_that_was_cut_off_does_not_swallow_the_next_one() {
    let fixture = Fixture::new(&[(GOVERNOR, "ondemand\n"), (DMC, "dmc_ondemand\n")]);
    fs::write(fixture.journal(), r#"{"setting":{"file":{"pa"#).unwrap();
    assert!(fixture.board().is_changed());
    fixture.prepare(&performance());
    let steps = fixture.restore();
    assert_eq!(
        (fixture.text(GOVERNOR), fixture.text(DMC)),
        ("ondemand".into(), "dmc_ondemand".into())
    );
    assert!(is_told(&fixture.board(), &steps), "{steps:?}");
}

#[test]
fn what_cannot_be_read_is_told_with_its_remedy_and_stays() {
    let check = |bytes: &[u8], cause: &str| {
        let fixture = Fixture::new(&[(GOVERNOR, "performance\n")]);
        fs::write(fixture.journal(), bytes).unwrap();
        for _ in 0..2 {
            let steps = fixture.restore();
            assert!(is_told(&fixture.board(), &steps), "{steps:?}");
            let problem = steps[0].problem.as_ref().unwrap();
            let remedy = format!("then remove `{}`", fixture.journal().display());
            assert!(
                problem.contains(cause) && problem.contains(&remedy),
                "{problem}"
            );
        }
        fs::remove_file(fixture.journal()).unwrap();
        assert!(!fixture.board().is_changed());
    };
    check(b"", "the file was cut off");
    check(b"\xff\xfe\n", "it is damaged");
    check(
        br#"{"setting":{"fan":{}},"before":"0","wanted":"1"}"#,
        "unknown variant `fan`",
    );
    check(
        br#"{"version":3,"anything":true}"#,
        "another version of memwall wrote it (format 3",
    );
}

#[test]
fn a_journal_that_is_not_a_file_of_its_own_is_told_and_nothing_is_changed() {
    let fixture = Fixture::new(&[(GOVERNOR, "ondemand\n")]);
    let other = fixture.store.path().join("other");
    fs::write(&other, "precious").unwrap();
    std::os::unix::fs::symlink(&other, fixture.journal()).unwrap();
    let steps = fixture.prepare(&performance());
    let problem = steps[0].problem.as_ref().unwrap();
    assert!(problem.contains("is a link, not a plain file"), "{problem}");
    assert_eq!(steps[0].before, steps[0].after);
    let steps = fixture.restore();
    assert!(is_told(&fixture.board(), &steps), "{steps:?}");
    assert_eq!(fixture.text(GOVERNOR), "ondemand");
    assert_eq!(fs::read_to_string(other).unwrap(), "precious");
}

#[test]
fn a_journal_changes_nothing_but_settings() {
    let fixture = Fixture::new(&[("etc/crontab", "original")]);
    let path = fixture.root.path().join("etc/crontab");
    let lines = [
        format!(r#"{{"setting":{{"file":{{"path":{path:?}}}}},"before":"other","wanted":"x"}}"#),
        r#"{"setting":{"service":{"name":"a b"}},"before":"active","wanted":"inactive"}"#.into(),
        r#"{"setting":{"service":{"name":"a"}},"before":"masked","wanted":"inactive"}"#.into(),
        r#"{"setting":"other_processes","before":"all","wanted":"0"}"#.into(),
    ];
    fs::write(fixture.journal(), lines.join("\n")).unwrap();
    let steps = fixture.restore();
    assert!(
        steps.len() == 4 && steps.iter().all(|step| step.problem.is_some()),
        "{steps:?}"
    );
    assert_eq!(fixture.text("etc/crontab"), "original");
    assert!(fixture.board().is_changed());
}

#[test]
fn entries_of_the_first_format_are_put_back() {
    let fixture = Fixture::new(&[(GOVERNOR, "performance\n"), (DMC, "performance\n")]);
    let line = |path: &str, before: &str| {
        let path = fixture.root.path().join(path);
        format!(
            r#"{{"setting":{{"file":{{"path":{path:?}}}}},"before":{before:?},"wanted":"performance"}}"#
        ) + "\n"
    };
    // A program of that time works in the same store after one of today.
    fixture.prepare(&Prepare {
        governor: Some("powersave".into()),
        ..Prepare::default()
    });
    let mut journal = fs::read_to_string(fixture.journal()).unwrap();
    journal = line(GOVERNOR, "ondemand") + &journal + &line(DMC, "dmc_ondemand");
    fs::write(fixture.journal(), journal).unwrap();
    let steps = fixture.restore();
    assert!(steps.iter().all(|step| step.problem.is_none()), "{steps:?}");
    assert_eq!(
        (fixture.text(GOVERNOR), fixture.text(DMC)),
        ("ondemand".into(), "dmc_ondemand".into())
    );
    assert!(!fixture.board().is_changed());
}

/// A board whose settings were changed, for journals that are damaged afterwards.
struct Damaged {
    fixture: Fixture,
    journal: Vec<u8>,
}

impl Damaged {
    fn new() -> Damaged {
        let mut fixture = Fixture::new(&[(GOVERNOR, ""), (DMC, ""), (SWAPPINESS, "")]);
        // Where waiting for the disk costs nothing.
        if let Ok(store) = tempfile::tempdir_in("/dev/shm") {
            fixture.store = store;
        }
        let mut damaged = Damaged {
            fixture,
            journal: Vec::new(),
        };
        damaged.reset();
        let steps = damaged.fixture.prepare(&Damaged::wanted());
        assert!(steps.iter().all(|step| step.problem.is_none()), "{steps:?}");
        damaged.journal = fs::read(damaged.fixture.journal()).unwrap();
        damaged
    }

    fn wanted() -> Prepare {
        Prepare {
            settings: [("/proc/sys/vm/swappiness".into(), "10".into())].into(),
            ..performance()
        }
    }

    fn reset(&self) {
        for (path, text) in DAMAGED_ORIGINALS {
            fs::write(self.fixture.root.path().join(path), text).unwrap();
        }
    }

    /// After `journal` was found, and another run prepared the board and put it back, the board is as it was, or memwall
    /// says that it may not be.
    fn expect_safe(&self, journal: &[u8]) -> Result<(), String> {
        for (path, _) in DAMAGED_ORIGINALS {
            let value = if path == SWAPPINESS {
                "10"
            } else {
                "performance"
            };
            fs::write(self.fixture.root.path().join(path), value).unwrap();
        }
        fs::write(self.fixture.journal(), journal).unwrap();
        self.fixture.prepare(&Damaged::wanted());
        let steps = self.fixture.restore();
        let is_as_before = DAMAGED_ORIGINALS
            .iter()
            .all(|(path, text)| self.fixture.text(path) == *text);
        let is_told = is_told(&self.fixture.board(), &steps);
        let _ = fs::remove_file(self.fixture.journal());
        match is_as_before || is_told {
            true => Ok(()),
            false => Err(format!("{:?}: {steps:?}", String::from_utf8_lossy(journal))),
        }
    }
}

const SWAPPINESS: &str = "proc/sys/vm/swappiness";
const DAMAGED_ORIGINALS: [(&str, &str); 3] = [
    (GOVERNOR, "ondemand"),
    (DMC, "dmc_ondemand"),
    (SWAPPINESS, "60"),
];

#[test]
fn a_journal_that_is_cut_anywhere_is_whole_or_told() {
    let damaged = Damaged::new();
    for n_bytes in 0..=damaged.journal.len() {
        damaged.expect_safe(&damaged.journal[..n_bytes]).unwrap();
    }
}

#[test]
fn a_journal_with_a_changed_byte_is_whole_or_told() {
    let damaged = Damaged::new();
    for at in 0..damaged.journal.len() {
        for flip in [1, 4, 0x20, 0x80] {
            let mut journal = damaged.journal.clone();
            journal[at] ^= flip;
            damaged.expect_safe(&journal).unwrap();
        }
    }
}

#[test]
fn a_journal_that_is_damaged_at_random_is_whole_or_told() {
    let damaged = Damaged::new();
    for seed in fuzz::seeds() {
        let journal = fuzz::damage(&damaged.journal, seed);
        let safe = damaged.expect_safe(&journal);
        safe.unwrap_or_else(|said| panic!("seed {seed}: {said}"));
    }
}

/// A power cut between writing and renaming leaves the journal before.
#[test]
fn a_journal_that_was_being_written_is_the_one_before() {
    let damaged = Damaged::new();
    let new = damaged.fixture.store.path().join(".journal.jsonl.new");
    for n_bytes in [0, 1, damaged.journal.len() / 2] {
        fs::write(&new, &damaged.journal[..n_bytes]).unwrap();
        damaged.expect_safe(&damaged.journal).unwrap();
        assert!(!new.exists());
    }
}
