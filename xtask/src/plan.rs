//! From a suite and a board's facts to the units that are measured there.

mod cpus;
mod jobs;
pub mod rounds;
mod sizes;

use bench_inventory::{Inventory, Suite, SuiteUnit, SuiteWork};
use bench_protocol::{
    Background, CpuFacts, Environment, Facts, PROTOCOL_VERSION, RunRequest, UnitSpec, has_shapes,
};

use self::cpus::Placement;

/// Time beyond the units' own deadlines: set-up of the program and the last message.
const REQUEST_SLACK_MS: u64 = 30_000;

/// What to measure on a board.
pub fn request(
    run_id: &str,
    suite: &Suite,
    inventory: &Inventory,
    facts: &Facts,
    emulated: bool,
) -> RunRequest {
    let mut units: Vec<(UnitSpec, u32)> = Vec::new();
    for suite_unit in &suite.units {
        let is_external = matches!(suite_unit.work, SuiteWork::External(_));
        // Times of an emulator say nothing, however often they are taken.
        let n_rounds = match emulated {
            true => 1,
            false => suite_unit.n_rounds(suite.rounds),
        };
        let sampling = match emulated && !is_external {
            true => suite.emulated.sampling,
            false => suite_unit.sampling,
        };
        for placement in cpus::placements(suite_unit, &facts.cpus, facts.cpu_quota_millis) {
            for (suffix, job) in jobs::jobs(
                suite_unit,
                suite,
                inventory,
                facts,
                emulated,
                &placement.cpus,
            ) {
                for (ending, background, shape) in ways(suite_unit, &placement, facts) {
                    let name = &placement.name;
                    let unit = UnitSpec {
                        unit: format!("{}/{suffix}/{name}{ending}", suite_unit.kernel),
                        round: 0,
                        kernel: suite_unit.kernel.clone(),
                        variant: None,
                        shape,
                        cpus: placement.cpus.clone(),
                        candidates: placement.candidates.clone(),
                        job: job.clone(),
                        background,
                        environment: Environment::default(),
                        sampling,
                        deadline_ms: u64::from(suite_unit.deadline_s) * 1000,
                    };
                    if !units.iter().any(|(other, _)| other.unit == unit.unit) {
                        units.push((unit, n_rounds));
                    }
                }
            }
        }
    }
    let units = rounds::repeat(units);
    RunRequest {
        protocol: PROTOCOL_VERSION,
        run_id: run_id.to_string(),
        deadline_ms: deadline_ms(&units),
        units,
        ..RunRequest::default()
    }
}

/// Forces the variant of every unit, and the shape of those that may have several and whose suite names none.
pub fn force(units: &mut [UnitSpec], variant: Option<&str>, shape: Option<&str>) {
    for unit in units {
        unit.variant = variant.map(str::to_owned);
        let asked = shape.filter(|_| has_shapes(&unit.kernel));
        unit.shape = unit.shape.take().or(asked.map(str::to_owned));
    }
}

/// When a program that measures these units one after the other ends itself, milliseconds.
pub fn deadline_ms(units: &[UnitSpec]) -> u64 {
    units.iter().map(|unit| unit.deadline_ms).sum::<u64>() + REQUEST_SLACK_MS
}

/// The end of a unit's name, what reads beside it, and the shape that is forced.
type Way = (String, Option<Background>, Option<String>);

/// Each background with each shape that the suite forces, or with none where the board is to race them.
fn ways(unit: &SuiteUnit, placement: &Placement, facts: &Facts) -> Vec<Way> {
    let mut ways = Vec::new();
    for (ending, background) in backgrounds(unit, placement, facts) {
        for shape in &unit.shapes {
            let ending = format!("{ending}/{shape}");
            ways.push((ending, background.clone(), Some(shape.clone())));
        }
        if unit.shapes.is_empty() {
            ways.push((ending, background, None));
        }
    }
    ways
}

/// The loads on the bus beside a unit: all CPUs that it leaves over read. None where none is left.
fn backgrounds(
    unit: &SuiteUnit,
    placement: &Placement,
    facts: &Facts,
) -> Vec<(String, Option<Background>)> {
    if unit.background_percent.is_empty() {
        return vec![(String::new(), None)];
    }
    let left: Vec<u32> = (facts.cpus.iter())
        .map(|cpu| cpu.cpu)
        .filter(|cpu| !placement.cpus.contains(cpu))
        .collect();
    if left.is_empty() {
        return Vec::new();
    }
    let background = |percent: &u32| {
        let background = Background {
            cpus: left.clone(),
            working_set_bytes: sizes::dram_working_set_bytes(facts),
            permille: percent * 10,
        };
        (format!("/bg{percent}"), Some(background))
    };
    unit.background_percent.iter().map(background).collect()
}

/// Facts of a board nobody has asked yet: enough to show a plan.
pub fn assumed_facts(n_cpus: u32) -> Facts {
    Facts {
        cpus: (0..n_cpus)
            .map(|cpu| CpuFacts {
                cpu,
                core_siblings: vec![cpu],
                ..CpuFacts::default()
            })
            .collect(),
        ..Facts::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use bench_inventory::{Inventory, ThreadCount, load_catalogue};
    use bench_protocol::{CacheFacts, MemoryFacts};

    use super::*;
    use crate::budget;

    fn catalogue() -> Inventory {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../inventory");
        load_catalogue(&root).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Four small and four large cores with 16 GB, as an RK3588 has.
    fn rk3588() -> Facts {
        let cpus = (0..8).map(|cpu| CpuFacts {
            cpu,
            capacity: Some(if cpu < 4 { 530 } else { 1024 }),
            core_siblings: vec![cpu],
            ..CpuFacts::default()
        });
        let shared = CacheFacts {
            level: 3,
            kind: "Unified".into(),
            size_bytes: 3 << 20,
            shared_cpus: (0..8).collect(),
        };
        Facts {
            cpus: cpus.collect(),
            caches: vec![shared],
            memory: MemoryFacts {
                total_bytes: Some(16 << 30),
                available_bytes: Some(15 << 30),
                ..MemoryFacts::default()
            },
            ..Facts::default()
        }
    }

    #[test]
    fn suites_keep_their_time() {
        let inventory = catalogue();
        for (suite, at_most_s) in [("smoke", 15.0), ("quick", 40.0), ("standard", 1000.0)] {
            let request = request(
                "run",
                &inventory.suites[suite],
                &inventory,
                &rk3588(),
                false,
            );
            let budgets_ms = request.units.iter().map(|unit| unit.sampling.budget_ms);
            let sampling_s = budgets_ms.sum::<u64>() as f64 / 1000.0;
            assert!(sampling_s <= at_most_s, "{suite}: {sampling_s} s");
        }
    }

    /// Connecting, set-up, races and sampling together; what a restless machine is sampled longer for comes on top.
    #[test]
    fn the_quick_suite_takes_less_than_a_minute_on_every_board() {
        let inventory = catalogue();
        let mut boards = vec![rk3588()];
        boards.extend(inventory.boards.values().map(|board| {
            let n_cores = board.clusters.iter().map(|cluster| cluster.n_cores).sum();
            assumed_facts(n_cores)
        }));
        for facts in boards {
            let request = request("run", &inventory.suites["quick"], &inventory, &facts, false);
            let planned_ms = request.units.iter().map(budget::unit_ms).sum::<u64>();
            let planned_s = (budget::HOST_MS + planned_ms) as f64 / 1000.0;
            assert!(planned_s < 60.0, "{} CPUs: {planned_s} s", facts.cpus.len());
        }
    }

    #[test]
    fn a_suite_and_the_command_line_force_shapes() {
        let inventory = catalogue();
        let mut suite = inventory.suites["quick"].clone();
        suite
            .units
            .retain(|unit| matches!(unit.kernel.as_str(), "read" | "copy" | "latency"));
        for unit in &mut suite.units {
            unit.threads = vec![ThreadCount::All];
        }
        suite.units[0].shapes = vec!["v256x8-far".into(), "ldnp".into()];
        let mut request = request("run", &suite, &inventory, &rk3588(), false);
        force(&mut request.units, None, Some("rep"));
        let found: Vec<(&str, Option<&str>)> = (request.units.iter())
            .map(|unit| (unit.unit.as_str(), unit.shape.as_deref()))
            .collect();
        let expect = [
            ("read/dram/t8/v256x8-far", Some("v256x8-far")),
            ("read/dram/t8/ldnp", Some("ldnp")),
            ("copy/dram/t8", Some("rep")),
            ("latency/dram/x1/t8", None),
        ];
        assert_eq!(found, expect);
    }

    #[test]
    fn every_unit_has_a_name_of_its_own() {
        let inventory = catalogue();
        for suite in inventory.suites.values() {
            let request = request("run", suite, &inventory, &rk3588(), false);
            let names: BTreeSet<(&str, u32)> = (request.units.iter())
                .map(|u| (u.unit.as_str(), u.round))
                .collect();
            assert_eq!(names.len(), request.units.len(), "{}", suite.id);
            for unit in &request.units {
                let background = unit.background.iter().flat_map(|bg| &bg.cpus);
                for cpu in background {
                    assert!(!unit.cpus.contains(cpu), "{}: CPU {cpu} twice", unit.unit);
                }
            }
        }
    }
}
