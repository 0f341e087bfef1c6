//! Whether what a host or a run measured may be relied on at all, in one sentence with its remedy.

use std::collections::BTreeMap;

use bench_locales::{Message, message};
use bench_run_dir::format;

use super::{Analysis, HostAnalysis, Judged};
use crate::validity::verdict::Verdict;

/// Units of which most are suspect or invalid.
#[derive(Debug, Clone, PartialEq)]
pub struct Disturbed {
    /// Units that are suspect or invalid.
    pub n_disturbed: usize,
    /// Units that have a figure.
    pub n_units: usize,
    /// What speaks against most of them.
    pub cause: Message,
}

impl Disturbed {
    /// `184 of 188 units were disturbed: other programs took 82 % of the CPUs at the same time. Solve that ...`
    pub fn sentence(&self) -> Message {
        message!(
            "disturbed-units",
            n = self.n_disturbed,
            n_units = self.n_units,
            cause = &self.cause,
        )
    }
}

impl HostAnalysis<'_> {
    /// Set where more than half of this host's figures are suspect or invalid.
    pub fn disturbed(&self) -> Option<Disturbed> {
        disturbed_units(self.all_units())
    }
}

/// Hosts that a warning names before it counts them.
const MAX_NAMES: usize = 3;

impl Analysis<'_> {
    /// What to say before anything else of the run: hosts of whose figures more than half are suspect or invalid; `None`
    /// where there is none. Names stand between backticks.
    pub fn warning(&self) -> Option<Message> {
        let disturbed: Vec<(&HostAnalysis, Disturbed)> = (self.hosts.iter())
            .filter_map(|host| Some((host, host.disturbed()?)))
            .collect();
        match disturbed.as_slice() {
            [] => None,
            [(_, only)] if self.hosts.len() == 1 => Some(only.sentence()),
            few if few.len() <= MAX_NAMES => {
                let sentences = few.iter().map(|(host, disturbed)| {
                    let name = format::foreign_short(host.name(), 60).replace('`', "'");
                    message!(
                        "disturbed-on-host",
                        host = name,
                        sentence = disturbed.sentence()
                    )
                });
                Message::sentences(sentences.collect())
            }
            many => {
                let units = many.iter().flat_map(|(host, _)| host.all_units());
                Some(message!(
                    "disturbed-hosts",
                    n = many.len(),
                    n_all = self.hosts.len(),
                    sentence = disturbed_units(units)?.sentence(),
                ))
            }
        }
    }
}

fn disturbed_units<'a>(units: impl Iterator<Item = &'a Judged>) -> Option<Disturbed> {
    let has_figure = |unit: &&Judged| {
        matches!(
            unit.verdict,
            Verdict::Ok | Verdict::Suspect | Verdict::Invalid
        )
    };
    let mut n_units = 0;
    // Reasons that differ in their numbers only are one cause.
    let mut causes: BTreeMap<String, Vec<Message>> = BTreeMap::new();
    for unit in units.filter(has_figure) {
        n_units += 1;
        if unit.verdict != Verdict::Ok {
            let cause = cause(unit);
            let said = cause.to_string();
            let kind = said.chars().filter(|c| !c.is_ascii_digit() && *c != '.');
            causes.entry(kind.collect()).or_default().push(cause);
        }
    }
    let n_disturbed = causes.values().map(Vec::len).sum::<usize>();
    if 2 * n_disturbed <= n_units {
        return None;
    }
    let mut most = causes.into_values().max_by_key(Vec::len)?;
    let number = |cause: &Message| cause.number().unwrap_or(0.0);
    most.sort_by(|a, b| number(a).total_cmp(&number(b)));
    Some(Disturbed {
        n_disturbed,
        n_units,
        // The middle one stands for all.
        cause: most.swap_remove(most.len() / 2),
    })
}

/// What speaks against a unit, without the remedy: what its board's counters tell before what its figures do.
fn cause(unit: &Judged) -> Message {
    match (unit.disturbances.first(), &unit.reason) {
        (Some(found), _) => found.what.clone(),
        (None, Some(reason)) => reason.head().clone(),
        (None, None) => message!("no-reason"),
    }
}
