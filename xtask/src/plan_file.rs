//! The plan of a whole run: made from the inventory without asking any host, and compared with one from a file.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;

use anyhow::Context;
use bench_inventory::{Host, Inventory, Suite};
use bench_protocol::{Job, PrepareStep, UnitSpec};
use bench_run_dir::files::sha256;
use bench_run_dir::plan::{EnvironmentWrite, PLAN_VERSION, PlanRecord, PlannedHost, PlannedUnit};
use bench_run_dir::{ArtifactRecord, MAX_RECORD_BYTES};

use crate::artifact::Artifact;
use crate::budget::{self, Budget};
use crate::exit::ExitError;
use crate::transport::{is_emulated, is_slow, transport_name};
use crate::{disk, environment, plan, workspace};

/// CPUs of a host that is no board of the catalogue. Not those of this machine: a plan must be the same on all
/// controllers.
const ASSUMED_CPUS: u32 = 4;

/// Names of what is changed on a host, as plans record them, beside the paths of files.
pub const POWER_MODE: &str = "power mode";
pub const CPU_GOVERNOR: &str = "CPU governor";
pub const DRAM_GOVERNOR: &str = "DRAM governor";
pub const OTHER_PROCESSES: &str = "CPUs of other processes";
pub const PAGE_CACHE: &str = "page cache";
/// Before the name of a service.
pub const SERVICE: &str = "service ";

/// What a plan is made from.
#[derive(Debug, Clone)]
pub struct Ingredients {
    /// Everything the inventory says.
    pub inventory: Inventory,
    /// The suite, cut down to the kernels that were asked for.
    pub suite: Suite,
    /// All hosts that were asked for, those of other shards included.
    pub hosts: Vec<Host>,
    /// Patterns of the kernels that were asked for.
    pub kernels: Vec<String>,
    /// Data files beside the inventory's, see [`PlanRecord::own_files`].
    pub own_files: BTreeMap<String, String>,
    /// Instruction-set variant that every unit is forced to.
    pub variant: Option<String>,
    /// Shape that every unit is forced to whose kernel has several and whose suite names none.
    pub shape: Option<String>,
    /// Time that each host is given.
    pub budget: Option<Budget>,
    /// Rounds that were asked for instead of the suite's own.
    pub rounds: Option<NonZeroU32>,
    /// Whether every unit is measured as the host is found, and again after it was prepared.
    pub compare_environment: bool,
    /// Hosts that are measured at once at most.
    pub max_parallel: Option<NonZeroU32>,
}

/// The plan, with its hash.
///
/// # Errors
/// With exit code 2 when the time budget has no room for any unit of a host. When a file of the inventory cannot be read
/// any more.
pub fn make(
    from: &Ingredients,
    fleet: Option<&Path>,
    artifacts: &BTreeMap<&'static str, Artifact>,
) -> anyhow::Result<PlanRecord> {
    let hosts: Vec<PlannedHost> = from.hosts.iter().map(|host| planned(from, host)).collect();
    check_budget(&hosts, from.budget)?;
    let estimated_ms = estimated_ms(&hosts, from.max_parallel);
    let mut plan = PlanRecord {
        version: PLAN_VERSION,
        hash: String::new(),
        suite: from.suite.id.clone(),
        kernels: from.kernels.clone(),
        own_files: from.own_files.clone(),
        variant: from.variant.clone(),
        shape: from.shape.clone(),
        budget_s: from.budget.map(|budget| budget.seconds),
        rounds: from.rounds.map(NonZeroU32::get),
        compare_environment: from.compare_environment,
        max_parallel: from.max_parallel.map(NonZeroU32::get),
        inventory_sha256: inventory_sha256(&from.suite.id, fleet)?,
        artifacts: artifact_records(artifacts),
        hosts,
        estimated_s: estimated_ms.div_ceil(1000),
    };
    plan.hash = plan.computed_hash();
    Ok(plan)
}

/// The board programs by target triple.
pub fn artifact_records(
    artifacts: &BTreeMap<&'static str, Artifact>,
) -> BTreeMap<String, ArtifactRecord> {
    let record = |artifact: &Artifact| {
        let record = ArtifactRecord {
            sha256: artifact.sha256.clone(),
            size_bytes: artifact.size_bytes,
        };
        (artifact.target.triple.to_string(), record)
    };
    artifacts.values().map(record).collect()
}

/// Reads a plan from a file.
///
/// # Errors
/// With exit code 2 when it cannot be read or is no plan of this version.
pub fn read(path: &Path) -> anyhow::Result<PlanRecord> {
    let bytes = bench_inventory::foreign::read(path, MAX_RECORD_BYTES).map_err(|error| {
        ExitError::usage(format!(
            "the plan `{}` cannot be read: {error}",
            path.display()
        ))
    })?;
    let plan: PlanRecord = serde_json::from_slice(&bytes).map_err(|error| {
        ExitError::usage(format!(
            "`{}` is no plan of this version: {error}; make one with `cargo xtask plan --output FILE`",
            path.display()
        ))
    })?;
    Ok(plan)
}

/// Writes a plan to a file.
///
/// # Errors
/// When the disk does not take it.
pub fn write(plan: &PlanRecord, path: &Path) -> anyhow::Result<()> {
    disk::write_json(path, plan)
}

/// What of a plan cannot be kept today, all of it at once; `now` is the plan that is made today.
pub fn differences(asked: &PlanRecord, now: &PlanRecord) -> Vec<String> {
    let mut differences = Vec::new();
    if asked.computed_hash() != asked.hash {
        differences.push("its hash does not belong to its content: it was edited".to_owned());
    }
    if asked.inventory_sha256 != now.inventory_sha256 {
        differences.push(format!(
            "the inventory with its fleet file was {}, now it is {}",
            short(&asked.inventory_sha256),
            short(&now.inventory_sha256)
        ));
    }
    let triples = asked.artifacts.keys().chain(now.artifacts.keys());
    let triples: std::collections::BTreeSet<&String> = triples.collect();
    for triple in triples {
        let of = |plan: &PlanRecord| {
            let artifact = plan.artifacts.get(triple);
            artifact.map_or("absent".to_owned(), |artifact| short(&artifact.sha256))
        };
        let (asked, now) = (of(asked), of(now));
        if asked != now {
            differences.push(format!(
                "the board program for {triple} was {asked}, now it is {now}"
            ));
        }
    }
    for host in &asked.hosts {
        match now.hosts.iter().find(|other| other.host == host.host) {
            None => differences.push(format!("the fleet file has no host `{}`", host.host)),
            Some(other) if other != host => {
                differences.push(format!("host `{}` would be measured otherwise", host.host));
            }
            Some(_) => {}
        }
    }
    if differences.is_empty() && asked.hash != now.hash {
        differences.push(format!(
            "its hash was {}, now it is {}",
            short(&asked.hash),
            short(&now.hash)
        ));
    }
    differences
}

/// The first digits of a hash, as people read it.
pub fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

/// What of a host's settings is changed while it is measured.
pub fn environment_writes(host: &Host) -> Vec<EnvironmentWrite> {
    let write = |step: PrepareStep| {
        let (path, value) = match step {
            PrepareStep::PowerMode(mode) => (POWER_MODE.to_owned(), mode.to_owned()),
            PrepareStep::CpuGovernor(name) => (CPU_GOVERNOR.to_owned(), name.to_owned()),
            PrepareStep::DramGovernor(name) => (DRAM_GOVERNOR.to_owned(), name.to_owned()),
            PrepareStep::File { path, value } => (path.to_owned(), value.to_owned()),
            PrepareStep::StopService(name) => (format!("{SERVICE}{name}"), "stopped".to_owned()),
            PrepareStep::ConfineOthers(cpus) => {
                let cpus: Vec<String> = cpus.iter().map(u32::to_string).collect();
                (OTHER_PROCESSES.to_owned(), cpus.join(","))
            }
            PrepareStep::DropCaches => (PAGE_CACHE.to_owned(), "given back".to_owned()),
        };
        EnvironmentWrite { path, value }
    };
    host.prepare.steps().into_iter().map(write).collect()
}

fn planned(from: &Ingredients, host: &Host) -> PlannedHost {
    let board = host.board.as_ref();
    let board = board.and_then(|id| from.inventory.boards.get(id));
    let assumed_cpus = board.map_or(ASSUMED_CPUS, |board| {
        board.clusters.iter().map(|cluster| cluster.n_cores).sum()
    });
    let facts = plan::assumed_facts(assumed_cpus);
    let slow = is_slow(host);
    let mut request = plan::request("plan", &from.suite, &from.inventory, &facts, slow);
    let (variant, shape) = (from.variant.as_deref(), from.shape.as_deref());
    plan::force(&mut request.units, variant, shape);
    let left_out = environment::apply(
        &mut request,
        &host.prepare,
        from.compare_environment,
        from.budget,
        0,
    );
    let first_round = request.units.iter().filter(|unit| unit.round == 0);
    let units: Vec<PlannedUnit> = first_round
        .map(|unit| PlannedUnit {
            rounds: request.n_rounds(&unit.unit),
            ..planned_unit(unit)
        })
        .collect();
    let sum = |ms: fn(&UnitSpec) -> u64| request.units.iter().map(ms).sum::<u64>();
    PlannedHost {
        host: host.name.clone(),
        board: host.board.clone(),
        transport: transport_name(&host.transport).to_owned(),
        emulated: is_emulated(host),
        assumed_cpus,
        left_out: left_out.map_or(Vec::new(), |left_out| left_out.units),
        sampling_ms: sum(budget::sampling_ms),
        estimated_ms: budget::HOST_MS + sum(budget::unit_ms),
        units,
        environment_writes: environment_writes(host),
    }
}

fn check_budget(hosts: &[PlannedHost], budget: Option<Budget>) -> anyhow::Result<()> {
    let is_empty = |host: &&PlannedHost| host.units.is_empty() && !host.left_out.is_empty();
    let empty: Vec<&PlannedHost> = hosts.iter().filter(is_empty).collect();
    let left_out = empty.iter().flat_map(|host| &host.left_out);
    let least_ms = left_out
        .map(|unit| unit.estimated_ms / u64::from(unit.n_rounds.max(1)))
        .min();
    let (Some(budget), Some(least_ms)) = (budget, least_ms) else {
        return Ok(());
    };
    let names: Vec<String> = empty
        .iter()
        .map(|host| format!("`{}`", host.host))
        .collect();
    Err(ExitError::usage(format!(
        "no unit fits {budget} on {}; give at least {} s",
        names.join(", "),
        (budget::HOST_MS + least_ms).div_ceil(1000)
    ))
    .into())
}

fn planned_unit(unit: &UnitSpec) -> PlannedUnit {
    PlannedUnit {
        unit: unit.unit.clone(),
        rounds: 1,
        kernel: unit.kernel.clone(),
        cpus: unit.cpus.clone(),
        candidates: unit.candidates.clone(),
        background_cpus: (unit.background.iter())
            .flat_map(|background| background.cpus.clone())
            .collect(),
        deadline_ms: unit.deadline_ms,
        sampling_ms: budget::sampling_ms(unit),
        estimated_ms: budget::unit_ms(unit),
        program: program_line(&unit.job),
    }
}

/// The words of the line of an external program that is not skipped: `NAME=VALUE` of its environment, the program, its arguments.
fn program_line(job: &Job) -> Vec<String> {
    let external = match job {
        Job::External(external) if external.skip.is_none() => external,
        _ => return Vec::new(),
    };
    let variables = external.environment.iter();
    let variables = variables.map(|(name, value)| format!("{name}={value}"));
    let words = [external.program.clone()].into_iter();
    variables
        .chain(words)
        .chain(external.args.iter().cloned())
        .collect()
}

/// SHA-256 over names and contents of the inventory's files that the run copies, hexadecimal.
fn inventory_sha256(suite: &str, fleet: Option<&Path>) -> anyhow::Result<String> {
    let mut lines = Vec::new();
    for (relative, path) in workspace::inventory_files(suite, fleet) {
        let bytes =
            std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        lines.push(format!("{}  {}\n", sha256(&bytes), relative.display()));
    }
    lines.sort();
    Ok(sha256(lines.concat().as_bytes()))
}

/// Hosts start in fleet order as places get free; those on the controller's own machine take turns.
fn estimated_ms(hosts: &[PlannedHost], max_parallel: Option<NonZeroU32>) -> u64 {
    let n_places = max_parallel.map_or(hosts.len(), |n| n.get() as usize);
    let mut free_at_ms = vec![0u64; n_places.max(1)];
    let mut machine_free_at_ms = 0;
    for host in hosts {
        let place = free_at_ms.iter_mut().min().expect("there is a place");
        let is_remote = matches!(host.transport.as_str(), "ssh" | "replay");
        let start_ms = match is_remote {
            true => *place,
            false => machine_free_at_ms.max(*place),
        };
        *place = start_ms + host.estimated_ms;
        if !is_remote {
            machine_free_at_ms = *place;
        }
    }
    free_at_ms.into_iter().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(transport: &str, seconds: u64) -> PlannedHost {
        PlannedHost {
            host: String::new(),
            board: None,
            transport: transport.to_owned(),
            emulated: false,
            assumed_cpus: ASSUMED_CPUS,
            units: Vec::new(),
            left_out: Vec::new(),
            sampling_ms: 0,
            estimated_ms: seconds * 1000,
            environment_writes: Vec::new(),
        }
    }

    fn check(hosts: &[(&str, u64)], max_parallel: u32, expect_s: u64) {
        let hosts: Vec<PlannedHost> = (hosts.iter())
            .map(|(transport, seconds)| host(transport, *seconds))
            .collect();
        let found_ms = estimated_ms(&hosts, NonZeroU32::new(max_parallel));
        assert_eq!(found_ms, expect_s * 1000, "{max_parallel} at once");
    }

    #[test]
    fn the_whole_run_takes_as_long_as_its_last_host() {
        let boards = [("ssh", 10), ("ssh", 20), ("ssh", 10)];
        check(&boards, 0, 20);
        check(&boards, 2, 20);
        check(&boards, 1, 40);
        check(&[], 0, 0);
    }

    #[test]
    fn hosts_on_the_controllers_machine_take_turns() {
        check(&[("local", 10), ("qemu-user", 5), ("ssh", 12)], 0, 15);
    }
}
