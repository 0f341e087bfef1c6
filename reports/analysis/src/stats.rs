//! Order statistics of samples: quartiles, spread, a seeded bootstrap interval of the median, and ratios of two sets.
//!
//! Everything is deterministic: same samples and same seed in, same figures out. Refuses values that are not finite.

mod ratio;

pub use ratio::{
    ALPHA, MIN_RUNS, MIN_SAMPLES, Ratio, false_discovery_rates, ratio_of_medians, ratio_of_runs,
    t_quantile,
};

/// Resamples of one bootstrap; with 2 000 the ends of a 95 % interval rest on 50 resamples each.
const N_RESAMPLES: usize = 2_000;

/// Samples beyond this many are thinned evenly before the bootstrap, so that a huge stream cannot stall a report.
const MAX_BOOTSTRAP_SAMPLES: usize = 1_000;

/// What the samples of one unit say, in the unit of the samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Number of samples, of all rounds together.
    pub n: usize,
    /// Smallest sample.
    pub min: f64,
    /// Median of the samples; of several rounds the median of their medians.
    pub median: f64,
    /// Largest sample.
    pub max: f64,
    /// Lower end of the 95 % interval of the median.
    pub ci_low: f64,
    /// Upper end of the 95 % interval of the median.
    pub ci_high: f64,
    /// Interquartile range over the median within a round, the middle one of several rounds.
    pub spread: f64,
    /// Rounds.
    pub n_rounds: usize,
    /// By how much the largest median of a round exceeds the smallest, as a share of the smallest; 0 of one round.
    pub rounds_apart: f64,
}

impl Summary {
    /// Interquartile range over the median, a robust relative spread without unit.
    pub fn spread(&self) -> f64 {
        self.spread
    }
}

/// Median and quartiles of some samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quartiles {
    /// Lower quartile.
    pub p25: f64,
    /// Median.
    pub median: f64,
    /// Upper quartile.
    pub p75: f64,
}

impl Quartiles {
    /// Of the samples that are finite numbers; `None` when no one is.
    pub fn of(samples: &[f64]) -> Option<Quartiles> {
        let sorted = finite(samples);
        (!sorted.is_empty()).then(|| Quartiles {
            p25: quantile(&sorted, 0.25),
            median: quantile(&sorted, 0.5),
            p75: quantile(&sorted, 0.75),
        })
    }

    /// Interquartile range over the median.
    ///
    /// Quartiles and not the standard deviation: a single sample hit by a background job must not condemn the unit.
    pub fn spread(&self) -> f64 {
        match self.median > 0.0 {
            true => (self.p75 - self.p25) / self.median,
            false => 0.0,
        }
    }
}

/// Summarises the samples of one round; `None` when no sample is a finite number.
///
/// The interval is a percentile bootstrap of the median: it knows how samples of a round scatter, and nothing of how
/// rounds do.
pub fn summarise(samples: &[f64], seed: u64) -> Option<Summary> {
    let sorted = finite(samples);
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let quartiles = Quartiles::of(&sorted)?;
    let median = quartiles.median;
    let (ci_low, ci_high) = bootstrap_median(&sorted, seed);
    Some(Summary {
        n: sorted.len(),
        min,
        median,
        max,
        // The percentile interval of a thinned sample may miss the median by one step.
        ci_low: ci_low.min(median),
        ci_high: ci_high.max(median),
        spread: quartiles.spread(),
        n_rounds: 1,
        rounds_apart: 0.0,
    })
}

/// Summarises the samples of several rounds; `None` when no sample is a finite number.
///
/// With two rounds and more the interval is that of the upper level of a two-level model: the medians of rounds scatter
/// around the unit's figure by their own variance and by what is left of that within a round, and their scatter holds
/// both. It is Student's t on the logarithms of the medians, with one degree of freedom less than rounds.
///
/// Source: Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time", ISMM 2013, section 6.
pub fn summarise_rounds(rounds: &[Vec<f64>], seed: u64) -> Option<Summary> {
    let each: Vec<(Quartiles, &Vec<f64>)> = (rounds.iter())
        .filter_map(|samples| Some((Quartiles::of(samples)?, samples)))
        .collect();
    let all: Vec<f64> = each
        .iter()
        .flat_map(|(_, all)| all.iter().copied())
        .collect();
    let medians = finite(&each.iter().map(|(it, _)| it.median).collect::<Vec<f64>>());
    let is_positive = medians.first().is_some_and(|median| *median > 0.0);
    let (Some(mean), true) = (ratio::mean_of_logs(&medians), is_positive) else {
        return summarise(&all, seed);
    };
    let spreads = finite(&each.iter().map(|(it, _)| it.spread()).collect::<Vec<f64>>());
    let all = finite(&all);
    let median = quantile(&medians, 0.5);
    let (low, high) = mean.interval();
    Some(Summary {
        n: all.len(),
        min: *all.first()?,
        median,
        max: *all.last()?,
        ci_low: low.exp().min(median),
        ci_high: high.exp().max(median),
        spread: quantile(&spreads, 0.5),
        n_rounds: medians.len(),
        rounds_apart: medians[medians.len() - 1] / medians[0] - 1.0,
    })
}

/// The finite numbers among these, sorted.
fn finite(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|s| s.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// A seed from names, so that every unit has its own and a report is reproducible (FNV-1a).
pub fn seed_of(parts: &[&str]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    })
}

/// Median of sorted values; `None` of none.
pub fn median(sorted: &[f64]) -> Option<f64> {
    (!sorted.is_empty()).then(|| quantile(sorted, 0.5))
}

/// Linearly interpolated quantile of sorted, non-empty samples (type 7 of Hyndman and Fan, 1996).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let (below, above) = (position.floor() as usize, position.ceil() as usize);
    let (low, high) = (sorted[below], sorted[above]);
    low + (high - low) * (position - position.floor())
}

/// 95 % percentile bootstrap of the median (Efron, 1979) of sorted, non-empty samples.
fn bootstrap_median(sorted: &[f64], seed: u64) -> (f64, f64) {
    let mut medians = resampled_medians(sorted, seed);
    medians.sort_by(f64::total_cmp);
    (quantile(&medians, 0.025), quantile(&medians, 0.975))
}

/// Medians of [`N_RESAMPLES`] resamples of sorted, non-empty samples.
fn resampled_medians(sorted: &[f64], seed: u64) -> Vec<f64> {
    let step = sorted.len().div_ceil(MAX_BOOTSTRAP_SAMPLES);
    let samples: Vec<f64> = sorted.iter().copied().step_by(step).collect();
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut ranks = vec![0_usize; samples.len()];
    (0..N_RESAMPLES)
        .map(|_| {
            ranks.fill_with(|| rng.usize(..samples.len()));
            // The samples are sorted, so the median of a resample is found on its ranks alone.
            let middle = ranks.len() / 2;
            let (lower, upper_rank, _) = ranks.select_nth_unstable(middle);
            let upper = samples[*upper_rank];
            match samples.len() % 2 {
                1 => upper,
                _ => {
                    let lower_rank = lower.iter().copied().max().unwrap_or(*upper_rank);
                    samples[lower_rank].midpoint(upper)
                }
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_quartiles_by_interpolation() {
        let quartiles = Quartiles::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(
            (quartiles.p25, quartiles.median, quartiles.p75),
            (1.75, 2.5, 3.25)
        );
        let summary = summarise(&[4.0, 1.0, 3.0, 2.0], 1).unwrap();
        assert_eq!((summary.min, summary.max, summary.n), (1.0, 4.0, 4));
        assert_eq!(summary.spread(), 0.6);
    }

    #[test]
    fn one_sample_is_its_own_interval() {
        let summary = summarise(&[7.0], 1).unwrap();
        assert_eq!((summary.ci_low, summary.ci_high), (7.0, 7.0));
        assert_eq!(summary.spread(), 0.0);
    }

    #[test]
    fn nothing_finite_is_no_summary() {
        assert_eq!(summarise(&[], 1), None);
        assert_eq!(summarise(&[f64::NAN, f64::INFINITY], 1), None);
    }

    #[test]
    fn one_round_is_summarised_by_its_samples() {
        let samples = vec![5.0, 7.0, 6.0, 9.0, 8.0];
        let of_round = summarise_rounds(std::slice::from_ref(&samples), 3);
        assert_eq!(of_round, summarise(&samples, 3));
        let beside_nothing = summarise_rounds(&[samples.clone(), Vec::new()], 3);
        assert_eq!(beside_nothing, of_round);
    }

    #[test]
    fn the_interval_over_rounds_is_that_of_their_medians() {
        // Medians 100, 110 and 121: equal steps of a logarithm of 0.0953, which is their standard deviation, too. Student's
        // t with two degrees of freedom is 4.303.
        let round = |median: f64| vec![median - 1.0, median, median + 1.0];
        let rounds = [round(121.0), round(100.0), round(110.0)];
        let summary = summarise_rounds(&rounds, 1).unwrap();
        let reach = 4.302_653 * 1.1_f64.ln() / 3.0_f64.sqrt();
        let near =
            |found: f64, expect: f64| assert!((found / expect - 1.0).abs() < 1e-5, "{found}");
        near(summary.median, 110.0);
        near(summary.ci_low, 110.0 * (-reach).exp());
        near(summary.ci_high, 110.0 * reach.exp());
        near(summary.rounds_apart, 0.21);
        near(summary.spread, 1.0 / 110.0);
        assert_eq!((summary.n, summary.n_rounds), (9, 3));
        assert_eq!((summary.min, summary.max), (99.0, 122.0));
    }

    #[test]
    fn the_interval_over_rounds_holds_the_truth_as_often_as_it_says() {
        let mut rng = fastrand::Rng::with_seed(11);
        let normal = |rng: &mut fastrand::Rng| {
            (-2.0 * rng.f64().max(1e-300).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos()
        };
        let mut holds = |n_rounds: usize| {
            let held = (0..600).filter(|seed| {
                // Rounds scatter by 5 %, samples of a round by 1 %.
                let rounds: Vec<Vec<f64>> = (0..n_rounds)
                    .map(|_| {
                        let level = 100.0 * (0.05 * normal(&mut rng)).exp();
                        (0..10)
                            .map(|_| level * (0.01 * normal(&mut rng)).exp())
                            .collect()
                    })
                    .collect();
                let summary = summarise_rounds(&rounds, *seed).unwrap();
                summary.ci_low <= 100.0 && 100.0 <= summary.ci_high
            });
            held.count() as f64 / 600.0
        };
        // What one round knows of itself is not enough.
        assert!(holds(1) < 0.35);
        for n_rounds in [2, 3, 5, 10] {
            let share = holds(n_rounds);
            assert!((0.93..=0.98).contains(&share), "{n_rounds} rounds: {share}");
        }
    }

    #[test]
    fn seeds_tell_names_apart() {
        assert_ne!(seed_of(&["a", "bc"]), seed_of(&["ab", "c"]));
    }

    proptest! {
        #[test]
        fn interval_contains_the_median(samples in prop::collection::vec(1.0..1e9_f64, 1..60), seed: u64) {
            let s = summarise(&samples, seed).unwrap();
            prop_assert!(s.min <= s.ci_low && s.ci_low <= s.median);
            prop_assert!(s.median <= s.ci_high && s.ci_high <= s.max);
            prop_assert!(s.spread >= 0.0);
        }

        #[test]
        fn order_of_samples_does_not_matter(samples in prop::collection::vec(1.0..1e9_f64, 2..40), seed: u64) {
            let mut reversed = samples.clone();
            reversed.reverse();
            prop_assert_eq!(summarise(&samples, seed), summarise(&reversed, seed));
        }
    }
}
