//! Rounds: each unit several times, so that what changes between two starts of it is seen.
//!
//! Owns the order. The first round keeps the order of the plan; each later one has an order of its own, drawn with a
//! seed that the request records, so that no unit always follows the same neighbour or meets the same drift.

use bench_protocol::UnitSpec;

/// All rounds of the units, the whole first round first.
pub fn repeat(units: Vec<(UnitSpec, u32)>) -> Vec<UnitSpec> {
    let n_rounds = units.iter().map(|(_, n_rounds)| *n_rounds).max();
    let mut all = Vec::new();
    for round in 0..n_rounds.unwrap_or(0) {
        let units = units.iter().filter(|(_, n_rounds)| round < *n_rounds);
        all.extend(units.map(|(unit, _)| UnitSpec {
            round,
            ..unit.clone()
        }));
    }
    all
}

/// Draws the order of each round but the first; rounds follow each other in the units.
pub fn shuffle(units: &mut [UnitSpec], seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    for of_round in units.chunk_by_mut(|a, b| a.round == b.round) {
        if of_round[0].round > 0 {
            rng.shuffle(of_round);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str) -> UnitSpec {
        let text = format!(
            r#"{{"unit":"{name}","kernel":"read","variant":null,"cpus":[0],"job":{{"peak":{{}}}},
            "sampling":{{"min_samples":1,"max_samples":1,"budget_ms":1}},"deadline_ms":10}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn order(seed: u64) -> Vec<(String, u32)> {
        let units: Vec<_> = (0..8).map(|i| (unit(&format!("u{i}")), 3)).collect();
        let mut all = repeat([units, vec![(unit("once"), 1)]].concat());
        shuffle(&mut all, seed);
        all.into_iter()
            .map(|unit| (unit.unit, unit.round))
            .collect()
    }

    #[test]
    fn the_first_round_keeps_its_order_and_the_others_are_drawn() {
        let order_1 = order(1);
        let first: Vec<&str> = order_1[..9].iter().map(|(unit, _)| unit.as_str()).collect();
        assert_eq!(
            first,
            ["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "once"]
        );
        assert_eq!(order_1.len(), 9 + 2 * 8);
        assert!(order_1.is_sorted_by_key(|(_, round)| *round));
        let of = |round: usize| {
            let from = 9 + (round - 1) * 8;
            let mut units: Vec<&str> = (order_1[from..from + 8].iter())
                .map(|(unit, _)| unit.as_str())
                .collect();
            let drawn = units.clone();
            units.sort_unstable();
            assert_eq!(units, first[..8]);
            drawn
        };
        assert_ne!(of(1), first[..8]);
        assert_ne!(of(1), of(2));
        assert_eq!(order(1), order_1);
        assert_ne!(order(2), order_1);
    }
}
