//! Whether going on with a run does anything that the lab's own inventory does not say: a run directory may come from
//! anywhere, and its fleet file, its suite and its requests name programs, machines and settings.
//!
//! Owns the question and the words of the answer. Refuses to guess where a run directory came from.

use bench_inventory::{Host, Inventory, SshTarget, Suite, SuiteWork, Transport};
use bench_protocol::{External, Job, UnitSpec};
use bench_run_dir::format::{foreign, foreign_short};

use super::Resumed;
use crate::exit::ExitError;
use crate::host::Prior;
use crate::plan_file::environment_writes;

/// Refuses a run that would do what `lab`, the inventory of today, does not say.
///
/// # Errors
/// With exit code 2 and everything that it would do: hosts that are reached in another way or not of this lab, settings
/// that are changed, programs that are started.
pub fn check(resumed: &Resumed, lab: &Inventory) -> Result<(), ExitError> {
    let mut deeds = Vec::new();
    for (host, prior) in &resumed.open {
        deeds.extend(host_deed(host, lab));
        deeds.extend(settings_deed(host, prior));
        deeds.extend(programs(host, prior, &resumed.suite, lab));
    }
    if deeds.is_empty() {
        return Ok(());
    }
    Err(ExitError::usage(format!(
        "run `{}` does not follow this lab's inventory, and going on with it would do this:{}\nname the fleet file that it was made with (`--fleet FILE`), or add `--trust-fleet` if you know where the run directory comes from",
        resumed.dir.display(),
        deeds.concat()
    )))
}

/// A host that is not the lab's host of that name, whole: address, keys, configuration of ssh, settings.
fn host_deed(host: &Host, lab: &Inventory) -> Option<String> {
    let mut known = lab.fleet.hosts.iter();
    if known.any(|known| known == host) {
        return None;
    }
    let writes = environment_writes(host);
    let writes: Vec<String> = (writes.iter())
        .map(|write| format!("{} to `{}`", foreign(&write.path), foreign(&write.value)))
        .collect();
    let settings = match writes.is_empty() {
        true => String::new(),
        false => format!("; it sets {}", writes.join(", ")),
    };
    Some(format!(
        "\n  - measure host `{}` {}{settings}",
        host.name,
        way(&host.transport)
    ))
}

fn way(transport: &Transport) -> String {
    match transport {
        Transport::Local => "on this machine".to_owned(),
        Transport::Ssh(target) => over_ssh(target),
        Transport::QemuUser { arch, cpu } => format!(
            "in an emulator of {} on this machine{}",
            foreign(arch),
            cpu.as_ref()
                .map_or_else(String::new, |cpu| format!(" (`-cpu {}`)", foreign(cpu)))
        ),
        Transport::Replay(recording) => format!(
            "from the recorded stream `{}`",
            foreign(&recording.stream.display().to_string())
        ),
    }
}

fn over_ssh(target: &SshTarget) -> String {
    let port = target.port.map(|port| port.to_string());
    let options = [
        ("user", &target.user),
        ("port", &port),
        ("identity-file", &target.identity_file),
        ("known-hosts", &target.known_hosts),
        (
            "config-file, which may start any program,",
            &target.config_file,
        ),
    ];
    let options: Vec<String> = (options.iter())
        .filter_map(|(name, value)| Some(format!(", {name} `{}`", foreign(value.as_ref()?))))
        .collect();
    format!(
        "over ssh to `{}`{}",
        foreign(&target.destination),
        options.concat()
    )
}

/// A request is sent as it lies in the run directory, its settings included.
fn settings_deed(host: &Host, prior: &Prior) -> Option<String> {
    let request = prior.request.as_ref()?;
    (request.prepare != host.prepare).then(|| {
        let asked = Host {
            prepare: request.prepare.clone(),
            ..host.clone()
        };
        let writes = environment_writes(&asked);
        let writes: Vec<String> = (writes.iter())
            .map(|write| format!("{} to `{}`", foreign(&write.path), foreign(&write.value)))
            .collect();
        format!(
            "\n  - set on host `{}`, by its `request.json`: {}",
            host.name,
            match writes.is_empty() {
                true => "nothing, against its fleet file".to_owned(),
                false => writes.join(", "),
            }
        )
    })
}

/// Programs on the board that no suite of the lab starts.
fn programs(host: &Host, prior: &Prior, suite: &Suite, lab: &Inventory) -> Vec<String> {
    let deed = |external: &External| {
        let words: Vec<&str> = ([external.program.as_str()].into_iter())
            .chain(external.args.iter().map(String::as_str))
            .collect();
        let variables: Vec<String> = (external.environment.iter())
            .map(|(name, value)| format!("{name}={value} "))
            .collect();
        format!(
            "\n  - start on host `{}`: `{}`",
            host.name,
            foreign_short(&format!("{}{}", variables.concat(), words.join(" ")), 400)
        )
    };
    let of_lab = || {
        let suites = lab.suites.values();
        suites
            .flat_map(|suite| &suite.units)
            .filter_map(|unit| match &unit.work {
                SuiteWork::External(program) => Some(program),
                _ => None,
            })
    };
    let asked = |unit: &UnitSpec| match &unit.job {
        Job::External(external) if external.skip.is_none() => {
            let is_of_lab = of_lab().any(|program| program.for_cpus(&unit.cpus) == *external);
            (!is_of_lab).then(|| deed(external))
        }
        _ => None,
    };
    match &prior.request {
        Some(request) => request.units.iter().filter_map(asked).collect(),
        // It is made from the suite in the run directory.
        None => (suite.units.iter())
            .filter_map(|unit| match &unit.work {
                SuiteWork::External(program) if of_lab().all(|known| known != program) => {
                    Some(deed(&program.for_cpus(&[])))
                }
                _ => None,
            })
            .collect(),
    }
}
