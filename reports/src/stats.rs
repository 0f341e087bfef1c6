//! Order statistics of samples: quartiles, spread, a seeded bootstrap interval of the median, and ratios of two sets.
//!
//! Everything is deterministic: same samples and same seed in, same figures out. Refuses values that are not finite.

mod ratio;

pub use ratio::{
    ALPHA, MIN_RUNS, MIN_SAMPLES, Ratio, false_discovery_rates, ratio_of_medians, ratio_of_runs,
};

/// Resamples of one bootstrap; with 2 000 the ends of a 95 % interval rest on 50 resamples each.
const N_RESAMPLES: usize = 2_000;

/// Samples beyond this many are thinned evenly before the bootstrap, so that a huge stream cannot stall a report.
const MAX_BOOTSTRAP_SAMPLES: usize = 1_000;

/// What the samples of one unit say, in the unit of the samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Number of samples.
    pub n: usize,
    /// Smallest sample.
    pub min: f64,
    /// Lower quartile.
    pub p25: f64,
    /// Median.
    pub median: f64,
    /// Upper quartile.
    pub p75: f64,
    /// Largest sample.
    pub max: f64,
    /// Lower end of the 95 % bootstrap interval of the median.
    pub ci_low: f64,
    /// Upper end of the 95 % bootstrap interval of the median.
    pub ci_high: f64,
}

impl Summary {
    /// Interquartile range over the median, a robust relative spread without unit.
    ///
    /// Quartiles and not the standard deviation: a single sample hit by a background job must not condemn the unit.
    pub fn spread(&self) -> f64 {
        match self.median > 0.0 {
            true => (self.p75 - self.p25) / self.median,
            false => 0.0,
        }
    }
}

/// Summarises samples; `None` when no sample is a finite number.
pub fn summarise(samples: &[f64], seed: u64) -> Option<Summary> {
    let mut sorted: Vec<f64> = samples.iter().copied().filter(|s| s.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let median = quantile(&sorted, 0.5);
    let (ci_low, ci_high) = bootstrap_median(&sorted, seed);
    Some(Summary {
        n: sorted.len(),
        min,
        p25: quantile(&sorted, 0.25),
        median,
        p75: quantile(&sorted, 0.75),
        max,
        // The percentile interval of a thinned sample may miss the median by one step.
        ci_low: ci_low.min(median),
        ci_high: ci_high.max(median),
    })
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
        let summary = summarise(&[4.0, 1.0, 3.0, 2.0], 1).unwrap();
        assert_eq!(
            (summary.p25, summary.median, summary.p75),
            (1.75, 2.5, 3.25)
        );
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
    fn seeds_tell_names_apart() {
        assert_ne!(seed_of(&["a", "bc"]), seed_of(&["ab", "c"]));
    }

    proptest! {
        #[test]
        fn interval_contains_the_median(samples in prop::collection::vec(1.0..1e9_f64, 1..60), seed: u64) {
            let s = summarise(&samples, seed).unwrap();
            prop_assert!(s.min <= s.ci_low && s.ci_low <= s.median);
            prop_assert!(s.median <= s.ci_high && s.ci_high <= s.max);
            prop_assert!(s.p25 <= s.median && s.median <= s.p75);
        }

        #[test]
        fn order_of_samples_does_not_matter(samples in prop::collection::vec(1.0..1e9_f64, 2..40), seed: u64) {
            let mut reversed = samples.clone();
            reversed.reverse();
            prop_assert_eq!(summarise(&samples, seed), summarise(&reversed, seed));
        }
    }
}
