//! `lab`: machines to try memwall on, without any hardware.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::test::is_installed;
use crate::exit::{self, ExitError};
use crate::lab::{self, Lab, MODELS, Machine, Model, Started};
use crate::out;
use crate::{Format, Global};

/// Options of `lab`.
#[derive(Debug, Args)]
pub struct LabArgs {
    /// Folder of the lab, for tests of the lab itself
    #[arg(long, global = true, hide = true, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start machines and wait until they can be measured; those that are up are left alone
    Up {
        /// Names: pi4, a76, new, x86
        #[arg(
            long,
            value_delimiter = ',',
            default_value = "pi4,new",
            value_name = "NAME,..."
        )]
        boards: Vec<String>,
    },
    /// Show what was started
    Status,
    /// End machines [default: all of them]
    Down {
        /// Names
        name: Vec<String>,
    },
}

/// Starts, shows or ends machines.
///
/// # Errors
/// When a name is unknown, a program is missing, or a machine does not start or end.
pub fn lab(global: &Global, args: &LabArgs) -> anyhow::Result<u8> {
    let dir = args.dir.clone().unwrap_or_else(Lab::default_dir);
    match &args.action {
        Action::Up { boards } => up(global, &dir, boards),
        Action::Status => status(global, &dir),
        Action::Down { name } => down(&dir, name),
    }
}

fn models(names: &[String]) -> anyhow::Result<Vec<Model>> {
    let known = MODELS.iter().map(|model| model.name);
    for name in names {
        if !known.clone().any(|known| known == name) {
            return Err(super::unknown("machine of the lab", name, known));
        }
    }
    let is_named = |model: &Model| names.iter().any(|name| name == model.name);
    Ok(MODELS.into_iter().filter(is_named).collect())
}

fn up(global: &Global, dir: &Path, names: &[String]) -> anyhow::Result<u8> {
    let models = models(names)?;
    check_programs(&models)?;
    let lab = Lab::open(dir)?;
    let is_up = |model: &Model| {
        let started = lab.started();
        let mut same = started.iter().filter(|(other, _)| other == model);
        same.any(|(_, started)| lab.state(started) != lab::State::Dead)
    };
    let missing: Vec<Model> = models
        .iter()
        .filter(|model| !is_up(model))
        .copied()
        .collect();
    let needs_image = |model: &Model| matches!(model.machine, Machine::Qemu(_));
    let image = match missing.iter().any(needs_image) {
        true => Some(lab::ensure_image(&Lab::image_dir())?),
        false => None,
    };
    for model in &missing {
        eprintln!("starting `{}` ({})", model.name, model.machine.cpu());
        let started = lab.start(*model, image.as_ref());
        // Written after each: what was started must be found again, whatever becomes of the others.
        lab.write_files()?;
        started?;
    }
    let asked = |model: &Model| models.contains(model);
    for (_, started) in lab.started().iter().filter(|(model, _)| asked(model)) {
        if let Err(error) = lab.wait_until_up(started) {
            lab.stop(started)?;
            lab.write_files()?;
            return Err(error);
        }
    }
    print(global, &lab)?;
    if global.format == Format::Text {
        let (dir, name) = (
            shown(lab.dir()),
            models.first().map_or("pi4", |model| model.name),
        );
        println!("\nTry, and take what is measured for what it is, the timing of an emulator:");
        println!("  cargo xtask run --all-boards --fleet {dir}/fleet.yaml --suite smoke");
        println!("  ssh -F {dir}/ssh_config {name}");
        println!("  cargo xtask lab down");
    }
    Ok(exit::OK)
}

fn status(global: &Global, dir: &Path) -> anyhow::Result<u8> {
    print(global, &Lab::open(dir)?)?;
    Ok(exit::OK)
}

fn down(dir: &Path, names: &[String]) -> anyhow::Result<u8> {
    let models = match names.is_empty() {
        true => MODELS.to_vec(),
        false => models(names)?,
    };
    let lab = Lab::open(dir)?;
    let mut failures = Vec::new();
    for (_, started) in lab
        .started()
        .iter()
        .filter(|(model, _)| models.contains(model))
    {
        match lab.stop(started) {
            Ok(()) => eprintln!("`{}` is down", started.name),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    match lab.started().is_empty() {
        true => lab.clear()?,
        false => lab.write_files()?,
    }
    match failures.is_empty() {
        true => Ok(exit::OK),
        false => Err(anyhow::anyhow!(failures.join("; "))),
    }
}

/// Names everything that is missing at once.
fn check_programs(models: &[Model]) -> anyhow::Result<()> {
    let mut needed = vec![("ssh", "openssh-client"), ("ssh-keygen", "openssh-client")];
    for model in models {
        needed.extend(match model.machine {
            Machine::Qemu(_) => vec![
                (lab::QEMU, "qemu-system-arm"),
                ("apt-get", "apt"),
                ("dpkg-deb", "dpkg"),
            ],
            Machine::Sshd => vec![("sshd", "openssh-server")],
        });
    }
    let missing: BTreeSet<(&str, &str)> = needed
        .into_iter()
        .filter(|(program, _)| !is_installed(program))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let programs: Vec<&str> = missing.iter().map(|(program, _)| *program).collect();
    let packages: BTreeSet<&str> = missing.iter().map(|(_, package)| *package).collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    Err(ExitError::usage(format!(
        "the lab needs {}; as root, run `apt-get install --no-install-recommends {}`",
        programs.join(" and "),
        packages.join(" ")
    ))
    .into())
}

fn print(global: &Global, lab: &Lab) -> anyhow::Result<()> {
    let started = lab.started();
    let uptime_s = |started: &Started| match lab.state(started) {
        lab::State::Dead => None,
        _ => started.process.age_s().map(|age_s| age_s.round()),
    };
    if global.format == Format::Json {
        let machines: Vec<_> = started
            .iter()
            .map(|(model, started)| {
                json!({
                    "name": model.name,
                    "cpu": model.machine.cpu(),
                    "port": started.port,
                    "pid": started.process.pid,
                    "state": lab.state(started).name(),
                    "uptime_s": uptime_s(started),
                })
            })
            .collect();
        let dir = lab.dir().display().to_string();
        let document = json!({ "dir": dir, "machines": machines });
        println!("{}", serde_json::to_string_pretty(&document)?);
        return Ok(());
    }
    if started.is_empty() {
        println!("the lab is empty; `cargo xtask lab up` starts machines");
        return Ok(());
    }
    let mut table = out::table(&[
        "name",
        "cpu",
        "port",
        "pid",
        "state",
        "uptime",
        "what it is",
    ]);
    for (model, started) in &started {
        table.add_row([
            model.name.to_owned(),
            model.machine.cpu().to_owned(),
            started.port.to_string(),
            started.process.pid.to_string(),
            lab.state(started).name().to_owned(),
            uptime_s(started).map_or_else(|| "-".to_owned(), |age_s| format!("{age_s} s")),
            model.summary.to_owned(),
        ]);
    }
    println!("{table}");
    Ok(())
}

/// Relative to the folder the user is in, where it lies below.
fn shown(dir: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    dir.strip_prefix(here).unwrap_or(dir).display().to_string()
}
