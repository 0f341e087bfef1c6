//! How two sets of values differ: the ratio of their middles, its interval, and how surprising it is.
//!
//! Owns the tests and the control of the false discovery rate. Knows nothing of units and boards.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{median, quantile, resampled_medians};

/// Fewer samples than this have no interval: the range of four samples misses the median one time in eight.
pub const MIN_SAMPLES: usize = 5;

/// Fewer runs than this on a side have no spread.
pub const MIN_RUNS: usize = 2;

/// Share of intervals that do not hold the true value.
pub const ALPHA: f64 = 0.05;

/// Up to this many values the rank-sum test counts every arrangement; above it the sum is close to normal.
const MAX_EXACT_VALUES: usize = 40;

/// Strongest serial correlation that is believed: above it the interval would grow without an end.
const MAX_CORRELATION: f64 = 0.9;

/// A ratio of two positive values and what is known about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Numerator over denominator.
    pub ratio: f64,
    /// Lower and upper end of the 95 % interval.
    pub low: f64,
    /// See [`Ratio::low`].
    pub high: f64,
    /// Probability of a difference at least as clear where there is none.
    pub p_value: f64,
}

impl Ratio {
    /// The ratio with both sides multiplied by what one of them counts.
    pub fn scaled(self, factor: f64) -> Ratio {
        Ratio {
            ratio: self.ratio * factor,
            low: self.low * factor,
            high: self.high * factor,
            ..self
        }
    }
}

/// Ratio of the medians of two sets of samples, each in the order they were taken; `None` with fewer than
/// [`MIN_SAMPLES`] positive samples on a side.
///
/// The interval is a percentile bootstrap: both sides are resampled, independently of each other. Where samples resemble the ones
/// before them, they say less than as many independent ones, and the interval is widened by
/// `sqrt((1 + r) / (1 - r))` with the lag-1 correlation `r`. The p-value is that of the rank-sum test of Wilcoxon, Mann
/// and Whitney, which makes no assumption about how samples spread.
pub fn ratio_of_medians(numerator: &[f64], denominator: &[f64], seed: u64) -> Option<Ratio> {
    let (numerator, denominator) = (positive(numerator), positive(denominator));
    if numerator.len().min(denominator.len()) < MIN_SAMPLES {
        return None;
    }
    let (top, bottom) = (sorted(&numerator), sorted(&denominator));
    let ratio = median(&top)? / median(&bottom)?;
    // Each side has draws of its own: equal draws would hide what the sides have not in common.
    let draws = resampled_medians(&top, seed).into_iter();
    let mut ratios: Vec<f64> = (draws.zip(resampled_medians(&bottom, !seed)))
        .map(|(top, bottom)| top / bottom)
        .collect();
    ratios.sort_by(f64::total_cmp);
    let correlation = correlation(&numerator).max(correlation(&denominator));
    let wider = ((1.0 + correlation) / (1.0 - correlation)).sqrt();
    let end = |share: f64| ratio * (quantile(&ratios, share) / ratio).powf(wider);
    Some(Ratio {
        ratio,
        low: end(ALPHA / 2.0).min(ratio),
        high: end(1.0 - ALPHA / 2.0).max(ratio),
        p_value: rank_sum(&numerator, &denominator),
    })
}

/// Ratio of the geometric means of two sets of runs, each run being one value; `None` with fewer than [`MIN_RUNS`]
/// positive values on a side.
///
/// Interval and p-value are those of Welch's t-test on the logarithms: the spread between runs is in them, and it may
/// differ between the sides.
pub fn ratio_of_runs(numerator: &[f64], denominator: &[f64]) -> Option<Ratio> {
    let (top, bottom) = (mean_of_logs(numerator)?, mean_of_logs(denominator)?);
    let difference = top.mean - bottom.mean;
    let variance = top.variance + bottom.variance;
    let (half, p_value) = match variance > 0.0 {
        true => {
            let freedom =
                variance * variance / (top.variance_per_freedom() + bottom.variance_per_freedom());
            let error = variance.sqrt();
            (
                critical_t(freedom) * error,
                two_sided_p(difference.abs() / error, freedom),
            )
        }
        false if difference == 0.0 => (0.0, 1.0),
        false => (0.0, 0.0),
    };
    Some(Ratio {
        ratio: difference.exp(),
        low: (difference - half).exp(),
        high: (difference + half).exp(),
        p_value,
    })
}

/// p-values adjusted for having looked at all of them at once (Benjamini and Hochberg, 1995): of those at most 5 %, about
/// one in twenty is wrong on average. In the order given.
pub fn false_discovery_rates(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*b].total_cmp(&p_values[*a]));
    let n = p_values.len();
    let mut adjusted = vec![1.0; n];
    let mut lowest = 1.0_f64;
    for (n_above, idx) in order.into_iter().enumerate() {
        lowest = lowest.min(p_values[idx] * n as f64 / (n - n_above) as f64);
        adjusted[idx] = lowest;
    }
    adjusted
}

/// Mean of the logarithms of some positive values; `None` of fewer than [`MIN_RUNS`].
pub(super) fn mean_of_logs(values: &[f64]) -> Option<MeanOf> {
    MeanOf::new(&logs(values))
}

fn logs(values: &[f64]) -> Vec<f64> {
    positive(values).iter().map(|value| value.ln()).collect()
}

/// Mean of some values and how well it is known.
pub(super) struct MeanOf {
    mean: f64,
    /// Variance of the mean.
    variance: f64,
    n: usize,
}

impl MeanOf {
    fn new(values: &[f64]) -> Option<MeanOf> {
        let n = values.len();
        if n < MIN_RUNS {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(MeanOf {
            mean,
            variance: squares / (n - 1) as f64 / n as f64,
            n,
        })
    }

    /// The ends of its 95 % interval, by Student's t.
    pub(super) fn interval(&self) -> (f64, f64) {
        let half = critical_t((self.n - 1) as f64) * self.variance.sqrt();
        (self.mean - half, self.mean + half)
    }

    fn variance_per_freedom(&self) -> f64 {
        self.variance * self.variance / (self.n - 1) as f64
    }
}

fn positive(values: &[f64]) -> Vec<f64> {
    let is_positive = |value: &f64| value.is_finite() && *value > 0.0;
    values.iter().copied().filter(is_positive).collect()
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// How much each value resembles the one before it, from 0 to [`MAX_CORRELATION`]: on ranks, so that one outlier does not
/// decide.
fn correlation(values: &[f64]) -> f64 {
    let ranks = doubled_ranks(values);
    let mean = (values.len() + 1) as f64;
    let off: Vec<f64> = ranks.iter().map(|rank| *rank as f64 - mean).collect();
    let squares: f64 = off.iter().map(|off| off * off).sum();
    let products: f64 = off.windows(2).map(|pair| pair[0] * pair[1]).sum();
    match squares > 0.0 {
        true => (products / squares).clamp(0.0, MAX_CORRELATION),
        false => 0.0,
    }
}

/// Twice the rank of each value from 1, equal values sharing theirs.
fn doubled_ranks(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0; values.len()];
    let mut n_below = 0;
    for equal in order.chunk_by(|a, b| values[*a] == values[*b]) {
        for idx in equal {
            ranks[*idx] = 2 * n_below + equal.len() + 1;
        }
        n_below += equal.len();
    }
    ranks
}

/// Two-sided p-value of the rank-sum test.
fn rank_sum(a: &[f64], b: &[f64]) -> f64 {
    let all: Vec<f64> = a.iter().chain(b).copied().collect();
    let ranks = doubled_ranks(&all);
    let sum: usize = ranks[..a.len()].iter().sum();
    let expected = a.len() * (all.len() + 1);
    let off = sum.abs_diff(expected);
    match all.len() <= MAX_EXACT_VALUES {
        true => exact_rank_sum(&ranks, a.len(), expected, off),
        false => {
            let mean = (all.len() + 1) as f64;
            let squares: f64 = ranks.iter().map(|rank| (*rank as f64 - mean).powi(2)).sum();
            let (n_a, n_b, n) = (a.len() as f64, b.len() as f64, all.len() as f64);
            let variance = squares * n_a * n_b / (n * (n - 1.0));
            match variance > 0.0 {
                true => two_sided_p((off as f64 - 1.0).max(0.0) / variance.sqrt(), n - 2.0),
                false => 1.0,
            }
        }
    }
}

/// Share of all ways to draw `n_drawn` of the ranks whose sum is at least as far `off` what is expected.
fn exact_rank_sum(ranks: &[usize], n_drawn: usize, expected: usize, off: usize) -> f64 {
    let most: usize = ranks.iter().sum();
    // ways[k][s]: how many sets of k ranks have the sum s.
    let mut ways = vec![vec![0.0_f64; most + 1]; n_drawn + 1];
    ways[0][0] = 1.0;
    for rank in ranks {
        for k in (1..=n_drawn).rev() {
            let (fewer, more) = ways.split_at_mut(k);
            let from = &fewer[k - 1];
            for sum in *rank..=most {
                more[0][sum] += from[sum - rank];
            }
        }
    }
    let total: f64 = ways[n_drawn].iter().sum();
    let extreme: f64 = (ways[n_drawn].iter().enumerate())
        .filter(|(sum, _)| sum.abs_diff(expected) >= off)
        .map(|(_, n)| n)
        .sum();
    (extreme / total).min(1.0)
}

/// Probability that Student's t with so many degrees of freedom is at least `t` away from 0.
fn two_sided_p(t: f64, freedom: f64) -> f64 {
    2.0 * students_t(freedom).sf(t.abs())
}

/// The t that is exceeded on either side with the probability [`ALPHA`].
fn critical_t(freedom: f64) -> f64 {
    t_quantile(1.0 - ALPHA / 2.0, freedom)
}

/// The value that Student's t with so many degrees of freedom, at least 1, stays below with this probability.
pub fn t_quantile(probability: f64, freedom: f64) -> f64 {
    students_t(freedom).inverse_cdf(probability)
}

fn students_t(freedom: f64) -> StudentsT {
    StudentsT::new(0.0, 1.0, freedom.max(1.0)).expect("there is at least one degree of freedom")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(value: f64, expect: f64, tolerance: f64) {
        assert!((value - expect).abs() <= tolerance, "{value} not {expect}");
    }

    /// Values around `middle` that spread by about `spread` of it, and are independent.
    fn clean(rng: &mut fastrand::Rng, n: usize, middle: f64, spread: f64) -> Vec<f64> {
        // Twelve uniform numbers less six are close to normal.
        let normal = |rng: &mut fastrand::Rng| (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        (0..n)
            .map(|_| middle * (1.0 + spread * normal(rng)))
            .collect()
    }

    #[test]
    fn t_agrees_with_printed_tables() {
        for (freedom, expect) in [
            (1.0, 12.706),
            (2.0, 4.303),
            (4.0, 2.776),
            (10.0, 2.228),
            (120.0, 1.980),
        ] {
            near(critical_t(freedom), expect, 0.001);
            near(two_sided_p(expect, freedom), 0.05, 0.0001);
        }
        near(two_sided_p(0.0, 3.0), 1.0, 1e-12);
        near(two_sided_p(6.0, 1e4), 2.0e-9, 0.1e-9);
    }

    #[test]
    fn the_rank_sum_counts_arrangements() {
        // Three of six, all above the others: one of 20 arrangements at either end.
        near(
            rank_sum(&[4.0, 5.0, 6.0], &[1.0, 2.0, 3.0]),
            2.0 / 20.0,
            1e-12,
        );
        near(rank_sum(&[1.0, 1.0], &[1.0, 1.0, 1.0]), 1.0, 1e-12);
        let low: Vec<f64> = (0..10).map(f64::from).collect();
        let high: Vec<f64> = (10..20).map(f64::from).collect();
        near(rank_sum(&low, &high), 2.0 / 184_756.0, 1e-12);
        // Just above the limit of counting both ways agree.
        let odd: Vec<f64> = (0..21).map(|i| f64::from(2 * i + 3)).collect();
        let even: Vec<f64> = (0..21).map(|i| f64::from(2 * i - 8)).collect();
        let ranks = doubled_ranks(&[odd.clone(), even.clone()].concat());
        let sum: usize = ranks[..21].iter().sum();
        let exact = exact_rank_sum(&ranks, 21, 21 * 43, sum.abs_diff(21 * 43));
        near(rank_sum(&odd, &even), exact, 0.01);
    }

    #[test]
    fn false_discovery_rates_follow_the_definition() {
        let rates = false_discovery_rates(&[0.01, 0.04, 0.03, 0.5]);
        for (rate, expect) in rates
            .iter()
            .zip([0.04, 0.04 * 4.0 / 3.0, 0.04 * 4.0 / 3.0, 0.5])
        {
            near(*rate, expect, 1e-12);
        }
        assert!(false_discovery_rates(&[]).is_empty());
    }

    #[test]
    fn the_interval_holds_the_true_ratio_as_often_as_it_says() {
        let mut rng = fastrand::Rng::with_seed(7);
        for n in [5, 10, 30] {
            let held = (0..400).filter(|seed| {
                let (a, b) = (
                    clean(&mut rng, n, 103.0, 0.01),
                    clean(&mut rng, n, 100.0, 0.01),
                );
                let ratio = ratio_of_medians(&a, &b, *seed).unwrap();
                ratio.low <= 1.03 && 1.03 <= ratio.high
            });
            let share = held.count() as f64 / 400.0;
            assert!(share >= 0.93, "{n} samples: {share}");
        }
    }

    #[test]
    fn the_interval_over_runs_holds_the_true_ratio_as_often_as_it_says() {
        let mut rng = fastrand::Rng::with_seed(8);
        for n in [2, 3, 8] {
            let held = (0..400).filter(|_| {
                let (a, b) = (
                    clean(&mut rng, n, 103.0, 0.02),
                    clean(&mut rng, n, 100.0, 0.01),
                );
                let ratio = ratio_of_runs(&a, &b).unwrap();
                ratio.low <= 1.03 && 1.03 <= ratio.high
            });
            let share = held.count() as f64 / 400.0;
            assert!(share >= 0.93, "{n} runs: {share}");
        }
    }

    /// What METHODOLOGY.md states: how often equal sides are called different, and which step is seen.
    #[test]
    fn rounds_call_few_equal_sides_different_and_see_steps_of_some_deviations() {
        let mut rng = fastrand::Rng::with_seed(9);
        let deviation = 0.02;
        let mut share_called = |n: usize, step: f64| {
            let called = (0..1_000).filter(|_| {
                let a = clean(&mut rng, n, 100.0, deviation);
                let b = clean(&mut rng, n, 100.0 * (step * deviation).exp(), deviation);
                let ratio = ratio_of_runs(&b, &a).unwrap();
                ratio.p_value <= ALPHA && !(ratio.low <= 1.0 && 1.0 <= ratio.high)
            });
            called.count() as f64 / 1_000.0
        };
        for (n, step) in [(3, 4.0), (5, 2.3), (10, 1.5)] {
            let (equal, seen) = (share_called(n, 0.0), share_called(n, step));
            println!("{n} rounds: {equal} of equal sides, {seen} of steps of {step} deviations");
            assert!(equal <= 0.06, "{n}: {equal}");
            assert!(seen >= 0.8, "{n}: {seen}");
        }
    }

    #[test]
    fn samples_that_resemble_their_predecessors_say_less() {
        let mixed: Vec<f64> = (0..20).map(|i| 100.0 + f64::from(i * 7 % 20)).collect();
        let drifting = sorted(&mixed);
        let other: Vec<f64> = (0..20).map(|i| 104.0 + f64::from(i * 7 % 20)).collect();
        let width = |samples: &[f64]| {
            let ratio = ratio_of_medians(samples, &other, 1).unwrap();
            ratio.high - ratio.low
        };
        assert!(width(&drifting) > 1.5 * width(&mixed));
    }

    #[test]
    fn too_few_values_have_no_interval() {
        assert_eq!(ratio_of_medians(&[1.0; 4], &[1.0; 9], 1), None);
        assert_eq!(ratio_of_runs(&[1.0], &[1.0, 1.0]), None);
        assert_eq!(
            ratio_of_medians(&[0.0, f64::NAN, 1.0, 1.0, 1.0, 1.0], &[1.0; 9], 1),
            None
        );
    }

    proptest! {
        #[test]
        fn swapping_the_sides_gives_the_inverse(
            a in prop::collection::vec(1.0..1e9_f64, 5..20),
            b in prop::collection::vec(1.0..1e9_f64, 5..20),
        ) {
            let (there, back) = (ratio_of_medians(&a, &b, 1).unwrap(), ratio_of_medians(&b, &a, 1).unwrap());
            prop_assert!((there.ratio * back.ratio - 1.0).abs() < 1e-9);
            prop_assert!((there.p_value - back.p_value).abs() < 1e-9);
            prop_assert!(there.low <= there.ratio && there.ratio <= there.high && there.low > 0.0);
            prop_assert!((0.0..=1.0).contains(&there.p_value));
        }
    }
}
