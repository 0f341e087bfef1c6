//! Finds where the figure of a line changed and stayed changed.
//!
//! Works on logarithms, so that a change is a ratio, and on medians and median deviations, so that single nights move
//! nothing. Deterministic. Refuses to know what a line is.

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

/// Differences from night to night that the scatter is estimated from, the newest.
const SCATTER_NIGHTS: usize = 60;

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
    pub fn words(self) -> String {
        match self {
            Standing::Confirmed => "confirmed".into(),
            Standing::Newest(1) => "one night only, the newest".into(),
            Standing::Newest(n) => format!("{n} nights, not confirmed yet"),
            Standing::Passed(1) => "one night only".into(),
            Standing::Passed(n) => format!("{n} nights only"),
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
    let mut from = 0;
    let mut i = 1;
    while i < logs.len() {
        let Some(scatter) = scatter(&logs[..i]) else {
            i += 1;
            continue;
        };
        let level = median(&logs[from..i]);
        // The median of few nights is unsure itself.
        let unsure = (1.0 + 2.0 / (i - from) as f64).sqrt();
        let threshold = (DEVIATIONS * scatter * unsure).max(LEAST);
        let beyond = |log: f64, share: f64| (log - level).abs() > share * threshold;
        let up = logs[i] > level;
        let window = &logs[i..logs.len().min(i + CONFIRM_NIGHTS)];
        let n_agree = (window.iter())
            .take_while(|log| (**log > level) == up && beyond(**log, 0.5))
            .count();
        let middle = median(&window[..n_agree]);
        if n_agree == CONFIRM_NIGHTS && beyond(middle, 1.0) {
            let at = split(&logs, from, i);
            found.push(Found {
                at,
                standing: Standing::Confirmed,
                before: median(&logs[from..at]).exp(),
                // Set once it is known where the level ends.
                after: f64::NAN,
            });
            from = at;
            i = at + CONFIRM_NIGHTS;
            continue;
        }
        let alone = (DEVIATIONS_ALONE * scatter * unsure).max(LEAST_ALONE);
        if n_agree > 0 && (middle - level).abs() > alone {
            let is_newest = i + n_agree == logs.len();
            found.push(Found {
                at: i,
                standing: match is_newest {
                    true => Standing::Newest(n_agree),
                    false => Standing::Passed(n_agree),
                },
                before: level.exp(),
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

/// Standard deviation of one night, from the median absolute difference of neighbours; steps and single nights hardly
/// move it. `None` for too few values.
fn scatter(logs: &[f64]) -> Option<f64> {
    if logs.len() < MIN_NIGHTS {
        return None;
    }
    let newest = &logs[logs.len().saturating_sub(SCATTER_NIGHTS + 1)..];
    let differences: Vec<f64> = newest
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).abs())
        .collect();
    let n = differences.len() as f64;
    // Two nights make a difference, so its deviation is that of a night times the root of two. Few differences may be
    // small by chance, which would call ordinary nights a change: the fewer, the more is added.
    let of_few = 1.0 + 6.0 / n;
    Some(median(&differences) / MAD_OF_NORMAL / std::f64::consts::SQRT_2 * of_few)
}

/// Median; 0 of nothing, which callers do not ask for.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    crate::stats::median(&sorted).unwrap_or(0.0)
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
            let values = line(60, 0.01, seed, |i| if i < 30 { 20.0 } else { 18.0 });
            let found = find(&values);
            assert_eq!(confirmed(&found), [30], "seed {seed}: {found:?}");
            let change = found
                .iter()
                .find(|it| it.standing == Standing::Confirmed)
                .unwrap();
            assert!((change.before / 20.0 - 1.0).abs() < 0.02, "{change:?}");
            assert!((change.after / 18.0 - 1.0).abs() < 0.02, "{change:?}");
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
        // 0.2 % a night, 18 % in all: no night differs from the one before.
        let found = find(&line(90, 0.005, 11, |i| 20.0 * 0.998_f64.powi(i as i32)));
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

    /// A night in twenty scatters five times as far: other programs, a warm room.
    #[test]
    fn nights_that_stray_are_rarely_called_a_change() {
        let (n_lines, n_nights) = (1_000, 365);
        let mut alarms = [0_usize; 2];
        for seed in 0..n_lines {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut night = |_| {
                let strays = rng.usize(0..20) == 0;
                around(20.0, if strays { 0.05 } else { 0.01 }, &mut rng)
            };
            let values: Vec<f64> = (0..n_nights).map(&mut night).collect();
            for found in find(&values) {
                alarms[usize::from(found.standing == Standing::Confirmed)] += 1;
            }
        }
        let [single, confirmed] = alarms;
        println!(
            "{n_lines} lines of {n_nights} nights: {confirmed} confirmed, {single} single nights"
        );
        assert!(confirmed <= 4, "{confirmed}");
    }

    /// Also what METHODOLOGY.md states: which steps are found when nights scatter by 1 %.
    #[test]
    fn steps_of_five_deviations_are_found() {
        let n_found = |step: f64| {
            let is_found = |seed: &u64| {
                let level = |i| if i < 30 { 20.0 } else { 20.0 * (1.0 - step) };
                let found = confirmed(&find(&line(60, 0.01, *seed, level)));
                found.iter().any(|at| (28..=32).contains(at))
            };
            (0..200).filter(is_found).count()
        };
        let found = [0.03, 0.05, 0.06, 0.08].map(n_found);
        println!("of 200 steps of 3, 5, 6 and 8 %: {found:?}");
        assert!(found[1] >= 120 && found[3] >= 195, "{found:?}");
    }

    /// What METHODOLOGY.md states: false alarms on lines of a year that only scatter.
    #[test]
    fn noise_alone_is_rarely_called_a_change() {
        let (n_lines, n_nights) = (2_000, 365);
        let mut alarms = [0_usize; 2];
        for seed in 0..n_lines {
            let deviation = [0.002, 0.01, 0.03, 0.1][seed as usize % 4];
            for found in find(&line(n_nights, deviation, seed, |_| 20.0)) {
                alarms[usize::from(found.standing == Standing::Confirmed)] += 1;
            }
        }
        let [single, confirmed] = alarms;
        println!(
            "{n_lines} lines of {n_nights} nights: {confirmed} confirmed, {single} single nights"
        );
        assert!(confirmed <= 4 && single <= 40, "{confirmed} {single}");
    }
}
