//! Whether samples scatter around one value: a neighbour on the same memory who comes and goes leaves two groups, one who
//! arrives or a clock that falls leaves a drift. A median over either is the rate of no moment.

use bench_protocol::{Unrest, UnrestKind};

/// Fewer samples than these say nothing about groups.
const LEAST_SAMPLES: usize = 12;

/// Groups or ends this close are one: the repeatability that the report claims for a quiet board.
const LEAST_APART: f64 = 0.05;

/// Share of the samples that the smaller of two groups has at least: less are outliers, which no median minds.
const LEAST_SHARE: f64 = 0.2;

/// Least distance of two groups in units of their spread (Ashman's D, Astronomical Journal 108, 2348, 1994). Values
/// spread evenly and cut in the middle have 3.5.
const LEAST_SEPARATION: f64 = 6.0;

/// Least rank correlation (Spearman) between time and the order of the samples for a drift.
const LEAST_TREND: f64 = 0.8;

/// What is wrong with these times of equally long samples, in the order they were taken.
pub(super) fn unrest(times_ns: &[u64], iterations: u64) -> Option<Unrest> {
    if times_ns.len() < LEAST_SAMPLES {
        return None;
    }
    let mut sorted: Vec<f64> = times_ns.iter().map(|time| *time as f64).collect();
    sorted.sort_by(f64::total_cmp);
    let (kind, (fast, slow), n_fast) = match two_groups(&sorted) {
        Some(n_fast) => (UnrestKind::Bimodal, sorted.split_at(n_fast), n_fast),
        None if drifts(times_ns) => {
            let half = sorted.len() / 2;
            (UnrestKind::Drifting, sorted.split_at(half), half)
        }
        None => return None,
    };
    let per_iteration = |times: &[f64]| (times[times.len() / 2] / iterations as f64) as u64;
    Some(Unrest {
        kind,
        fast_ns: per_iteration(fast),
        slow_ns: per_iteration(slow),
        fast_permille: (n_fast * 1000 / sorted.len()) as u32,
    })
}

/// Samples in the faster of two groups, where there are two: cut where the groups are the most alike within.
fn two_groups(sorted: &[f64]) -> Option<usize> {
    let n = sorted.len();
    let least = ((n as f64 * LEAST_SHARE).ceil() as usize).max(2);
    let within = |at: usize| {
        let (fast, slow) = sorted.split_at(at);
        variance(fast) * at as f64 + variance(slow) * (n - at) as f64
    };
    let at = (least..=n - least).min_by(|a, b| within(*a).total_cmp(&within(*b)))?;
    let (fast, slow) = sorted.split_at(at);
    let apart = mean(slow) - mean(fast);
    let spread = (variance(fast) + variance(slow)).sqrt();
    let is_separate = std::f64::consts::SQRT_2 * apart >= LEAST_SEPARATION * spread;
    (is_separate && apart >= LEAST_APART * mean(fast)).then_some(at)
}

/// Whether time goes up or down from the first to the last, by ranks and by the medians of the thirds at either end.
fn drifts(times_ns: &[u64]) -> bool {
    let n = times_ns.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|idx| times_ns[*idx]);
    let squares = order.iter().enumerate().map(|(rank, idx)| {
        let difference = rank as f64 - *idx as f64;
        difference * difference
    });
    let n_cubed = (n * n * n - n) as f64;
    let trend = 1.0 - 6.0 * squares.sum::<f64>() / n_cubed;
    let end = |times: &[u64]| {
        let mut times = times.to_vec();
        times.sort_unstable();
        times[times.len() / 2] as f64
    };
    let (first, last) = (end(&times_ns[..n / 3]), end(&times_ns[n - n / 3..]));
    trend.abs() >= LEAST_TREND && (first - last).abs() >= LEAST_APART * first.min(last)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::split_mix;

    fn uniform(state: &mut u64) -> f64 {
        split_mix(state) as f64 / u64::MAX as f64
    }

    /// Thirty samples of 10 ms, two iterations each, with 1 % of scatter (as of twelve uniform numbers), and what happens.
    fn samples(seed: u64, slower: impl Fn(usize, &mut u64) -> f64) -> Vec<u64> {
        let mut state = seed;
        let sample = |idx| {
            let normal = (0..12).map(|_| uniform(&mut state)).sum::<f64>() - 6.0;
            (1e7 * (1.0 + 0.01 * normal) * slower(idx, &mut state)) as u64
        };
        (0..30).map(sample).collect()
    }

    fn n_of(kind: Option<UnrestKind>, slower: impl Fn(usize, &mut u64) -> f64 + Copy) -> usize {
        (0..1000)
            .filter(|seed| unrest(&samples(*seed, slower), 2).map(|unrest| unrest.kind) == kind)
            .count()
    }

    #[test]
    fn recognises_neighbours_that_come_and_go() {
        let (bimodal, drifting) = (Some(UnrestKind::Bimodal), Some(UnrestKind::Drifting));
        // Ten samples in a row, every third one, and from the twentieth on.
        assert!(
            n_of(bimodal, |idx, _| if (8..18).contains(&idx) {
                1.3
            } else {
                1.0
            }) > 990
        );
        assert!(n_of(bimodal, |idx, _| if idx % 3 == 0 { 1.5 } else { 1.0 }) > 990);
        assert!(n_of(bimodal, |idx, _| if idx >= 20 { 1.2 } else { 1.0 }) > 990);
        // A clock that falls slowly, a neighbour that leaves slowly.
        assert!(n_of(drifting, |idx, _| 1.0 + 0.005 * idx as f64) > 990);
        assert!(n_of(drifting, |idx, _| 1.3 - 0.01 * idx as f64) > 900);
    }

    #[test]
    fn scatter_and_outliers_are_no_unrest() {
        assert!(n_of(None, |_, _| 1.0) == 1000);
        assert!(n_of(None, |_, state| 1.0 + 0.2 * uniform(state)) > 995);
        assert!(
            n_of(None, |_, state| if uniform(state) < 0.05 {
                1.6
            } else {
                1.0
            }) > 990
        );
        // Two groups closer than what is claimed of a quiet board.
        assert!(n_of(None, |idx, _| if idx % 2 == 0 { 1.03 } else { 1.0 }) > 990);
        assert_eq!(unrest(&[1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1], 1), None);
        assert_eq!(unrest(&[7; 40], 1), None);
    }

    #[test]
    fn says_how_fast_either_group_is() {
        let times: Vec<u64> = (0..20)
            .map(|idx| if idx % 4 == 0 { 3000 } else { 2000 })
            .collect();
        let expect = Unrest {
            kind: UnrestKind::Bimodal,
            fast_ns: 1000,
            slow_ns: 1500,
            fast_permille: 750,
        };
        assert_eq!(unrest(&times, 2), Some(expect));
    }
}
