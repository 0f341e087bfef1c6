//! From a suite and a board's facts to the units that are measured there.

mod cpus;
mod jobs;
pub mod rounds;
mod sizes;

use bench_inventory::{Inventory, Suite, SuiteUnit, SuiteWork};
use bench_protocol::{
    Background, CpuFacts, Environment, Facts, PROTOCOL_VERSION, RunRequest, UnitSpec,
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
                for (background_suffix, background) in backgrounds(suite_unit, &placement, facts) {
                    let name = &placement.name;
                    let unit = UnitSpec {
                        unit: format!("{}/{suffix}/{name}{background_suffix}", suite_unit.kernel),
                        round: 0,
                        kernel: suite_unit.kernel.clone(),
                        variant: None,
                        shape: None,
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

/// When a program that measures these units one after the other ends itself, milliseconds.
pub fn deadline_ms(units: &[UnitSpec]) -> u64 {
    units.iter().map(|unit| unit.deadline_ms).sum::<u64>() + REQUEST_SLACK_MS
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

    use bench_inventory::{Inventory, load_catalogue};
    use bench_protocol::{CacheFacts, MemoryFacts};

    use super::*;

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
