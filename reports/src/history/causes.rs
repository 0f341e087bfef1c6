//! What was different where a series changed.

use std::collections::{BTreeMap, BTreeSet};

use super::line::Setup;
use super::{BOARD_PROGRAM, Cause, Change, HostHistory, Run};
use bench_run_dir::format;

/// The changes of all series of a host, the newest first, each with what else was different.
pub(super) fn changes(host: &HostHistory, runs: &[Run]) -> Vec<Change> {
    let mut changes = Vec::new();
    for (line_idx, line) in host.lines.iter().enumerate() {
        let usable: Vec<usize> = line.usable().map(|(i, _)| i).collect();
        for found in &line.found {
            let (before, at) = (
                &line.points[usable[found.at - 1]],
                &line.points[usable[found.at]],
            );
            changes.push(Change {
                line: line_idx,
                run: at.run,
                run_before: before.run,
                found: *found,
                causes: host.causes((before.run, before.setup), (at.run, at.setup), runs),
            });
        }
    }
    changes.sort_by(|a, b| b.run.cmp(&a.run).then(a.line.cmp(&b.line)));
    changes
}

impl HostHistory {
    /// What is different between two setups, each with its run.
    pub(crate) fn causes(
        &self,
        before: (usize, usize),
        after: (usize, usize),
        runs: &[Run],
    ) -> Vec<Cause> {
        let (a, b) = (&self.setups[before.1], &self.setups[after.1]);
        let mut causes = Vec::new();
        if let (Some(old), Some(new)) = (&a.epoch, &b.epoch)
            && old != new
        {
            causes.extend(self.facts_changed(old, new));
        }
        if a.artifact != b.artifact {
            let (old, new) = (program(a, &runs[before.0]), program(b, &runs[after.0]));
            causes.push(cause(BOARD_PROGRAM, &old, &new));
        }
        let state = |environment: &str| environment.replace('_', " ");
        for (what, old, new) in [
            ("variant", a.variant.clone(), b.variant.clone()),
            ("measured", state(&a.environment), state(&b.environment)),
        ] {
            if old != new {
                causes.push(cause(what, &old, &new));
            }
        }
        causes
    }

    fn facts_changed(&self, old_name: &str, new_name: &str) -> Vec<Cause> {
        let facts = |name: &str| self.epochs.get(name);
        let (Some(old), Some(new)) = (facts(old_name), facts(new_name)) else {
            return vec![cause("state of the host", old_name, new_name)];
        };
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let word = |of: &BTreeMap<String, String>, key: &String| match of.get(key) {
            Some(value) => value.clone(),
            None => "none".to_owned(),
        };
        let changed = keys.into_iter().filter_map(|key| {
            let (old, new) = (word(old, key), word(new, key));
            (old != new).then(|| cause(key, &old, &new))
        });
        changed.collect()
    }
}

/// The first characters of a program's hash, and the revision of the controller that sent it.
fn program(setup: &Setup, run: &Run) -> String {
    let first = |text: &str| text.chars().take(8).collect::<String>();
    let sha = first(setup.artifact.as_deref().unwrap_or("unknown"));
    match &run.git_revision {
        Some(revision) => format!("{sha} (revision {})", first(revision)),
        None => sha,
    }
}

fn cause(what: &str, from: &str, to: &str) -> Cause {
    let short = |text: &str| format::foreign_short(text, 60);
    Cause {
        what: short(what),
        from: short(from),
        to: short(to),
    }
}
