//! Whether what a host or a run measured may be relied on at all, in one sentence with its remedy.

use std::collections::BTreeMap;

use super::{Analysis, HostAnalysis, UnitRow};
use crate::validity::verdict::Verdict;
use bench_run_dir::format;

/// Units of which most are suspect or invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disturbed {
    /// Units that are suspect or invalid.
    pub n_disturbed: usize,
    /// Units that have a figure.
    pub n_units: usize,
    /// What speaks against most of them.
    pub cause: String,
}

impl Disturbed {
    /// `184 of 188 units were disturbed: other programs took 82 % of the CPUs meanwhile; measure again when that is
    /// mended.`
    pub fn sentence(&self) -> String {
        format!(
            "{} of {} disturbed: {}. Mend that and measure again; until then nothing here is sure.",
            self.n_disturbed,
            format::count(self.n_units, "unit was", "units were"),
            self.cause
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
    pub fn warning(&self) -> Option<String> {
        let disturbed: Vec<(&HostAnalysis, Disturbed)> = (self.hosts.iter())
            .filter_map(|host| Some((host, host.disturbed()?)))
            .collect();
        match disturbed.as_slice() {
            [] => None,
            [(_, only)] if self.hosts.len() == 1 => Some(only.sentence()),
            few if few.len() <= MAX_NAMES => {
                let sentences = few.iter().map(|(host, disturbed)| {
                    let name = format::foreign_short(host.name(), 60).replace('`', "'");
                    format!("On `{name}` {}", disturbed.sentence())
                });
                Some(sentences.collect::<Vec<_>>().join(" "))
            }
            many => {
                let units = many.iter().flat_map(|(host, _)| host.all_units());
                Some(format!(
                    "{} of {} hosts were disturbed: {}",
                    many.len(),
                    self.hosts.len(),
                    disturbed_units(units)?.sentence()
                ))
            }
        }
    }
}

fn disturbed_units<'a>(units: impl Iterator<Item = &'a UnitRow>) -> Option<Disturbed> {
    let has_figure = |unit: &&UnitRow| {
        matches!(
            unit.verdict,
            Verdict::Ok | Verdict::Suspect | Verdict::Invalid
        )
    };
    let mut n_units = 0;
    // Reasons that differ in their numbers only are one cause.
    let mut causes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for unit in units.filter(has_figure) {
        n_units += 1;
        if unit.verdict != Verdict::Ok {
            let cause = cause(unit);
            let kind = cause.chars().filter(|c| !c.is_ascii_digit() && *c != '.');
            causes.entry(kind.collect()).or_default().push(cause);
        }
    }
    let n_disturbed = causes.values().map(Vec::len).sum::<usize>();
    if 2 * n_disturbed <= n_units {
        return None;
    }
    let mut most = causes.into_values().max_by_key(Vec::len)?;
    most.sort_by(|a, b| number(a).total_cmp(&number(b)));
    Some(Disturbed {
        n_disturbed,
        n_units,
        cause: most[most.len() / 2].to_owned(),
    })
}

/// What speaks against a unit, without the remedy: what its board's counters tell before what its figures do.
fn cause(unit: &UnitRow) -> &str {
    let counted = unit.disturbances.first().map(|found| found.reason.as_str());
    let all = counted.or(unit.reason.as_deref()).unwrap_or("no reason");
    all.split([';', ':']).next().unwrap_or(all).trim()
}

/// The first number of a text, to find the middle one of many.
fn number(text: &str) -> f64 {
    let digits = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    digits
        .filter_map(|word| word.parse().ok())
        .next()
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_number_stands_for_all() {
        assert_eq!(number("other programs took 82.5 % of the CPUs"), 82.5);
        assert_eq!(number("no number at all"), 0.0);
    }
}
