//! Finds where the figure of a line changed and stayed changed.
//!
//! Works on logarithms, so that a change is a ratio, and on medians and median deviations, so that single nights move
//! nothing. Nights that resemble the one before are expected: how far a line wanders in several nights decides what is
//! ordinary. Deterministic. Refuses to know what a line is.

use bench_locales::{Message, message};

/// Nights that must agree before a change is confirmed.
pub const CONFIRM_NIGHTS: usize = 3;

/// Nights whose median is the figure after a change; the figure before is that of all nights since the change before.
pub const LEVEL_NIGHTS: usize = 7;

/// Nights of a line before anything is looked for: fewer say nothing about how its nights scatter.
pub const MIN_NIGHTS: usize = 7;

/// A change is smaller than what scatters unless it is this many deviations of one night.
const DEVIATIONS: f64 = 4.0;

/// The same for a night that stands alone: nothing after it agrees, so it must stand out more.
const DEVIATIONS_ALONE: f64 = 6.0;

/// Smallest change that is reported, as a logarithm: 2 %. Below it the reason is rarely worth looking for.
const LEAST: f64 = 0.02;

/// The same for a night that stands alone: 5 %.
const LEAST_ALONE: f64 = 0.05;

/// Nights that the scatter is estimated from, the newest.
const SCATTER_NIGHTS: usize = 120;

/// Nights lie at most this far apart when it is asked how far a line wanders: with a correlation of 0.7 from night to night,
/// two that are ten apart are independent (0.03).
const MAX_LAG: usize = 10;

/// Strongest correlation from night to night that is believed: above it a drift could not be told from it.
const MAX_CORRELATION: f64 = 0.75;

/// What is added to the scatter for each night's worth of evidence that is missing: few nights may be calm by chance,
/// which would call ordinary ones a change. Found by simulation, as the tests below repeat it.
const OF_FEW: f64 = 5.0;

/// The median absolute deviation of a normal distribution is this share of its standard deviation.
const MAD_OF_NORMAL: f64 = 0.674_489_750_196_081_7;

/// A place where a line changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Number of the first value that differs.
    pub at: usize,
    /// How sure it is.
    pub standing: Standing,
    /// Median of the values before, back to the change before.
    pub before: f64,
    /// Median of up to [`LEVEL_NIGHTS`] values from there on; of the values that stand out, where it is not confirmed.
    pub after: f64,
}

/// How sure a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// At least [`CONFIRM_NIGHTS`] nights in a row agree.
    Confirmed,
    /// The newest nights, this many, too few to confirm it.
    Newest(usize),
    /// Stood out for this many nights, fewer than confirm a change, and went back.
    Passed(usize),
}

impl Standing {
    /// The words people read.
    pub fn message(self) -> Message {
        match self {
            Standing::Confirmed => message!("standing-confirmed"),
            Standing::Newest(n) => message!("standing-newest", n = n),
            Standing::Passed(n) => message!("standing-passed", n = n),
        }
    }

    /// Whether the line is still there, as far as is known: nights that passed are no change.
    pub fn is_lasting(self) -> bool {
        !matches!(self, Standing::Passed(_))
    }
}

/// Finds changes in the positive values of a line, oldest first.
pub fn find(values: &[f64]) -> Vec<Found> {
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let mut found = Vec::new();
    let mut level = Level::default();
    let mut i = 1;
    while i < logs.len() {
        let middle_before = level.middle(&logs, i);
        // Most nights are ordinary, whatever the scatter.
        let is_ordinary = (logs[i] - middle_before).abs() <= LEAST / 2.0;
        let scatter = (!is_ordinary)
            .then(|| scatter(&level.flat(&logs[..i])))
            .flatten();
        let Some(scatter) = scatter else {
            i += 1;
            continue;
        };
        let unsure = scatter.of_level(i - level.from);
        let threshold = (DEVIATIONS * scatter.of_night * unsure).max(LEAST);
        let beyond = |log: f64, share: f64| (log - middle_before).abs() > share * threshold;
        let up = logs[i] > middle_before;
        let window = &logs[i..logs.len().min(i + CONFIRM_NIGHTS)];
        let n_agree = (window.iter())
            .take_while(|log| (**log > middle_before) == up && beyond(**log, 0.5))
            .count();
        let middle = median(&window[..n_agree]);
        if n_agree == CONFIRM_NIGHTS && beyond(middle, 1.0) {
            let at = split(&logs, level.from, i);
            let before = median(&logs[level.from..at]);
            found.push(Found {
                at,
                standing: Standing::Confirmed,
                before: before.exp(),
                // Set once it is known where the level ends.
                after: f64::NAN,
            });
            level.begin(at, median(&logs[at..i + CONFIRM_NIGHTS]) - before);
            i = at + CONFIRM_NIGHTS;
            continue;
        }
        let alone = (DEVIATIONS_ALONE * scatter.of_night * unsure).max(LEAST_ALONE);
        if n_agree > 0 && (middle - middle_before).abs() > alone {
            let is_newest = i + n_agree == logs.len();
            found.push(Found {
                at: i,
                standing: match is_newest {
                    true => Standing::Newest(n_agree),
                    false => Standing::Passed(n_agree),
                },
                before: middle_before.exp(),
                after: middle.exp(),
            });
            i += n_agree;
            continue;
        }
        i += 1;
    }
    set_levels_after(&mut found, &logs);
    // Three nights may lie further away than those that follow.
    found.retain(|change| (change.after / change.before).ln().abs() >= LEAST);
    found
}

/// The power that is left: the smallest step after the newest value, as a share of it, that the next [`CONFIRM_NIGHTS`] values
/// would confirm four times in five. `None` of a line with too few values for any.
pub fn visible_step(values: &[f64], found: &[Found]) -> Option<f64> {
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let mut level = Level::default();
    for change in found.iter().filter(|it| it.standing == Standing::Confirmed) {
        level.begin(change.at, (change.after / change.before).ln());
    }
    let scatter = scatter(&level.flat(&logs))?;
    let unsure = scatter.of_level(logs.len() - level.from);
    let threshold = (DEVIATIONS * scatter.of_night * unsure).max(LEAST);
    // Half of the steps as large as the threshold itself fall short of it.
    Some((threshold + scatter.of_night).exp() - 1.0)
}

/// The values since the newest change, and what the changes before have moved.
#[derive(Debug, Default)]
struct Level {
    from: usize,
    /// Where each level ended, and by how much the next one is higher.
    steps: Vec<(usize, f64)>,
}

impl Level {
    fn begin(&mut self, at: usize, step: f64) {
        self.from = at;
        self.steps.push((at, step));
    }

    fn middle(&self, logs: &[f64], end: usize) -> f64 {
        median(&logs[self.from..end])
    }

    /// All values as if no change had been: known steps are no scatter.
    fn flat(&self, logs: &[f64]) -> Vec<f64> {
        let mut flat = logs.to_vec();
        for (at, step) in &self.steps {
            flat[..*at].iter_mut().for_each(|log| *log += step);
        }
        flat
    }
}

/// The level after a confirmed change lasts until the next one.
fn set_levels_after(found: &mut [Found], logs: &[f64]) {
    let mut end = logs.len();
    for change in found.iter_mut().rev() {
        if change.standing == Standing::Confirmed {
            change.after = median(&logs[change.at..end.min(change.at + LEVEL_NIGHTS)]).exp();
            end = change.at;
        }
    }
}

/// Where the values before and after the change fit their own medians best: the night that first stood out, or one
/// beside it.
fn split(logs: &[f64], from: usize, first: usize) -> usize {
    let start = first.saturating_sub(LEVEL_NIGHTS).max(from);
    let end = logs.len().min(first + CONFIRM_NIGHTS);
    let cost = |at: usize| {
        let of = |part: &[f64]| {
            let middle = median(part);
            part.iter().map(|log| (log - middle).abs()).sum::<f64>()
        };
        of(&logs[start..at]) + of(&logs[at..end])
    };
    // Not before the third value of a level: a level of fewer has no median worth the name.
    let candidates = [first, first + 1, first.saturating_sub(1)];
    (candidates.into_iter())
        .filter(|at| *at > start + 1 && *at < end)
        .min_by(|a, b| cost(*a).total_cmp(&cost(*b)))
        .unwrap_or(first)
}

/// How a line scatters where nothing changed.
#[derive(Debug, Clone, Copy)]
struct Scatter {
    /// Standard deviation of one night around its level.
    of_night: f64,
    /// Nights that say as much about a level as one independent night.
    n_alike: f64,
}

impl Scatter {
    /// What is added because the level is the median of few nights.
    fn of_level(self, n_nights: usize) -> f64 {
        (1.0 + 2.0 * self.n_alike / n_nights as f64).sqrt()
    }
}

/// The scatter of a line, from the median absolute differences of nights; steps and single nights hardly move it. `None` for
/// too few values.
///
/// Neighbours that resemble each other differ by less than the line scatters: of a line whose nights are correlated by `r`
/// (AR(1)), nights `k` apart differ by `sqrt(2 (1 - r^k))` deviations. So the deviation is taken from nights some way
/// apart, `r` from how much less neighbours differ, and a level of `n` nights is known as well as by
/// `n (1 - r) / (1 + r)` independent ones.
fn scatter(logs: &[f64]) -> Option<Scatter> {
    if logs.len() < MIN_NIGHTS {
        return None;
    }
    let newest = &logs[logs.len().saturating_sub(SCATTER_NIGHTS + 1)..];
    let mut differences = Vec::with_capacity(newest.len());
    // Two nights make a difference, so its deviation is that of a night times the root of two.
    let mut deviation = |lag: usize| {
        differences.clear();
        differences.extend(
            newest
                .windows(lag + 1)
                .map(|nights| (nights[lag] - nights[0]).abs()),
        );
        let middle = differences.len() / 2;
        let (_, middle, _) = differences.select_nth_unstable_by(middle, f64::total_cmp);
        *middle / MAD_OF_NORMAL / std::f64::consts::SQRT_2
    };
    let of_neighbours = deviation(1);
    let last = MAX_LAG.min(newest.len() / 3).max(1);
    let lags = last.div_ceil(2)..=last;
    let n_lags = lags.clone().count() as f64;
    let apart = lags.map(&mut deviation).sum::<f64>() / n_lags;
    let of_night = apart.max(of_neighbours);
    let correlation = match of_night > 0.0 {
        true => (1.0 - (of_neighbours / of_night).powi(2)).min(MAX_CORRELATION),
        false => 0.0,
    };
    let n_alike = (1.0 + correlation) / (1.0 - correlation);
    let n = (newest.len() - 1) as f64;
    Some(Scatter {
        of_night: of_night * (1.0 + OF_FEW * n_alike / n),
        n_alike,
    })
}

/// Median; 0 of nothing, which callers do not ask for.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    bench_analysis::stats::median(&sorted).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value scattered around `level` by about `deviation` of it: the sum of twelve is nearly normal.
    fn around(level: f64, deviation: f64, rng: &mut fastrand::Rng) -> f64 {
        let normal: f64 = (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        level * (deviation * normal).exp()
    }

    fn line(n: usize, deviation: f64, seed: u64, level: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut rng = fastrand::Rng::with_seed(seed);
        (0..n)
            .map(|i| around(level(i), deviation, &mut rng))
            .collect()
    }

    fn confirmed(found: &[Found]) -> Vec<usize> {
        let confirmed = found.iter().filter(|it| it.standing == Standing::Confirmed);
        confirmed.map(|it| it.at).collect()
    }

    #[test]
    fn finds_a_step_where_it_is() {
        for seed in 0..200 {
            let values = line(60, 0.01, seed, |i| if i < 30 { 20.0 } else { 16.0 });
            let found = find(&values);
            assert_eq!(confirmed(&found), [30], "seed {seed}: {found:?}");
            let change = found
                .iter()
                .find(|it| it.standing == Standing::Confirmed)
                .unwrap();
            assert!((change.before / 20.0 - 1.0).abs() < 0.02, "{change:?}");
            assert!((change.after / 16.0 - 1.0).abs() < 0.02, "{change:?}");
        }
    }

    #[test]
    fn finds_two_steps_close_together() {
        let level = |i| match i {
            0..20 => 20.0,
            20..25 => 16.0,
            _ => 12.0,
        };
        let found = find(&line(50, 0.01, 7, level));
        assert_eq!(confirmed(&found), [20, 25], "{found:?}");
    }

    #[test]
    fn a_single_night_is_no_change() {
        let level = |i| if i == 20 { 15.0 } else { 20.0 };
        let found = find(&line(40, 0.01, 3, level));
        assert_eq!(confirmed(&found), [] as [usize; 0]);
        assert_eq!(
            found
                .iter()
                .map(|it| (it.at, it.standing))
                .collect::<Vec<_>>(),
            [(20, Standing::Passed(1))]
        );
    }

    #[test]
    fn the_newest_nights_wait_for_more() {
        for (n_new, expect) in [
            (1, Standing::Newest(1)),
            (2, Standing::Newest(2)),
            (3, Standing::Confirmed),
        ] {
            let level = |i| if i < 30 { 20.0 } else { 15.0 };
            let found = find(&line(30 + n_new, 0.01, 5, level));
            assert_eq!(
                found
                    .iter()
                    .map(|it| (it.at, it.standing))
                    .collect::<Vec<_>>(),
                [(30, expect)]
            );
        }
    }

    #[test]
    fn a_drift_is_found_once_it_is_large_enough() {
        // 0.2 % a night, 26 % in all: no night differs from the one before.
        let found = find(&line(150, 0.005, 11, |i| 20.0 * 0.998_f64.powi(i as i32)));
        let n = confirmed(&found).len();
        assert!((1..=8).contains(&n), "{found:?}");
        assert!(found.iter().all(|it| it.after < it.before), "{found:?}");
    }

    #[test]
    fn too_few_nights_say_nothing() {
        assert_eq!(find(&[]), []);
        assert_eq!(find(&[20.0, 10.0, 20.0, 10.0, 20.0, 30.0]), []);
    }

    #[test]
    fn equal_values_are_no_change() {
        assert_eq!(find(&[12.5; 40]), []);
    }

    /// Lines of a year around one level: nights correlated by `correlation`, each scattered by `deviation`.
    fn year(deviation: f64, correlation: f64, rng: &mut fastrand::Rng) -> Vec<f64> {
        let fresh = (1.0 - correlation * correlation).sqrt();
        let mut off = around(1.0, deviation, rng).ln();
        (0..365)
            .map(|_| {
                off = correlation * off + fresh * around(1.0, deviation, rng).ln();
                20.0 * off.exp()
            })
            .collect()
    }

    /// Lines with a confirmed change, and single nights that stood out, among so many lines of a year.
    fn alarms(n_lines: usize, mut line: impl FnMut(usize) -> Vec<f64>) -> (usize, usize) {
        let (mut n_confirmed, mut n_single) = (0, 0);
        for idx in 0..n_lines {
            let found = find(&line(idx));
            n_confirmed += usize::from(!confirmed(&found).is_empty());
            n_single += found.len() - confirmed(&found).len();
        }
        (n_confirmed, n_single)
    }

    /// What METHODOLOGY.md states: of 100 lines of a year that only scatter, fewer than 2 have a confirmed change, however
    /// much a night resembles the one before.
    #[test]
    fn noise_alone_is_rarely_called_a_change() {
        let n_lines = 300;
        for correlation in [0.0, 0.5, 0.7] {
            let mut rng = fastrand::Rng::with_seed(17);
            let (n_confirmed, n_single) = alarms(n_lines, |idx| {
                year([0.002, 0.01, 0.05][idx % 3], correlation, &mut rng)
            });
            println!(
                "{n_lines} lines correlated by {correlation}: {n_confirmed} with a change, {n_single} single nights"
            );
            assert!(
                100 * n_confirmed < 2 * n_lines,
                "{correlation}: {n_confirmed}"
            );
            assert!(n_single <= n_lines / 50, "{correlation}: {n_single}");
        }
    }

    /// A night in twenty scatters five times as far: other programs, a warm room.
    #[test]
    fn nights_that_stray_are_rarely_called_a_change() {
        let mut rng = fastrand::Rng::with_seed(3);
        let (n_confirmed, _) = alarms(300, |_| {
            let mut night = |_| {
                let strays = rng.usize(0..20) == 0;
                around(20.0, if strays { 0.05 } else { 0.01 }, &mut rng)
            };
            (0..365).map(&mut night).collect()
        });
        assert!(n_confirmed <= 3, "{n_confirmed}");
    }

    /// Also what METHODOLOGY.md states: which steps are found when nights scatter by 1 %.
    #[test]
    fn steps_of_six_deviations_are_found() {
        let n_found = |correlation: f64, step: f64| {
            let is_found = |seed: &u64| {
                let mut rng = fastrand::Rng::with_seed(*seed);
                let mut values = year(0.01, correlation, &mut rng);
                values.truncate(90);
                for value in &mut values[60..] {
                    *value *= 1.0 - step;
                }
                let found = confirmed(&find(&values));
                found.iter().any(|at| (58..=62).contains(at))
            };
            (0..200).filter(is_found).count()
        };
        for (correlation, least) in [
            (0.0, [120, 170, 190]),
            (0.5, [70, 110, 160]),
            (0.7, [50, 80, 120]),
        ] {
            let found = [0.05, 0.06, 0.08].map(|step| n_found(correlation, step));
            println!("correlated by {correlation}, of 200 steps of 5, 6 and 8 %: {found:?}");
            let is_enough = found
                .iter()
                .zip(least)
                .all(|(found, least)| *found >= least);
            assert!(is_enough, "{correlation}: {found:?}");
        }
    }

    /// The power that a page states is there: of steps as large as it says, at least three in four are confirmed at once.
    #[test]
    fn the_step_that_is_said_to_be_visible_is_found() {
        for correlation in [0.0, 0.5, 0.7] {
            let mut rng = fastrand::Rng::with_seed(23);
            let mut n_found = 0;
            for idx in 0..200 {
                let n_before = 20 + 40 * (idx % 4);
                let mut values = year(0.01, correlation, &mut rng);
                values.truncate(n_before + CONFIRM_NIGHTS);
                let before = &values[..n_before];
                let step = visible_step(before, &find(before)).unwrap();
                for value in &mut values[n_before..] {
                    *value *= 1.0 + step;
                }
                let found = confirmed(&find(&values));
                n_found += usize::from(found.iter().any(|at| at.abs_diff(n_before) <= 2));
            }
            println!("correlated by {correlation}: {n_found} of 200 visible steps");
            assert!(n_found >= 150, "{correlation}: {n_found}");
        }
        assert_eq!(visible_step(&[20.0; 6], &[]), None);
    }
}
