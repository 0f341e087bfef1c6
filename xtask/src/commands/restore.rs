//! `restore`: puts back what a run changed on boards and could not put back itself.

use bench_protocol::EnvironmentStep;
use clap::Args;
use comfy_table::ContentArrangement;
use serde_json::json;

use crate::artifact::{self, TARGETS};
use crate::out;
use crate::transport::HostError;
use crate::{Format, Global, exit, host};

/// Options of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Names of hosts
    #[arg(required = true)]
    host: Vec<String>,
}

/// Puts the hosts back side by side.
///
/// # Errors
/// When a name is unknown or the inventory or the board programs cannot be used; what a host says is a result.
pub fn restore(global: &Global, args: &RestoreArgs) -> anyhow::Result<u8> {
    let inventory = super::load_inventory(global)?;
    let all = &inventory.fleet.hosts;
    let find = |name: &String| {
        let host = all.iter().find(|host| host.name == *name);
        host.ok_or_else(|| super::unknown("host", name, all.iter().map(|host| host.name.as_str())))
    };
    let hosts = (args.host.iter())
        .map(|name| find(name).cloned())
        .collect::<anyhow::Result<Vec<_>>>()?;
    let artifacts = artifact::build(&TARGETS)?;
    let answers = host::each(&hosts, artifacts, host::restore)?;
    let names = hosts.iter().map(|host| host.name.as_str());
    let answers: Vec<(&str, Result<Vec<EnvironmentStep>, HostError>)> =
        names.zip(answers).collect();
    print(global.format, &answers)?;
    let is_left = |step: &EnvironmentStep| step.problem.is_some();
    Ok(match &answers {
        answers
            if answers.iter().any(|(_, answer)| {
                answer.as_ref().is_ok_and(|steps| steps.iter().any(is_left))
            }) =>
        {
            exit::NOT_RESTORED
        }
        answers if answers.iter().any(|(_, answer)| answer.is_err()) => exit::UNREACHABLE,
        _ => exit::OK,
    })
}

fn print(
    format: Format,
    answers: &[(&str, Result<Vec<EnvironmentStep>, HostError>)],
) -> anyhow::Result<()> {
    if format == Format::Json {
        let hosts: Vec<_> = (answers.iter())
            .map(|(host, answer)| match answer {
                Ok(steps) => json!({ "host": host, "steps": steps }),
                Err(error) => json!({ "host": host, "error": error.reason }),
            })
            .collect();
        println!(
            "{}",
            serde_json::to_string_pretty(&json!({ "hosts": hosts }))?
        );
        return Ok(());
    }
    let mut table = out::table(&[
        said!("host"),
        said!("environment-setting"),
        said!("environment-before"),
        said!("environment-after"),
        said!("environment-outcome"),
    ]);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    for (host, answer) in answers {
        match answer {
            Ok(steps) if steps.is_empty() => {
                table.add_row([host, said!("restore-nothing").as_str(), "", "", ""]);
            }
            Ok(steps) => {
                for step in steps {
                    let (before, after) = (step.before.as_deref(), step.after.as_deref());
                    let outcome =
                        (step.problem.clone()).unwrap_or_else(|| said!("environment-put-back"));
                    table.add_row([
                        host,
                        step.setting.as_str(),
                        before.unwrap_or("?"),
                        after.unwrap_or("?"),
                        outcome.as_str(),
                    ]);
                }
            }
            Err(error) => {
                table.add_row([host, error.reason.as_str(), "", "", ""]);
            }
        }
    }
    println!("{table}");
    Ok(())
}
