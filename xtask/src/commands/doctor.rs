//! `doctor`: asks every host for its state, without measuring, and names what would spoil a night and its remedy.

use std::collections::BTreeMap;

use bench_analysis::validity::host_check::{self, HostProblem, Weight};
use bench_analysis::validity::status;
use bench_inventory::Host;
use bench_protocol::Facts;
use bench_run_dir::HostStatus;
use clap::Args;
use comfy_table::ContentArrangement;
use serde_json::json;

use crate::artifact::{self, TARGETS};
use crate::exit;
use crate::host;
use crate::out::{self, text};
use crate::transport::{self, HostError};
use crate::{Format, Global};

/// Options of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Names of hosts [default: every host of the fleet file]
    host: Vec<String>,
}

/// Asks the hosts side by side.
///
/// # Errors
/// When a name is unknown or the inventory or the board programs cannot be used; what a host says is a result.
pub fn doctor(global: &Global, args: &DoctorArgs) -> anyhow::Result<u8> {
    let inventory = super::load_inventory(global)?;
    let all = &inventory.fleet.hosts;
    for name in &args.host {
        if !all.iter().any(|host| host.name == *name) {
            return Err(super::unknown(
                "host",
                name,
                all.iter().map(|host| host.name.as_str()),
            ));
        }
    }
    let asked: Vec<Host> = (all.iter())
        .filter(|host| args.host.is_empty() || args.host.contains(&host.name))
        .cloned()
        .collect();
    let artifacts = artifact::build(&TARGETS)?;
    let answers = host::each(&asked, artifacts, host::ask)?;
    let answers: Vec<Answer> = asked.iter().zip(answers).collect();
    print(global.format, &answers)?;
    Ok(exit_code(&answers))
}

type Answer<'a> = (&'a Host, Result<Facts, HostError>);

/// Findings of a host; the emulator's own machine is examined as a host of its own.
fn findings(host: &Host, facts: &Facts) -> Vec<HostProblem> {
    match transport::is_emulated(host) {
        true => Vec::new(),
        false => host_check::examine(facts),
    }
}

fn exit_code(answers: &[Answer]) -> u8 {
    let is_unreachable = |(_, answer): &Answer| matches!(answer, Err(error) if error.status == HostStatus::Unreachable);
    let is_bad = |(host, answer): &Answer| match answer {
        Ok(facts) => findings(host, facts)
            .iter()
            .any(|finding| finding.weight == Weight::Problem),
        Err(error) => error.status == HostStatus::Failed,
    };
    if answers.iter().any(is_bad) {
        exit::FAILED
    } else if answers.iter().any(is_unreachable) {
        exit::UNREACHABLE
    } else {
        exit::OK
    }
}

fn print(format: Format, answers: &[Answer]) -> anyhow::Result<()> {
    if format == Format::Json {
        let hosts: Vec<_> = answers.iter().map(document).collect();
        println!(
            "{}",
            serde_json::to_string_pretty(&json!({ "hosts": hosts }))?
        );
        return Ok(());
    }
    let mut table = out::table(&[
        said!("host"),
        said!("health-weight"),
        said!("health-found"),
        said!("health-remedy"),
    ]);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    for (host, answer) in answers {
        match answer {
            Err(error) => {
                table.add_row([
                    host.name.clone(),
                    text().say(&status::of_host(error.status)),
                    error.reason.clone(),
                    String::new(),
                ]);
            }
            Ok(facts) => {
                let findings = findings(host, facts);
                if findings.is_empty() {
                    table.add_row([
                        host.name.clone(),
                        said!("status-ok"),
                        said!("doctor-ok"),
                        String::new(),
                    ]);
                }
                for finding in findings {
                    let remedy = finding.remedy.as_ref();
                    table.add_row([
                        host.name.clone(),
                        text().say(&finding.weight.message()),
                        text().say(&finding.what),
                        remedy.map_or_else(String::new, |it| text().say(it)),
                    ]);
                }
            }
        }
    }
    println!("{table}");
    Ok(())
}

fn document((host, answer): &Answer) -> serde_json::Value {
    match answer {
        Err(error) => json!({
            "host": host.name,
            "status": error.status.name(),
            "reason": error.reason,
        }),
        Ok(facts) => {
            let findings = findings(host, facts);
            let findings: Vec<BTreeMap<&str, String>> = (findings.into_iter())
                .map(|finding| {
                    BTreeMap::from([
                        ("weight", finding.weight.name().to_owned()),
                        ("found", finding.what.to_string()),
                        (
                            "remedy",
                            finding.remedy.map_or_else(String::new, |it| it.to_string()),
                        ),
                    ])
                })
                .collect();
            json!({ "host": host.name, "status": "ok", "findings": findings })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_inventory::Transport;

    fn local() -> Host {
        Host {
            name: "here".into(),
            board: None,
            transport: Transport::Local,
            tags: Vec::new(),
            emulated: false,
            memory: None,
            prepare: Default::default(),
        }
    }

    #[test]
    fn the_worst_answer_decides_the_exit_code() {
        let host = local();
        let busy = Facts {
            load_1min: Some(9.0),
            ..Facts::default()
        };
        let absent = || Err(HostError::unreachable("nothing listens"));
        let code = |answers: Vec<Result<Facts, HostError>>| {
            let answers: Vec<Answer> = answers.into_iter().map(|a| (&host, a)).collect();
            exit_code(&answers)
        };
        assert_eq!(code(vec![Ok(Facts::default())]), exit::OK);
        assert_eq!(
            code(vec![Ok(Facts::default()), absent()]),
            exit::UNREACHABLE
        );
        assert_eq!(code(vec![Ok(busy), absent()]), exit::FAILED);
    }
}
