//! Changing a board's settings for measuring, and putting them back: by this process, or by whoever comes next.

mod journal;
mod setting;

use std::path::{Path, PathBuf};

use bench_protocol::{EnvironmentAction, EnvironmentStep, Prepare};

use self::journal::Journal;
pub use self::setting::Setting;

/// Name of the power mode of a Jetson; `None` on other boards.
pub fn power_mode() -> Option<String> {
    let has_modes = Path::new("/etc/nvpmodel.conf").exists();
    has_modes
        .then(|| Setting::PowerMode.read().ok().flatten())
        .flatten()
}

/// Name of the journal in the board's store.
const FILE: &str = "journal.jsonl";

/// The settings of this board, and what was changed of them.
pub struct Board {
    journal: Journal,
    /// The root of the file system, `/` but in tests.
    root: PathBuf,
}

impl Board {
    /// With the journal in `store`.
    pub fn new(store: &Path, root: &Path) -> Board {
        Board {
            journal: Journal::at(store.join(FILE)),
            root: root.to_path_buf(),
        }
    }

    /// Whether something was changed and not put back.
    pub fn is_changed(&self) -> bool {
        !self.journal.entries().is_empty()
    }

    /// Makes every change that `prepare` asks for, each written down before it is made. A change that does not work is
    /// told in its step and stops no other.
    pub fn prepare(&self, prepare: &Prepare, mut say: impl FnMut(EnvironmentStep)) {
        for (setting, wanted) in setting::of(prepare, &self.root) {
            match setting {
                Ok(setting) => say(self.change(&setting, &wanted)),
                Err((setting, problem)) => say(EnvironmentStep {
                    action: EnvironmentAction::Prepare,
                    setting,
                    before: None,
                    wanted,
                    after: None,
                    problem: Some(problem),
                }),
            }
        }
    }

    fn change(&self, setting: &Setting, wanted: &str) -> EnvironmentStep {
        let mut step = EnvironmentStep {
            action: EnvironmentAction::Prepare,
            setting: setting.describe(),
            before: None,
            wanted: wanted.to_string(),
            after: None,
            problem: None,
        };
        let before = match setting.read() {
            Ok(before) => before,
            Err(error) => {
                step.problem = Some(format!("cannot be read: {error}"));
                return step;
            }
        };
        step.before.clone_from(&before);
        if before.as_deref() == Some(wanted) {
            step.after = before;
            return step;
        }
        if let Some(before) = &before
            && let Err(error) = self.journal.append(setting, before, wanted)
        {
            step.problem = Some(format!(
                "not changed, since the change cannot be written down first: {error}"
            ));
            return step;
        }
        let written = setting.write(wanted);
        step.after = setting.read().ok().flatten();
        step.problem = problem_of(written, step.after.as_deref(), wanted, before.is_some());
        step
    }

    /// Puts everything back, the last change first, and reads it back. What does not work stays in the journal.
    pub fn restore(&self, mut say: impl FnMut(EnvironmentStep)) {
        let mut left = Vec::new();
        for entry in self.journal.entries().into_iter().rev() {
            let before = entry.setting.read().ok().flatten();
            let written = match before.as_ref() == Some(&entry.before) {
                true => Ok(()),
                false => entry.setting.write(&entry.before),
            };
            let after = entry.setting.read().ok().flatten();
            let problem = problem_of(written, after.as_deref(), &entry.before, true);
            say(EnvironmentStep {
                action: EnvironmentAction::Restore,
                setting: entry.setting.describe(),
                before,
                wanted: entry.before.clone(),
                after,
                problem: problem.clone(),
            });
            if problem.is_some() {
                left.push(entry);
            }
        }
        left.reverse();
        self.journal.replace(&left);
    }
}

/// A write can succeed although the kernel keeps its old value: what is read back counts.
fn problem_of(
    written: std::io::Result<()>,
    after: Option<&str>,
    wanted: &str,
    can_be_read: bool,
) -> Option<String> {
    match (written, after) {
        (Err(error), _) => Some(error.to_string()),
        (Ok(()), Some(after)) if after == wanted => None,
        (Ok(()), Some(after)) => Some(format!("it was written, but reads `{after}`")),
        (Ok(()), None) => {
            can_be_read.then(|| "it was written, but cannot be read back".to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;

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

        fn board(&self) -> Board {
            Board::new(self.store.path(), self.root.path())
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
}
