//! A time budget for each host: which units come first, and which are left out when the time is short.

use std::fmt;
use std::str::FromStr;

use bench_protocol::{Job, Pages, Residency, RunRequest, UnitSpec, race_budget_ms};
use bench_run_dir::{LeftOut, LeftOutUnit, format};

use crate::plan;

/// Connecting, uploading the program and asking for facts, milliseconds: what a host costs before its first unit.
pub const HOST_MS: u64 = 5_000;

/// Setting a unit up, filling its arrays and checking its output, milliseconds.
const SET_UP_MS: u64 = 500;

/// The same for a language model: its weights are made and a step is compared with the reference.
const MODEL_SET_UP_MS: u64 = 3_000;

/// What the units of a line are about, and which they are.
type Line = (&'static str, fn(&UnitSpec) -> bool);

/// What a unit is about, the most valuable first: one good figure for each question, and what it is compared with.
///
/// Within a line the first unit of each kernel with the most CPUs is the figure. All others of that kernel (fewer CPUs,
/// other formats, depths and sizes) are repeats and come after the figures of all lines, in the same order.
const ORDER: [Line; 9] = [
    ("reading and copying DRAM: the wall itself", |unit| {
        is_stream(unit, Residency::Dram) && matches!(unit.kernel.as_str(), "read" | "copy")
    }),
    ("generating tokens: what the wall is about", |unit| {
        is_plain(unit) && matches!(unit.job, Job::Decode { .. })
    }),
    ("matrices from DRAM: the kernel between both", |unit| {
        is_plain(unit) && residency(&unit.job) == Some(Residency::Dram) && is_gemv(&unit.job)
    }),
    ("latency of DRAM", |unit| {
        is_plain(unit)
            && residency(&unit.job) == Some(Residency::Dram)
            && matches!(unit.job, Job::Latency { .. })
    }),
    ("other traffic to DRAM", |unit| {
        is_stream(unit, Residency::Dram)
    }),
    ("reading prompts", |unit| {
        is_plain(unit) && matches!(unit.job, Job::Prefill { .. } | Job::Gemm { .. })
    }),
    ("arithmetic alone", |unit| {
        is_plain(unit) && matches!(unit.job, Job::Peak {})
    }),
    ("caches: the kernel without the wall", |unit| {
        is_plain(unit) && residency(&unit.job) == Some(Residency::Cache)
    }),
    // Sweeps over sizes, small pages, other traffic beside a unit.
    ("experiments", |_| true),
];

/// The line of [`ORDER`] whose units answer no question alone: all of them are repeats.
const EXPERIMENTS: usize = ORDER.len() - 1;

/// Time that each host is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Seconds.
    pub seconds: u64,
}

/// A budget that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time; write a whole number with its unit, for instance `90s`, `45m` or `2h`")]
pub struct NoBudget(String);

impl FromStr for Budget {
    type Err = NoBudget;

    fn from_str(text: &str) -> Result<Budget, NoBudget> {
        let error = || NoBudget(text.to_owned());
        let unit = text.chars().last().ok_or_else(error)?;
        let factor = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return Err(error()),
        };
        let number: u64 = text[..text.len() - 1].parse().map_err(|_| error())?;
        match number.checked_mul(factor) {
            Some(seconds @ 1..=604_800) => Ok(Budget { seconds }),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.seconds)
    }
}

/// Orders the units by value and takes out those that do not fit; tells what was taken out, the most valuable first.
///
/// A unit that is too long makes room for shorter ones of less value. Every unit once comes before any unit again. Without
/// a budget nothing changes.
pub fn apply(request: &mut RunRequest, budget: Option<Budget>) -> Option<LeftOut> {
    let budget = budget?;
    let mut room_ms = (budget.seconds * 1000).saturating_sub(HOST_MS);
    let mut left_out: Vec<LeftOutUnit> = Vec::new();
    for unit in by_value(std::mem::take(&mut request.units)) {
        let unit_ms = unit_ms(&unit);
        if unit_ms <= room_ms {
            room_ms -= unit_ms;
            request.units.push(unit);
        } else if let Some(known) = left_out.iter_mut().find(|known| known.unit == unit.unit) {
            known.n_rounds += 1;
            known.estimated_ms += unit_ms;
        } else {
            left_out.push(LeftOutUnit {
                n_measured: unit.round,
                n_rounds: 1,
                unit: unit.unit,
                kernel: unit.kernel,
                estimated_ms: unit_ms,
            });
        }
    }
    request.deadline_ms = plan::deadline_ms(&request.units);
    (!left_out.is_empty()).then_some(LeftOut {
        budget_s: budget.seconds,
        units: left_out,
    })
}

/// The name of a unit that was left out, for people, and which rounds of it where that is not all.
pub fn left_out_name(unit: &LeftOutUnit) -> String {
    let name = format::foreign_short(&unit.unit, 80);
    match unit.n_measured {
        0 => name,
        n => said!(
            "run-rounds-left-out",
            unit = name,
            n = unit.n_rounds,
            n_all = n.saturating_add(unit.n_rounds),
        ),
    }
}

/// Time of sampling, milliseconds, at most about.
pub fn sampling_ms(unit: &UnitSpec) -> u64 {
    let sampling = unit.sampling;
    let least = u64::from(sampling.min_samples).saturating_mul(sampling.sample_ms);
    sampling.budget_ms.max(least)
}

/// Time of a unit with its set-up and the race among its shapes, milliseconds, by estimate. Sets of CPUs that it chooses
/// among are each set up, and share the time of one more race.
pub fn unit_ms(unit: &UnitSpec) -> u64 {
    let set_up_ms = match unit.job {
        Job::Decode { .. } | Job::Prefill { .. } => MODEL_SET_UP_MS,
        _ => SET_UP_MS,
    };
    let race_ms = match unit.shape {
        Some(_) => 0,
        None => race_budget_ms(unit.sampling, &unit.kernel),
    };
    let (n_set_ups, n_races) = match unit.candidates.len() as u64 {
        0..=1 => (1, 1),
        n_sets => (n_sets + 1, 2),
    };
    sampling_ms(unit) + n_set_ups * set_up_ms + n_races * race_ms
}

fn by_value(units: Vec<UnitSpec>) -> Vec<UnitSpec> {
    let lines: Vec<usize> = units.iter().map(line_of).collect();
    let is_figure = |i: usize| {
        let rivals = (0..units.len())
            .filter(|j| units[*j].round == units[i].round)
            .filter(|j| lines[*j] == lines[i] && units[*j].kernel == units[i].kernel);
        // `max_by_key` takes the last of several, the first unit of a suite is the plainest.
        let figure = rivals.rev().max_by_key(|j| n_cpus(&units[*j]));
        lines[i] != EXPERIMENTS && figure == Some(i)
    };
    let mut order: Vec<usize> = (0..units.len()).collect();
    order.sort_by_key(|i| (units[*i].round, !is_figure(*i), lines[*i], *i));
    let mut units: Vec<Option<UnitSpec>> = units.into_iter().map(Some).collect();
    let mut take = |i: usize| units[i].take();
    order.into_iter().filter_map(&mut take).collect()
}

fn line_of(unit: &UnitSpec) -> usize {
    let line = ORDER.iter().position(|(_, matches)| matches(unit));
    line.expect("the last line takes every unit")
}

/// A unit that chooses among sets of CPUs stands for the best of them.
fn n_cpus(unit: &UnitSpec) -> usize {
    let sets = unit.candidates.iter().map(Vec::len);
    sets.max().unwrap_or(unit.cpus.len())
}

fn is_stream(unit: &UnitSpec, wanted: Residency) -> bool {
    is_plain(unit) && matches!(unit.job, Job::Stream { .. }) && residency(&unit.job) == Some(wanted)
}

fn is_gemv(job: &Job) -> bool {
    matches!(job, Job::Gemv { .. })
}

/// Neither traffic beside it nor unusual pages.
fn is_plain(unit: &UnitSpec) -> bool {
    let pages = match unit.job {
        Job::Stream { pages, .. } | Job::Latency { pages, .. } => pages,
        _ => Pages::Huge,
    };
    unit.background.is_none() && pages == Pages::Huge
}

fn residency(job: &Job) -> Option<Residency> {
    match job {
        Job::Stream { residency, .. }
        | Job::Latency { residency, .. }
        | Job::Gemv { residency, .. } => Some(*residency),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bench_inventory::load_catalogue;

    use super::*;

    fn request(suite: &str) -> RunRequest {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../inventory");
        let inventory = load_catalogue(&root).unwrap_or_else(|error| panic!("{error}"));
        let facts = plan::assumed_facts(4);
        plan::request("run", &inventory.suites[suite], &inventory, &facts, false)
    }

    fn names(request: &RunRequest) -> Vec<&str> {
        request
            .units
            .iter()
            .map(|unit| unit.unit.as_str())
            .collect()
    }

    #[test]
    fn one_figure_for_each_question_comes_first() {
        let mut request = request("standard");
        let n_units = request.units.len();
        let budget = "24h".parse().unwrap();
        assert_eq!(apply(&mut request, Some(budget)), None);
        assert_eq!(request.units.len(), n_units);
        let names = names(&request);
        assert_eq!(names[..2], ["read/dram/t4", "copy/dram/t4"]);
        let place = |prefix: &str| names.iter().position(|name| name.starts_with(prefix));
        for (earlier, later) in [
            ("copy/dram/t4", "decode/"),
            ("decode/", "gemv_q4_0/dram"),
            ("gemv_q4_0/dram", "latency/dram"),
            ("latency/dram", "write/dram/t4"),
            ("write/dram/t4", "read/dram/t1"),
            ("read/dram/t1", "read/sweep"),
        ] {
            assert!(
                place(earlier) < place(later),
                "{earlier}, {later}: {names:?}"
            );
        }
        let mut first_round = request.units.iter().filter(|unit| unit.round == 0);
        let last = first_round.next_back().unwrap();
        assert_eq!(line_of(last), EXPERIMENTS, "{}", last.unit);
    }

    #[test]
    fn what_does_not_fit_is_named_and_the_rest_keeps_the_budget() {
        for suite in ["smoke", "quick", "standard", "full"] {
            let all = request(suite);
            for budget in ["1s", "10s", "30s", "3m", "1h"] {
                let budget: Budget = budget.parse().unwrap();
                let mut cut = all.clone();
                let left_out = apply(&mut cut, Some(budget)).map_or(Vec::new(), |it| it.units);
                let n_left_out: u32 = left_out.iter().map(|unit| unit.n_rounds).sum();
                assert_eq!(cut.units.len() + n_left_out as usize, all.units.len());
                let needed_ms: u64 = cut.units.iter().map(unit_ms).sum();
                let fits = needed_ms + HOST_MS <= budget.seconds * 1000;
                assert!(
                    fits || cut.units.is_empty(),
                    "{suite} {budget}: {needed_ms} ms"
                );
                let room_ms = (budget.seconds * 1000).saturating_sub(HOST_MS + needed_ms);
                for unit in &left_out {
                    let round_ms = unit.estimated_ms / u64::from(unit.n_rounds);
                    assert!(round_ms > room_ms, "{} would fit", unit.unit);
                    let of_unit = cut.units.iter().filter(|cut| cut.unit == unit.unit);
                    assert_eq!(of_unit.count(), unit.n_measured as usize, "{}", unit.unit);
                }
                assert_eq!(cut.deadline_ms, plan::deadline_ms(&cut.units));
            }
        }
    }

    #[test]
    fn without_a_budget_nothing_changes() {
        let all = request("quick");
        let mut same = all.clone();
        assert_eq!(apply(&mut same, None), None);
        assert_eq!(same, all);
    }

    #[test]
    fn a_race_takes_time_that_a_forced_shape_does_not() {
        let request = request("quick");
        let unit = |kernel: &str| {
            let mut units = request.units.iter();
            units.find(|unit| unit.kernel == kernel).unwrap().clone()
        };
        let mut read = unit("read");
        assert_eq!(unit_ms(&read), 1_500 + SET_UP_MS + 375);
        read.shape = Some("v256x8".into());
        assert_eq!(unit_ms(&read), 1_500 + SET_UP_MS);
        assert_eq!(unit_ms(&unit("latency")), 1_000 + SET_UP_MS);
    }

    #[test]
    fn reads_times_with_their_unit() {
        let seconds = |text: &str| text.parse::<Budget>().map(|budget| budget.seconds);
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("45m"), Ok(2700));
        assert_eq!(seconds("2h"), Ok(7200));
        for wrong in ["", "45", "m", "-1m", "0s", "1.5h", "99999h", "é"] {
            let error = seconds(wrong).unwrap_err().to_string();
            assert!(error.contains("`45m`"), "{wrong}: {error}");
        }
    }
}
