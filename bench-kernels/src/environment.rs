//! Changing a board's settings for measuring, and putting them back: by this process, or by whoever comes next.

mod journal;
mod setting;

use std::path::{Path, PathBuf};

use bench_protocol::{EnvironmentAction, EnvironmentStep, Prepare, Setting};

use self::journal::{Entry, Journal, Line};
use crate::store::Store;

/// Name of the power mode of a Jetson; `None` on other boards.
pub fn power_mode() -> Option<String> {
    let has_modes = Path::new("/etc/nvpmodel.conf").exists();
    has_modes
        .then(|| {
            setting::read(&Setting::PowerMode, Path::new("/"))
                .ok()
                .flatten()
        })
        .flatten()
}

/// The settings of this board, and what was changed of them.
pub struct Board {
    journal: Journal,
    /// The root of the file system, `/` but in tests.
    root: PathBuf,
}

impl Board {
    /// With the journal in `store`.
    pub fn new(store: Store, root: &Path) -> Board {
        Board {
            journal: Journal::of(store),
            root: root.to_path_buf(),
        }
    }

    /// Whether something was changed and not put back, or may have been: a journal that cannot be read counts.
    pub fn is_changed(&self) -> bool {
        self.journal.lines().map_or(true, |lines| !lines.is_empty())
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
                    id: None,
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
            id: Some(setting.clone()),
            before: None,
            wanted: wanted.to_string(),
            after: None,
            problem: None,
        };
        let before = match setting::read(setting, &self.root) {
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
        if let Some(before) = &before {
            let entry = Entry {
                setting: setting.clone(),
                before: before.clone(),
                wanted: wanted.to_string(),
            };
            if let Err(error) = self.journal.append(entry) {
                step.after = Some(before.clone());
                step.problem = Some(format!(
                    "not changed, since the change cannot be written down first: {error}"
                ));
                return step;
            }
        }
        let written = setting::write(setting, wanted, &self.root);
        step.after = setting::read(setting, &self.root).ok().flatten();
        step.problem = problem_of(written, step.after.as_deref(), wanted, before.is_some());
        step
    }

    /// Puts everything back, the last change first, and reads it back. What does not work stays in the journal, and so does
    /// what cannot be read there.
    pub fn restore(&self, mut say: impl FnMut(EnvironmentStep)) {
        let lines = match self.journal.lines() {
            Ok(lines) => lines,
            Err(error) => return say(self.journal_step(None, format!("cannot be read: {error}"))),
        };
        let mut left = Vec::new();
        for line in lines.into_iter().rev() {
            let step = match &line {
                Line::Entry(entry) => self.put_back(entry),
                Line::Unreadable { bytes, why } => self.unreadable_step(bytes, why),
            };
            if step.problem.is_some() {
                left.push(line);
            }
            say(step);
        }
        left.reverse();
        if let Err(error) = self.journal.replace(&left) {
            say(self.journal_step(None, format!("cannot be brought up to date: {error}")));
        }
    }

    fn put_back(&self, entry: &Entry) -> EnvironmentStep {
        let Entry {
            setting,
            before: original,
            ..
        } = entry;
        let before = setting::read(setting, &self.root).ok().flatten();
        let written = match before.as_ref() == Some(original) {
            true => Ok(()),
            false => setting::write(setting, original, &self.root),
        };
        let after = setting::read(setting, &self.root).ok().flatten();
        EnvironmentStep {
            action: EnvironmentAction::Restore,
            setting: setting.describe(),
            id: Some(setting.clone()),
            before,
            wanted: original.clone(),
            problem: problem_of(written, after.as_deref(), original, true),
            after,
        }
    }

    fn unreadable_step(&self, bytes: &[u8], why: &str) -> EnvironmentStep {
        /// What a person needs of a damaged line, and a table has room for.
        const MAX_CHARS: usize = 200;
        let text: String = (String::from_utf8_lossy(bytes).chars())
            .take(MAX_CHARS)
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        let problem = format!(
            "a line cannot be read ({why}): a setting may still be changed; set it by hand or restart the board, then remove `{}`",
            self.journal.place()
        );
        self.journal_step(Some(text), problem)
    }

    fn journal_step(&self, before: Option<String>, problem: String) -> EnvironmentStep {
        EnvironmentStep {
            action: EnvironmentAction::Restore,
            setting: format!("journal `{}`", self.journal.place()),
            id: None,
            before,
            wanted: "nothing left to put back".to_string(),
            after: None,
            problem: Some(problem),
        }
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
mod tests;
