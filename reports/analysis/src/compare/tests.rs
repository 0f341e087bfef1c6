use super::*;

/// A pair of samples around 100 ns, those of B being `shift` faster, named as they would be among others.
fn pair(rng: &mut fastrand::Rng, idx: usize, n_samples: usize, shift: f64) -> Pair {
    let mut side = |middle: f64| -> Vec<f64> {
        let noise = |rng: &mut fastrand::Rng| rng.f64() + rng.f64() + rng.f64() - 1.5;
        (0..n_samples)
            .map(|_| middle * (1.0 + 0.01 * noise(rng)))
            .collect()
    };
    let (a, b) = (side(100.0), side(100.0 / (1.0 + shift)));
    let known = stats::ratio_of_medians(&a, &b, idx as u64);
    let figure = Figure {
        value: 1.0,
        n_samples,
        n_rounds: 1,
        n_runs: 1,
    };
    Pair {
        unit_a: format!("read/{idx}"),
        unit_b: format!("read/{idx}"),
        metric: Metric::GbPerS,
        basis: Basis::Runs,
        a: figure,
        b: figure,
        ratio: known.map_or(1.0, |known| known.ratio),
        low: known.map(|known| known.low),
        high: known.map(|known| known.high),
        p_value: known.map(|known| known.p_value),
        false_discovery_rate: None,
        outcome: Outcome::NotShown,
        notes: Vec::new(),
    }
}

fn n_named(pairs: &[Pair]) -> usize {
    let named = |pair: &&Pair| pair.outcome != Outcome::NotShown;
    pairs.iter().filter(named).count()
}

#[test]
fn hardly_any_of_200_equal_pairs_is_called_different() {
    for seed in 0..5 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut pairs: Vec<Pair> = (0..200).map(|i| pair(&mut rng, i, 15, 0.0)).collect();
        assert_eq!(name_outcomes(&mut pairs), 200);
        let by_interval = pairs
            .iter()
            .filter(|pair| !(pair.low.unwrap() <= 1.0 && 1.0 <= pair.high.unwrap()));
        let n_by_interval = by_interval.count();
        assert!(n_named(&pairs) <= 2, "seed {seed}: {}", n_named(&pairs));
        assert!(
            n_by_interval < 20,
            "seed {seed}: {n_by_interval} intervals miss 1"
        );
    }
}

#[test]
fn a_shift_of_3_percent_is_seen_among_200_pairs() {
    let mut rng = fastrand::Rng::with_seed(11);
    let mut pairs: Vec<Pair> = (0..200).map(|i| pair(&mut rng, i, 15, 0.0)).collect();
    pairs[17] = pair(&mut rng, 17, 15, 0.03);
    pairs[18] = pair(&mut rng, 18, 15, -0.03);
    name_outcomes(&mut pairs);
    assert_eq!(pairs[17].outcome, Outcome::Faster, "{:?}", pairs[17]);
    assert_eq!(pairs[18].outcome, Outcome::Slower, "{:?}", pairs[18]);
    assert!((pairs[17].ratio - 1.03).abs() < 0.01);
    assert!(n_named(&pairs) <= 4);
}

#[test]
fn a_pair_with_too_few_samples_is_not_tested() {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut pairs = vec![pair(&mut rng, 0, 4, 0.5), pair(&mut rng, 1, 15, 0.5)];
    assert_eq!(name_outcomes(&mut pairs), 1);
    assert_eq!(pairs[0].outcome, Outcome::NotShown);
    assert_eq!(pairs[0].false_discovery_rate, None);
    assert_eq!(pairs[1].outcome, Outcome::Faster);
}

#[test]
fn an_interval_that_misses_1_is_not_enough_among_many() {
    let mut rng = fastrand::Rng::with_seed(5);
    let mut pairs: Vec<Pair> = (0..200).map(|i| pair(&mut rng, i, 15, 0.0)).collect();
    pairs[0].p_value = Some(0.01);
    (pairs[0].low, pairs[0].high) = (Some(1.01), Some(1.02));
    name_outcomes(&mut pairs);
    assert_eq!(pairs[0].outcome, Outcome::NotShown);
    assert!(pairs[0].notes[0].to_string().contains("200 pairs were"));
}

#[test]
fn a_side_without_a_run_is_refused() {
    assert!(compare(&[], &[]).unwrap_err().contains("at least one run"));
}

#[test]
fn large_ratios_are_factors() {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut wide = pair(&mut rng, 0, 5, 0.0);
    (wide.ratio, wide.low, wide.high) = (1.5, Some(0.01), Some(67_331.9));
    // One notation for a figure and both ends.
    assert_eq!(wide.difference().to_string(), "1.50 ×");
    assert_eq!(
        wide.interval().unwrap().to_string(),
        "0.010 × to 67\u{2009}332 ×"
    );
    (wide.ratio, wide.low, wide.high) = (0.15, Some(0.095), Some(0.27));
    assert_eq!(wide.difference().to_string(), "0.15 ×");
    assert_eq!(wide.interval().unwrap().to_string(), "0.095 × to 0.27 ×");
    (wide.low, wide.high) = (Some(0.11), Some(0.2));
    assert_eq!(wide.interval().unwrap().to_string(), "-89 % to -80 %");
}
