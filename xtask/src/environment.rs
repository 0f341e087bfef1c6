//! In which state of a board its units are measured.

use bench_protocol::{Environment, Prepare, RunRequest, UnitSpec};
use bench_reports::run_dir::LeftOut;

use crate::budget::{self, Budget};

/// Suffix of the name of a unit that is measured before the board is prepared, where it is measured in both states.
const AS_FOUND: &str = "/as-found";

/// Cuts the units down to the budget and asks for every one in the prepared state, and with `compare` also as the board is found, before it. A host without
/// anything to prepare is measured as it is found.
pub fn apply(
    request: &mut RunRequest,
    prepare: &Prepare,
    compare: bool,
    budget: Option<Budget>,
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
    if compare {
        let as_found = prepared.iter().map(|unit| UnitSpec {
            unit: format!("{}{AS_FOUND}", unit.unit),
            environment: Environment::AsFound,
            ..unit.clone()
        });
        request.units.extend(as_found);
        let again: u64 = prepared.iter().map(|unit| unit.deadline_ms).sum();
        request.deadline_ms += again;
    }
    request.units.extend(prepared);
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_measures_every_unit_before_and_after() {
        let unit = r#"{"unit":"read/dram/t1","kernel":"read","variant":null,"cpus":[0],"job":{"peak":{}},
            "sampling":{"min_samples":1,"max_samples":1,"budget_ms":1},"deadline_ms":10}"#;
        let request = format!(r#"{{"protocol":4,"run_id":"r","units":[{unit}],"deadline_ms":40}}"#);
        let request: RunRequest = serde_json::from_str(&request).unwrap();
        let prepare = Prepare {
            drop_caches: true,
            ..Prepare::default()
        };
        let units = |prepare: &Prepare, compare| {
            let mut request = request.clone();
            apply(&mut request, prepare, compare, None);
            let units = request.units.into_iter();
            let units: Vec<_> = units.map(|unit| (unit.unit, unit.environment)).collect();
            (units, request.deadline_ms)
        };
        let name = || "read/dram/t1".to_string();
        let as_found = (format!("{}/as-found", name()), Environment::AsFound);
        let prepared = (name(), Environment::Prepared);
        assert_eq!(
            units(&prepare, true),
            (vec![as_found, prepared.clone()], 50)
        );
        assert_eq!(units(&prepare, false), (vec![prepared], 40));
        let plain = (name(), Environment::AsFound);
        assert_eq!(units(&Prepare::default(), true), (vec![plain], 40));
    }
}
