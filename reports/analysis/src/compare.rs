//! Compares what was measured: run with run, board with board, power mode with power mode, before with after.
//!
//! Units are paired by what they measure; each pair has a ratio, an interval and a word for it, and whatever cannot be
//! paired is listed with its reason. Owns these words. Refuses to say why something differs: it lists what differs too.

mod change;
mod gains;
mod pairing;
mod words;

use serde::Serialize;

use bench_locales::{Message, message};

use crate::measured::{HostAnalysis, Judged};
use crate::stats::{self, Ratio};
use bench_run_dir::RunManifest;

pub use change::Change;

/// A difference is called one while its false discovery rate is at most this.
pub const MAX_FALSE_DISCOVERY_RATE: f64 = 0.05;

/// What was measured once: a host in a run.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The run.
    pub manifest: &'a RunManifest,
    /// The host in it.
    pub host: &'a HostAnalysis<'a>,
    /// Which of its units.
    pub state: State,
}

/// Which units of a host are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Those that stand in the report.
    Reported,
    /// Those that were measured before the host was prepared, of a run that measured both.
    AsFound,
}

impl<'a> Subject<'a> {
    /// All units that are meant, measured or not.
    fn units(&self) -> &'a [Judged] {
        match self.state {
            State::Reported => &self.host.units,
            State::AsFound => &self.host.as_found,
        }
    }

    fn n_cpus(&self) -> Option<usize> {
        self.host.data.facts.as_ref().map(|facts| facts.cpus.len())
    }
}

/// A comparison: B against A.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What it starts from.
    pub a: Side,
    /// What is held against it.
    pub b: Side,
    /// What the intervals are made of.
    pub basis: Basis,
    /// What else differs, or may differ: each may be the cause.
    pub changes: Vec<Change>,
    /// Units of both sides, the largest difference first.
    pub pairs: Vec<Pair>,
    /// Units that are not compared.
    pub left_out: Vec<LeftOut>,
    /// Pairs with a p-value that may confirm something: what the false discovery rate is about.
    pub n_tested: usize,
    /// [`MAX_FALSE_DISCOVERY_RATE`].
    pub max_false_discovery_rate: f64,
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Its runs and hosts.
    pub subjects: Vec<SubjectName>,
}

/// Names of a [`Subject`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubjectName {
    /// The run.
    pub run_id: String,
    /// The host.
    pub host: String,
    /// Its board, where the fleet file names one.
    pub board: Option<String>,
    /// Which of its units: `reported` or `as_found`.
    pub state: &'static str,
}

/// What an interval is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The samples of one run on each side: how runs differ among themselves is not in it, and nothing is confirmed.
    Samples,
    /// One value of each round of one run on each side: how the machine differs from start to start is in it.
    Rounds,
    /// One value of each run, several runs on each side: how runs differ is in it.
    Runs,
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Metric {
    /// 10^9 bytes per second.
    #[serde(rename = "GB/s")]
    GbPerS,
    /// Tokens per second.
    #[serde(rename = "tokens/s")]
    TokensPerS,
    /// Nanoseconds from one load of a chain to the next; less is faster.
    #[serde(rename = "ns per load")]
    NsPerLoad,
    /// 10^9 operations per second.
    #[serde(rename = "Gop/s")]
    GopPerS,
}

impl Metric {
    /// The unit sign.
    pub fn sign(self) -> &'static str {
        match self {
            Metric::GbPerS => "GB/s",
            Metric::TokensPerS => "tokens/s",
            Metric::NsPerLoad => "ns per load",
            Metric::GopPerS => "Gop/s",
        }
    }

    /// The metric of a unit and its figure.
    fn of(unit: &Judged) -> Option<(Metric, f64)> {
        let all = [
            (Metric::TokensPerS, unit.tokens_per_s),
            (Metric::NsPerLoad, unit.ns_per_load),
            (
                Metric::GopPerS,
                unit.gop_per_s.filter(|_| unit.gb_per_s.is_none()),
            ),
            (
                Metric::GopPerS,
                unit.gop_per_s.filter(|_| unit.kind.is_batched()),
            ),
            (Metric::GbPerS, unit.gb_per_s),
        ];
        let known = all
            .into_iter()
            .find_map(|(metric, value)| Some((metric, value?)));
        known.filter(|(_, value)| value.is_finite() && *value > 0.0)
    }
}

/// One unit on both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// Its name on side A.
    pub unit_a: String,
    /// Its name on side B.
    pub unit_b: String,
    /// What the figures count.
    pub metric: Metric,
    /// What its interval is made of.
    pub basis: Basis,
    /// Figure of A.
    pub a: Figure,
    /// Figure of B.
    pub b: Figure,
    /// Speed of B over that of A; above 1 B is faster, also where the figure is a time.
    pub ratio: f64,
    /// Lower end of the 95 % interval of the ratio; `None` where too little was measured for one.
    pub low: Option<f64>,
    /// Upper end of it.
    pub high: Option<f64>,
    /// Probability of a difference at least as clear where there is none.
    pub p_value: Option<f64>,
    /// The same after having looked at all pairs at once.
    pub false_discovery_rate: Option<f64>,
    /// The word for it.
    pub outcome: Outcome,
    /// What to know about the pair: too few samples, another variant or shape, a suspect figure.
    pub notes: Vec<Message>,
}

impl Pair {
    /// Size of the difference, the same for twice and half as fast.
    pub fn size(&self) -> f64 {
        self.ratio.ln().abs()
    }
}

/// A figure of one side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// Of the median sample; of several runs the geometric mean of these.
    pub value: f64,
    /// Samples, of all runs together.
    pub n_samples: usize,
    /// Rounds that make it, of all runs together.
    pub n_rounds: usize,
    /// Runs.
    pub n_runs: usize,
}

/// Whether B is faster than A.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Outcome {
    /// B is faster.
    #[serde(rename = "faster")]
    Faster,
    /// B is slower.
    #[serde(rename = "slower")]
    Slower,
    /// The samples show no difference; there may be one.
    #[serde(rename = "no difference shown")]
    NotShown,
    /// The samples of two single runs differ; so do those of equal runs.
    #[serde(rename = "not confirmed")]
    Unconfirmed,
    /// Something disturbed one of the sides.
    #[serde(rename = "not judged")]
    NotJudged,
}

/// A unit that is not compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeftOut {
    /// Its name.
    pub unit: String,
    /// `A`, `B` or `both`.
    pub side: &'static str,
    /// Why.
    pub reason: Message,
    /// Whether it was measured and its figure is invalid: then nothing is known of it, for better or worse.
    pub is_invalid: bool,
}

/// Compares B with A. One subject on each side compares rounds, or samples where there was one round; several on each side
/// compare runs.
///
/// # Errors
/// When a side is empty, or one has one run and the other several: then the spread of one side is not known.
pub fn compare(a: &[Subject], b: &[Subject]) -> Result<Comparison, String> {
    let basis = match (a.len(), b.len()) {
        (0, _) | (_, 0) => return Err("both sides need at least one run".into()),
        (1, 1) => Basis::Samples,
        (2.., 2..) => Basis::Runs,
        (n_a, n_b) => {
            return Err(format!(
                "{n_a} and {n_b} runs: give one run on each side, or at least {} on each, so that the spread between runs is known",
                stats::MIN_RUNS
            ));
        }
    };
    let (groups, mut left_out) = pairing::pair(a, b);
    let mut pairs = Vec::new();
    for group in &groups {
        match compare_units(group, basis) {
            Ok(pair) => pairs.push(pair),
            Err(reason) => left_out.push(LeftOut {
                unit: group.name().to_owned(),
                side: "both",
                reason,
                is_invalid: false,
            }),
        }
    }
    let n_tested = name_outcomes(&mut pairs);
    // The name decides between equals, so that the order depends on nothing else.
    pairs.sort_by(|x, y| (y.size().total_cmp(&x.size())).then_with(|| x.unit_a.cmp(&y.unit_a)));
    Ok(Comparison {
        a: side(a),
        b: side(b),
        basis: pairs.iter().map(|pair| pair.basis).max().unwrap_or(basis),
        changes: change::changes(a, b),
        pairs,
        left_out,
        n_tested,
        max_false_discovery_rate: MAX_FALSE_DISCOVERY_RATE,
    })
}

/// What preparing a host bought: its units as it was found against the same after it was prepared. `None` where it was
/// not measured both ways.
pub fn before_after(manifest: &RunManifest, host: &HostAnalysis) -> Option<Comparison> {
    let subject = |state| Subject {
        manifest,
        host,
        state,
    };
    let is_both = !host.as_found.is_empty() && !host.units.is_empty();
    is_both.then_some(())?;
    compare(&[subject(State::AsFound)], &[subject(State::Reported)]).ok()
}

impl Comparison {
    /// Pairs with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        (self.pairs.iter())
            .filter(|pair| pair.outcome == outcome)
            .count()
    }

    /// Pairs that are confirmed to be slower by more than `share`: 0.05 is 5 % of the speed of A.
    pub fn regressions(&self, share: f64) -> Vec<&Pair> {
        let is_slower = |pair: &&Pair| pair.outcome == Outcome::Slower && 1.0 - pair.ratio > share;
        self.pairs.iter().filter(is_slower).collect()
    }

    /// Names of units that may be slower by more than `share`, which nothing here can tell: disturbed or invalid ones, and
    /// differences that one run on each side cannot confirm.
    pub fn not_judged(&self, share: f64) -> Vec<String> {
        let may_be_slower = |pair: &&Pair| match pair.outcome {
            Outcome::NotJudged => true,
            Outcome::Unconfirmed => 1.0 - pair.ratio > share,
            Outcome::Faster | Outcome::Slower | Outcome::NotShown => false,
        };
        let pairs = self.pairs.iter().filter(may_be_slower).map(Pair::name);
        let invalid = self.left_out.iter().filter(|it| it.is_invalid);
        let invalid = invalid.map(|it| bench_run_dir::format::foreign_short(&it.unit, 100));
        let mut names: Vec<String> = pairs.chain(invalid).collect();
        // What is invalid on both sides stands there twice.
        names.sort();
        names.dedup();
        names
    }
}

fn side(subjects: &[Subject]) -> Side {
    let name = |subject: &Subject| SubjectName {
        run_id: subject.manifest.run_id.clone(),
        host: subject.host.name().to_owned(),
        board: subject.host.data.record.board.clone(),
        state: match subject.state {
            State::Reported => "reported",
            State::AsFound => "as_found",
        },
    };
    Side {
        subjects: subjects.iter().map(name).collect(),
    }
}

/// A pair whose outcome is not named yet.
fn compare_units(group: &pairing::Group, basis: Basis) -> Result<Pair, Message> {
    let (calm, disturbed_note) = pairing::undisturbed(group, basis);
    let group = &calm;
    let basis = match basis {
        Basis::Samples if group.n_rounds() >= stats::MIN_RUNS => Basis::Rounds,
        basis => basis,
    };
    let (metric, a) = figure(&group.a)?;
    let (metric_b, b) = figure(&group.b)?;
    if metric != metric_b {
        return Err(message!(
            "pair-other-metric",
            a = metric.sign(),
            b = metric_b.sign()
        ));
    }
    let speed_ratio = match metric {
        Metric::NsPerLoad => a.value / b.value,
        _ => b.value / a.value,
    };
    let known = match basis {
        Basis::Samples => of_samples(group, speed_ratio),
        Basis::Rounds => of_rounds(group, speed_ratio),
        Basis::Runs => of_runs(group, metric),
    };
    let mut notes = pairing::notes(group);
    if known.is_none() {
        notes.insert(0, too_few(basis, a, b));
    }
    let is_judged = !matches!(disturbed_note, Some(pairing::Disturbed::All(_)));
    if let Some(pairing::Disturbed::All(note) | pairing::Disturbed::Some(note)) = disturbed_note {
        notes.insert(0, note);
    }
    Ok(Pair {
        unit_a: group.name().to_owned(),
        unit_b: group.name_b().to_owned(),
        metric,
        basis,
        a,
        b,
        ratio: speed_ratio,
        low: known.map(|known| known.low),
        high: known.map(|known| known.high),
        p_value: known.map(|known| known.p_value),
        false_discovery_rate: None,
        outcome: match is_judged {
            true => Outcome::NotShown,
            false => Outcome::NotJudged,
        },
        notes,
    })
}

fn too_few(basis: Basis, a: Figure, b: Figure) -> Message {
    match basis {
        Basis::Samples => message!(
            "pair-few-samples",
            a = a.n_samples,
            b = b.n_samples,
            least = stats::MIN_SAMPLES,
        ),
        Basis::Rounds | Basis::Runs => message!(
            "pair-few-runs",
            a = a.n_runs,
            b = b.n_runs,
            least = stats::MIN_RUNS,
        ),
    }
}

fn figure(units: &[&Judged]) -> Result<(Metric, Figure), Message> {
    let figures: Option<Vec<(Metric, f64)>> = units.iter().map(|unit| Metric::of(unit)).collect();
    let figures = figures.filter(|figures| !figures.is_empty());
    let figures = figures.ok_or_else(|| message!("pair-no-rate"))?;
    let metric = figures[0].0;
    if figures.iter().any(|(other, _)| *other != metric) {
        return Err(message!("pair-mixed-metrics"));
    }
    let value = match figures.as_slice() {
        [(_, only)] => *only,
        several => {
            let logs: f64 = several.iter().map(|(_, value)| value.ln()).sum();
            (logs / several.len() as f64).exp()
        }
    };
    Ok((
        metric,
        Figure {
            value,
            n_samples: units.iter().map(|unit| unit.used_samples().count()).sum(),
            n_rounds: units.iter().map(|unit| unit.round_medians_ns().len()).sum(),
            n_runs: units.len(),
        },
    ))
}

fn of_samples(group: &pairing::Group, speed_ratio: f64) -> Option<Ratio> {
    let (a, b) = (group.a.first()?, group.b.first()?);
    let seed = stats::seed_of(&[&a.unit, &b.unit]);
    let of_times = stats::ratio_of_medians(&a.ns_per_iteration(), &b.ns_per_iteration(), seed)?;
    // An iteration may be another amount of work on the other side.
    Some(of_times.scaled(speed_ratio / of_times.ratio))
}

/// The medians of rounds; an iteration may be another amount of work on the other side.
fn of_rounds(group: &pairing::Group, speed_ratio: f64) -> Option<Ratio> {
    let (a, b) = (group.a.first()?, group.b.first()?);
    let of_times = stats::ratio_of_runs(&a.round_medians_ns(), &b.round_medians_ns())?;
    Some(of_times.scaled(speed_ratio / of_times.ratio))
}

fn of_runs(group: &pairing::Group, metric: Metric) -> Option<Ratio> {
    let figures = |units: &[&Judged]| -> Vec<f64> {
        let figures = units.iter().filter_map(|unit| Metric::of(unit));
        figures.map(|(_, value)| value).collect()
    };
    let (a, b) = (figures(&group.a), figures(&group.b));
    match metric {
        Metric::NsPerLoad => stats::ratio_of_runs(&a, &b),
        _ => stats::ratio_of_runs(&b, &a),
    }
}

/// Names the outcomes of all pairs; returns how many were tested for what may be confirmed.
///
/// Both must speak for a difference: the test that knows how many pairs there are, and the interval that knows how samples
/// resemble each other. Pairs of different bases are tested apart: single runs show too much, and what they show would
/// make the others' test too easy.
fn name_outcomes(pairs: &mut [Pair]) -> usize {
    let mut n_tested = 0;
    for basis in [Basis::Samples, Basis::Rounds, Basis::Runs] {
        let is_tested = |pair: &Pair| {
            pair.basis == basis && pair.outcome != Outcome::NotJudged && pair.p_value.is_some()
        };
        let mut tested: Vec<&mut Pair> = pairs.iter_mut().filter(|pair| is_tested(pair)).collect();
        let p_values: Vec<f64> = tested.iter().filter_map(|pair| pair.p_value).collect();
        let rates = stats::false_discovery_rates(&p_values);
        for (pair, rate) in tested.iter_mut().zip(&rates) {
            name_outcome(pair, *rate, p_values.len());
        }
        if basis != Basis::Samples {
            n_tested += p_values.len();
        }
    }
    n_tested
}

fn name_outcome(pair: &mut Pair, rate: f64, n_tested: usize) {
    pair.false_discovery_rate = Some(rate);
    let (Some(low), Some(high)) = (pair.low, pair.high) else {
        return;
    };
    let excludes_one = low > 1.0 || high < 1.0;
    pair.outcome = match (rate <= MAX_FALSE_DISCOVERY_RATE, pair.basis) {
        (true, Basis::Samples) if excludes_one => Outcome::Unconfirmed,
        (true, _) if low > 1.0 => Outcome::Faster,
        (true, _) if high < 1.0 => Outcome::Slower,
        _ => Outcome::NotShown,
    };
    if excludes_one && pair.outcome == Outcome::NotShown {
        pair.notes
            .push(message!("pair-many-looked-at", n = n_tested));
    }
}

#[cfg(test)]
mod tests;
