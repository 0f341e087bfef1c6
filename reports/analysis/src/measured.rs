//! From the messages of a run to rates, bounds, efficiencies and verdicts: one row per unit.
//!
//! Owns every derived figure of a measurement. Refuses to format and to write.

mod asked;
mod chain;
mod disturbed;
mod experiments;
pub mod imported;
mod judged;
mod peak;
mod power;
mod rounds;
mod samples;
mod unit;

use std::borrow::Cow;

use bench_inventory::Board;
use bench_protocol::{Environment, Residency};
use rayon::prelude::*;

pub use asked::UnitKind;
pub use chain::{Chain, Limit, kernel_rates, mixed_rate};
pub use disturbed::Disturbed;
pub use experiments::{Interference, KvCache, Ladder, LadderStep, NextToken, SizeCurve, Timeline};
pub use judged::{ComputeBound, Judged, Limits, UnitBound};
pub use power::{Power, PowerSource};
pub use rounds::RoundRow;
pub use samples::SampleRow;
pub use unit::{BackgroundRow, Measured};

use crate::guard::guarded;
use crate::limits::theory::{self, Theory};
use crate::validity::verdict::Verdict;
use bench_locales::{Message, message};
use bench_run_dir::{HostData, HostRecord, HostStatus, RunData};

/// A run with everything that follows from it.
#[derive(Debug)]
pub struct Analysis<'a> {
    /// What was read.
    pub run: &'a RunData,
    /// Hosts in the order of [`RunData::hosts`].
    pub hosts: Vec<HostAnalysis<'a>>,
}

/// One host with everything that follows from its stream.
#[derive(Debug)]
pub struct HostAnalysis<'a> {
    /// What was read; of a host whose analysis failed what became of it alone.
    pub data: Cow<'a, HostData>,
    /// Why the analysis of this host failed, where it did: a mistake of memwall, which costs this host only.
    pub failure: Option<String>,
    /// Its board, when the catalogue of that day has it.
    pub board: Option<&'a Board>,
    /// Theoretical bandwidth of its system memory, or why that is unknown and what to add.
    pub theory: Result<Theory, Message>,
    /// Best measured read bandwidth; `None` when nothing usable was measured.
    pub best_read: Option<BestRead>,
    /// Units in the order of the request.
    pub units: Vec<Judged>,
    /// Units that were measured before the board was prepared, where the same were measured after it, too: they are
    /// there to be compared with, and enter no other figure.
    pub as_found: Vec<Judged>,
    /// Bound chains, one per measured decode unit.
    pub chains: Vec<Chain>,
}

/// The host's highest usable rate of a read-only walk through memory: what bounds inference on it.
#[derive(Debug, Clone, PartialEq)]
pub struct BestRead {
    /// GB/s (10^9 bytes per second), of the median sample.
    pub gb_per_s: f64,
    /// The unit that reached it.
    pub unit: String,
    /// Its kernel.
    pub kernel: String,
    /// Its threads.
    pub n_threads: usize,
}

impl HostAnalysis<'_> {
    /// Name of the host in the fleet file, as written.
    pub fn name(&self) -> &str {
        &self.data.record.host
    }

    /// Verdict of the unit that made the best read.
    pub fn best_read_verdict(&self) -> Option<Verdict> {
        let read = self.best_read.as_ref()?;
        let unit = self.units.iter().find(|unit| unit.unit == read.unit)?;
        Some(unit.verdict)
    }

    /// The 95 % interval of the best read, GB/s, and the rounds that it comes from; `None` where one round made it, whose
    /// samples say nothing of the next.
    pub fn best_read_interval(&self) -> Option<(f64, f64, usize)> {
        let read = self.best_read.as_ref()?;
        let unit = self.units.iter().find(|unit| unit.unit == read.unit)?;
        let summary = unit
            .summary
            .as_ref()
            .filter(|summary| summary.n_rounds > 1)?;
        // The summary is of times: the ends trade places.
        let at = |ns: f64| read.gb_per_s * summary.median / ns;
        Some((at(summary.ci_high), at(summary.ci_low), summary.n_rounds))
    }

    /// Share of the theoretical bandwidth that the best read reaches.
    pub fn read_efficiency(&self) -> Option<f64> {
        let theory = self.theory.as_ref().ok()?;
        Some(self.best_read.as_ref()?.gb_per_s / theory.gb_per_s)
    }

    /// For every model, quantisation and depth the chain of the thread count that makes the most tokens; one with a
    /// usable verdict, if there is one.
    pub fn best_chains(&self) -> Vec<&Chain> {
        let rank = |chain: &Chain| (chain.verdict.is_usable(), chain.measured_tokens_per_s);
        let mut best: Vec<&Chain> = Vec::new();
        for chain in &self.chains {
            match best.iter_mut().find(|other| other.model == chain.model) {
                Some(other) if rank(other) < rank(chain) => *other = chain,
                Some(_) => {}
                None => best.push(chain),
            }
        }
        best
    }

    /// Whether this host measured its memory and nothing of that may be used: every unit that walked through memory on
    /// real hardware and has samples is invalid. Units that live in the caches do not count.
    pub fn is_all_invalid(&self) -> bool {
        let mut measured = self
            .units
            .iter()
            .filter(|unit| unit.residency == Some(Residency::Dram) && !unit.emulated)
            .filter(|unit| unit.kind != UnitKind::Latency && !unit.kind.is_batched())
            .filter(|unit| unit.verdict != Verdict::NotMeasured)
            .peekable();
        measured.peek().is_some() && measured.all(|unit| unit.verdict == Verdict::Invalid)
    }

    /// Every unit, those measured before the board was prepared first.
    pub fn all_units(&self) -> impl Iterator<Item = &Judged> {
        self.as_found.iter().chain(&self.units)
    }

    /// The sentence for people when the analysis of this host failed.
    pub fn failure_words(&self) -> Option<Message> {
        let failure = self.failure.as_ref()?;
        let name = bench_run_dir::format::foreign_short(self.name(), 80);
        Some(message!(
            "host-not-analysed",
            host = name,
            failure = failure
        ))
    }

    /// Units with this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.units
            .iter()
            .filter(|unit| unit.verdict == verdict)
            .count()
    }
}

/// Derives everything from a run.
pub fn analyse(run: &RunData) -> Analysis<'_> {
    let hosts = analyse_each(run, |host| analyse_host(host, run));
    Analysis { run, hosts }
}

fn analyse_each<'a>(
    run: &'a RunData,
    of_host: impl Fn(&'a HostData) -> HostAnalysis<'a> + Sync,
) -> Vec<HostAnalysis<'a>> {
    let analysed = (run.hosts.par_iter()).map(|host| {
        guarded(|| of_host(host)).unwrap_or_else(|failure| not_analysed(host, failure))
    });
    analysed.collect()
}

/// A host that shows nothing but why: what follows from its numbers is not known.
fn not_analysed(data: &HostData, failure: String) -> HostAnalysis<'_> {
    let reason = message!("host-analysis-failed", failure = &failure);
    let record = HostRecord {
        status: HostStatus::Failed,
        reason: Some(reason.to_string()),
        ..data.record.clone()
    };
    HostAnalysis {
        data: Cow::Owned(HostData {
            record,
            hello: None,
            facts: None,
            previous: None,
            request: None,
            left_out: None,
            units: Vec::new(),
            done: None,
            garbage: Vec::new(),
            n_garbage_lines: 0,
            steps: Vec::new(),
            notes: Vec::new(),
            stream: data.stream.clone(),
            has_whole_stream: data.has_whole_stream,
            problems: data.problems.clone(),
        }),
        failure: Some(failure),
        board: None,
        theory: Err(reason),
        best_read: None,
        units: Vec::new(),
        as_found: Vec::new(),
        chains: Vec::new(),
    }
}

fn analyse_host<'a>(data: &'a HostData, run: &'a RunData) -> HostAnalysis<'a> {
    let inventory = &run.inventory;
    let theory = theory::of_host(&data.record, data.facts.as_ref(), inventory);
    // Theory first, for every unit: it decides which reads may bound the rest, and nothing may beat it, even where no
    // read is left to be held against.
    let units = (data.units.iter())
        .map(|unit| Judged::by_theory(unit::row(unit, data), theory.as_ref().ok(), data));
    let is_prepared = |unit: &Judged| unit.environment == Environment::Prepared;
    let (mut units, mut as_found): (Vec<Judged>, Vec<Judged>) = units.partition(is_prepared);
    if units.is_empty() {
        std::mem::swap(&mut units, &mut as_found);
    }
    let best_read = best_read(&chain::memory_reads(&units, data.facts.as_ref()));
    let kernels = chain::KernelRates::of(&units);
    let peaks = peak::Peaks::of(&units);
    let units = units.into_iter().map(|unit| {
        let (peak, kernel) = (peaks.of_unit(&unit), kernels.of_unit(&unit));
        unit.by_host(best_read.as_ref(), peak, kernel, data)
    });
    let units: Vec<Judged> = units.collect();
    let reads = chain::memory_reads(&units, data.facts.as_ref());
    let chains = chain::chains(&units, theory.as_ref().ok(), best_read.as_ref(), &reads);
    HostAnalysis {
        board: theory::board_of(&data.record, inventory),
        data: Cow::Borrowed(data),
        failure: None,
        theory,
        best_read,
        units,
        as_found,
        chains,
    }
}

/// The best read-only walk through memory, of any kernel: when a product or a token step beats the plain read, the memory
/// has shown that it can do that much. `None` of token steps alone: nothing says how much more it could do.
fn best_read(reads: &[(&Judged, f64)]) -> Option<BestRead> {
    let is_walk = |(unit, _): &(&Judged, f64)| unit.kind != UnitKind::Decode;
    reads.iter().any(is_walk).then_some(())?;
    // The earlier unit wins a tie, so that the result does not depend on how `max_by` breaks it.
    let best = reads.iter().rev().max_by(|a, b| a.1.total_cmp(&b.1));
    best.map(|(unit, gb_per_s)| BestRead {
        gb_per_s: *gb_per_s,
        unit: unit.unit.clone(),
        kernel: unit.kernel.clone(),
        n_threads: unit.cpus.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_run_dir::{HostFiles, RunManifest, read_host_files};

    #[test]
    fn a_mistake_in_the_analysis_of_one_host_costs_that_host() {
        let manifest = RunManifest::default();
        let host = |name: &str| read_host_files(name, &HostFiles::default(), &manifest);
        let run = RunData {
            hosts: vec![host("good"), host("bad")],
            ..RunData::default()
        };
        let zero = std::hint::black_box(0);
        let hosts = analyse_each(&run, |data| {
            assert!(data.record.host != "bad" || 1 / zero == 0);
            analyse_host(data, &run)
        });
        assert_eq!(hosts[0].failure, None);
        assert_eq!(hosts[0].data.record, run.hosts[0].record);
        let bad = &hosts[1];
        assert_eq!(bad.name(), "bad");
        assert_eq!(bad.data.record.status, HostStatus::Failed);
        let words = bad.failure_words().unwrap().to_string();
        assert!(
            words.starts_with("host `bad` could not be analysed")
                && words.contains("divide by zero"),
            "{words}"
        );
        assert!(
            bad.data
                .record
                .reason
                .as_ref()
                .unwrap()
                .contains("please report this")
        );
    }
}
