//! In which state of a board its units are measured.

use bench_protocol::{Environment, Prepare, RunRequest, UnitSpec};
use bench_run_dir::LeftOut;

use crate::budget::{self, Budget};
use crate::plan;
use crate::plan::rounds;

/// Suffix of the name of a unit that is measured before the board is prepared, where it is measured in both states.
const AS_FOUND: &str = "/as-found";

/// Cuts the units down to the budget, draws the order of later rounds with `seed`, and asks for every unit in the prepared
/// state, and with `compare` also as the board is found, before it and in each round. A host without anything to prepare
/// is measured as it is found.
pub fn apply(
    request: &mut RunRequest,
    prepare: &Prepare,
    compare: bool,
    budget: Option<Budget>,
    seed: u64,
) -> Option<LeftOut> {
    let compare = compare && !prepare.is_empty();
    // Each of the two states gets half of the time.
    let share = budget.map(|budget| Budget {
        seconds: if compare {
            budget.seconds.div_ceil(2)
        } else {
            budget.seconds
        },
    });
    let left_out = budget::apply(request, share);
    rounds::shuffle(&mut request.units, seed);
    let has_rounds = request.units.iter().any(|unit| unit.round > 0);
    request.order_seed = if has_rounds { seed } else { 0 };
    if prepare.is_empty() {
        return left_out;
    }
    request.prepare.clone_from(prepare);
    let prepared: Vec<UnitSpec> = (request.units.drain(..))
        .map(|unit| UnitSpec {
            environment: Environment::Prepared,
            ..unit
        })
        .collect();
    // Both states in each round: a drift of the machine meets both.
    for of_round in prepared.chunk_by(|a, b| a.round == b.round) {
        if compare {
            request.units.extend(of_round.iter().map(|unit| UnitSpec {
                unit: format!("{}{AS_FOUND}", unit.unit),
                environment: Environment::AsFound,
                ..unit.clone()
            }));
        }
        request.units.extend_from_slice(of_round);
    }
    request.deadline_ms = plan::deadline_ms(&request.units);
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_measures_every_unit_before_and_after() {
        let unit = r#"{"unit":"read/dram/t1","kernel":"read","variant":null,"cpus":[0],"job":{"peak":{}},
            "sampling":{"min_samples":1,"max_samples":1,"budget_ms":1},"deadline_ms":10}"#;
        let protocol = bench_protocol::PROTOCOL_VERSION;
        let request = format!(
            r#"{{"protocol":{protocol},"run_id":"r","units":[{unit}],"deadline_ms":30010}}"#
        );
        let request: RunRequest = serde_json::from_str(&request).unwrap();
        let prepare = Prepare {
            drop_caches: true,
            ..Prepare::default()
        };
        let units = |prepare: &Prepare, compare| {
            let mut request = request.clone();
            apply(&mut request, prepare, compare, None, 1);
            let units = request.units.into_iter();
            let units: Vec<_> = units.map(|unit| (unit.unit, unit.environment)).collect();
            (units, request.deadline_ms)
        };
        let name = || "read/dram/t1".to_string();
        let as_found = (format!("{}/as-found", name()), Environment::AsFound);
        let prepared = (name(), Environment::Prepared);
        assert_eq!(
            units(&prepare, true),
            (vec![as_found, prepared.clone()], 30_020)
        );
        assert_eq!(units(&prepare, false), (vec![prepared], 30_010));
        let plain = (name(), Environment::AsFound);
        assert_eq!(units(&Prepare::default(), true), (vec![plain], 30_010));
    }
}
