//! The race among the shapes of a kernel: which one this board measures.
//!
//! Every shape is tried in turn, round after round, so that a neighbour who takes the memory for a moment takes it from
//! all. After each round those that stay behind the leader leave; the margin becomes smaller from round to round. In one
//! round all run once more: who met a neighbour each time it was tried gets another chance. Of those within 1 % of the
//! best in the end the first in the kernel's table runs: two races on one machine choose the same shape, or one that is as
//! fast.

use std::time::{Duration, Instant};

use bench_protocol::{Race, Tried};

use crate::kernels::{Choice, Kernel};
use crate::pool::Pool;

/// Aimed time of a trial: a thousand times what starting the threads costs.
const TRIAL: Duration = Duration::from_millis(4);

/// Rounds at most.
const MOST_ROUNDS: usize = 15;

/// Rounds before the race may be ended for want of time: below three a single outlier decides.
const LEAST_ROUNDS: usize = 3;

/// The round in which those that left run again.
const SECOND_CHANCE: usize = 5;

/// Shapes this close to the best are as fast as it.
const AS_FAST: f64 = 0.99;

/// Least share of the leader's median that the best trial of a shape must reach to stay after so many rounds. Its best,
/// since neighbours make trials slower and never faster: who was hit by one in most of three rounds is not out for it.
fn keeps_up(n_rounds: usize) -> f64 {
    match n_rounds {
        0..=1 => 0.0,
        2 => 0.6,
        3..=4 => 0.85,
        5..=7 => 0.93,
        _ => 0.97,
    }
}

/// How a race ended.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The one that runs.
    pub winner: usize,
    /// Rates of every one in the rounds it ran in.
    pub rates: Vec<Vec<Trial>>,
}

/// Round and rate of a trial.
type Trial = (usize, f64);

impl Outcome {
    /// Median rate of one.
    pub fn rate(&self, idx: usize) -> f64 {
        typical(&self.rates[idx])
    }
}

/// Races `n` runners; `trial` tries one and returns its rate, `is_late` says whether the time is used up.
pub(super) fn race(
    n: usize,
    mut trial: impl FnMut(usize) -> f64,
    mut is_late: impl FnMut() -> bool,
) -> Outcome {
    let mut rates = vec![Vec::new(); n];
    let mut running: Vec<usize> = (0..n).collect();
    for round in 0..MOST_ROUNDS {
        let is_decided = n < 2 || running.len() < 2 && round > SECOND_CHANCE;
        if is_decided || round >= LEAST_ROUNDS && is_late() {
            break;
        }
        if round == SECOND_CHANCE {
            running = (0..n).collect();
        }
        // Nobody always follows the same other one, and what drifts within a round favours nobody.
        let mut order = running.clone();
        order.rotate_left(round % running.len().max(1));
        if round % 2 == 1 {
            order.reverse();
        }
        for idx in order {
            rates[idx].push((round, trial(idx)));
        }
        let leading = typical(&rates[leader(&rates, &running)]);
        running.retain(|&idx| best(&rates[idx]) >= keeps_up(round + 1) * leading);
    }
    let leader = leader(&rates, &running);
    let is_as_fast = |&&idx: &&usize| lead(&rates, idx, leader) >= AS_FAST;
    let winner = running.iter().find(is_as_fast).copied().unwrap_or(leader);
    Outcome { winner, rates }
}

/// The one that is ahead of every other, as far as there is one: the highest median, unless another beat it in most of
/// the rounds that both ran in.
fn leader(rates: &[Vec<Trial>], running: &[usize]) -> usize {
    let by_median = |a: &usize, b: &usize| typical(&rates[*a]).total_cmp(&typical(&rates[*b]));
    let first = running.iter().copied().max_by(by_median).unwrap_or(0);
    let by_lead = |a: &usize, b: &usize| {
        let (a, b) = (lead(rates, *a, first), lead(rates, *b, first));
        a.total_cmp(&b)
    };
    running.iter().copied().max_by(by_lead).unwrap_or(first)
}

/// Rate of one as a share of another's: the median over the rounds that both ran in, each with the same neighbours.
fn lead(rates: &[Vec<Trial>], idx: usize, other: usize) -> f64 {
    let ratios = rates[idx].iter().filter_map(|(round, rate)| {
        let (_, other) = rates[other].iter().find(|(other, _)| other == round)?;
        Some(rate / other)
    });
    median(ratios.collect())
}

fn best(trials: &[Trial]) -> f64 {
    trials.iter().map(|(_, rate)| *rate).fold(0.0, f64::max)
}

fn typical(trials: &[Trial]) -> f64 {
    median(trials.iter().map(|(_, rate)| *rate).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 1.0,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

/// Races the shapes of each choice of a kernel, one choice after the other, within about `budget` in all, and leaves it in
/// the fastest.
///
/// `None` where there is nothing to choose.
pub(super) fn choose_shape(kernel: &mut dyn Kernel, pool: &Pool, budget: Duration) -> Option<Race> {
    let started = Instant::now();
    let choices = kernel.choices();
    let each = budget / choices.len().max(1) as u32;
    let choices = choices.iter().enumerate();
    let tried = choices
        .filter(|(_, choice)| choice.names.len() >= 2)
        .flat_map(|(choice_idx, choice)| settle(kernel, choice_idx, choice, pool, each));
    let tried: Vec<Tried> = tried.collect();
    (!tried.is_empty()).then(|| Race {
        tried,
        elapsed_ns: started.elapsed().as_nanos() as u64,
    })
}

/// Races the shapes of one choice.
fn settle(
    kernel: &mut dyn Kernel,
    choice_idx: usize,
    choice: &Choice,
    pool: &Pool,
    budget: Duration,
) -> Vec<Tried> {
    let started = Instant::now();
    let n_shapes = choice.names.len();
    let at_most = budget / (LEAST_ROUNDS * n_shapes) as u32;
    let n_slices = slices_per_trial(kernel, choice_idx, pool, at_most);
    let mut next_slice = n_slices;
    let trial = |shape_idx: usize| {
        kernel.take_shape(choice_idx, shape_idx);
        kernel.forget_slices(choice_idx, pool);
        let trial_started = Instant::now();
        let amount = kernel.run_slices(choice_idx, pool, next_slice, n_slices);
        let elapsed = trial_started.elapsed();
        next_slice += n_slices;
        amount as f64 / elapsed.as_secs_f64().max(1e-9)
    };
    let outcome = race(n_shapes, trial, || started.elapsed() >= budget);
    kernel.take_shape(choice_idx, outcome.winner);
    let tried = (0..n_shapes).map(|idx| Tried {
        shape: choice.name(idx),
        bytes_per_s: outcome.rate(idx) as u64,
        n_trials: outcome.rates[idx].len() as u32,
    });
    tried.collect()
}

/// Slices that fill a trial, by untimed ones of the usual shape.
fn slices_per_trial(
    kernel: &mut dyn Kernel,
    choice_idx: usize,
    pool: &Pool,
    at_most: Duration,
) -> usize {
    let aim = TRIAL.min(at_most);
    let (mut first, mut n) = (0, 1);
    loop {
        let started = Instant::now();
        kernel.run_slices(choice_idx, pool, first, n);
        let elapsed = started.elapsed();
        if elapsed >= aim / 2 {
            let per_slice = elapsed.as_secs_f64() / n as f64;
            return ((aim.as_secs_f64() / per_slice).round() as usize).max(1);
        }
        first += n;
        n *= 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::numeric::split_mix;

    /// A machine with shapes of these speeds, whose neighbours come and go.
    struct Machine {
        speeds: Vec<f64>,
        state: u64,
        n_trials: usize,
        n_left_of_a_neighbour: usize,
        scatter: f64,
    }

    impl Machine {
        fn new(speeds: &[f64], seed: u64, scatter: f64) -> Machine {
            Machine {
                speeds: speeds.to_vec(),
                state: seed,
                n_trials: 0,
                n_left_of_a_neighbour: 0,
                scatter,
            }
        }

        fn uniform(&mut self) -> f64 {
            split_mix(&mut self.state) as f64 / u64::MAX as f64
        }

        /// Scatter of twelve uniform numbers, a drift of a fifth over 100 trials, an outlier in twenty, and neighbours
        /// that take a third of the bandwidth for some trials.
        fn trial(&mut self, idx: usize) -> f64 {
            self.n_trials += 1;
            if self.n_left_of_a_neighbour == 0 && self.uniform() < 0.02 {
                self.n_left_of_a_neighbour = 1 + (self.uniform() * 12.0) as usize;
            }
            self.n_left_of_a_neighbour = self.n_left_of_a_neighbour.saturating_sub(1);
            let normal = (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0;
            let outlier = if self.uniform() < 0.05 { 0.6 } else { 1.0 };
            let neighbour = if self.n_left_of_a_neighbour > 0 {
                0.67
            } else {
                1.0
            };
            let drift = 1.0 - 0.2 * (self.n_trials as f64 / 100.0).min(1.0);
            self.speeds[idx] * (1.0 + self.scatter * normal) * outlier * neighbour * drift
        }

        fn race(&mut self) -> Outcome {
            race(self.speeds.len(), |idx| self.trial(idx), || false)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 500 }, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whichever shape is the best: without noise it wins, or one within 1 %.
        #[test]
        fn finds_the_best_shape(speeds in prop::collection::vec(0.3f64..1.0, 1..16)) {
            let best = speeds.iter().copied().fold(0.0, f64::max);
            let winner = race(speeds.len(), |idx| speeds[idx], || false).winner;
            prop_assert!(speeds[winner] >= 0.99 * best, "{} of {best}", speeds[winner]);
        }
    }

    /// With noise none can always be right; 3 in 10 000 are wrong by over 2 %.
    #[test]
    #[cfg_attr(miri, ignore = "thousands of races")]
    fn finds_the_best_shape_among_neighbours() {
        let mut n_slower = 0;
        for seed in 0..4000 {
            let mut state = seed;
            let mut random = || split_mix(&mut state) as f64 / u64::MAX as f64;
            let n_shapes = 1 + (random() * 15.0) as usize;
            let speeds: Vec<f64> = (0..n_shapes).map(|_| 0.3 + 0.7 * random()).collect();
            let best = speeds.iter().copied().fold(0.0, f64::max);
            let winner = Machine::new(&speeds, seed, 0.005).race().winner;
            n_slower += usize::from(speeds[winner] < 0.98 * best);
        }
        assert!(n_slower <= 8, "{n_slower} of 4000 over 2 % behind");
    }

    /// As on the machines measured: some shapes alike, some behind.
    #[test]
    #[cfg_attr(miri, ignore = "thousands of races")]
    fn two_races_choose_shapes_that_are_equally_fast() {
        let speeds = [
            1.0, 0.995, 0.98, 0.93, 0.9, 0.88, 0.85, 0.85, 0.8, 0.7, 0.6, 0.5,
        ];
        let (mut n_slower, mut n_apart) = (0, 0);
        for seed in 0..1000 {
            let mut rotated = speeds;
            rotated.rotate_right(seed as usize % speeds.len());
            let choose = |seed| rotated[Machine::new(&rotated, seed, 0.01).race().winner];
            let (a, b) = (choose(2 * seed), choose(2 * seed + 1));
            n_slower += usize::from(a.min(b) < 0.98);
            n_apart += usize::from((a - b).abs() > 0.01);
        }
        let counts = format!("of 1000 pairs {n_slower} over 2 % behind, {n_apart} over 1 % apart");
        assert!(n_slower <= 10 && n_apart <= 20, "{counts}");
    }

    #[test]
    fn those_that_fall_behind_leave_early() {
        let outcome = race(3, |idx| [1.0, 0.5, 0.999][idx], || false);
        let n_trials: Vec<usize> = outcome.rates.iter().map(Vec::len).collect();
        assert_eq!((outcome.winner, n_trials), (0, vec![15, 3, 15]));
        // The first of those that are as fast, not the fastest.
        assert_eq!(race(2, |idx| [0.995, 1.0][idx], || false).winner, 0);
        assert_eq!(race(2, |idx| [0.98, 1.0][idx], || false).winner, 1);
        // Little time: three rounds, whatever they cost.
        let outcome = race(2, |idx| [1.0, 0.99][idx], || true);
        assert_eq!(outcome.rates[0].len(), 3);
        assert_eq!(race(1, |_| panic!("nobody to race"), || false).winner, 0);
    }
}
