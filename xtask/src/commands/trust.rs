//! `trust`: takes a host's new key after the board was reflashed.

use bench_inventory::Transport;
use clap::Args;

use super::add::fleet_path;
use crate::exit::{self, ExitError};
use crate::host_key::{self, Consent};
use crate::{Global, transport};

/// Options of `trust`.
#[derive(Debug, Args)]
pub struct TrustArgs {
    /// Host of the fleet file
    name: String,
    #[command(flatten)]
    consent: Consent,
}

/// Shows the old and the new key and replaces the pinned one; other hosts' keys stay.
///
/// # Errors
/// When the host is unknown, its key is not pinned by memwall, it does not answer, or the new key is not confirmed.
pub fn trust(global: &Global, args: &TrustArgs) -> anyhow::Result<u8> {
    let inventory = super::load_inventory(global)?;
    let hosts = &inventory.fleet.hosts;
    let host = hosts
        .iter()
        .find(|host| host.name == args.name)
        .ok_or_else(|| {
            let names = hosts.iter().map(|host| host.name.as_str());
            super::unknown("host", &args.name, names)
        })?;
    let name = &host.name;
    let Transport::Ssh(target) = &host.transport else {
        let message = format!("host `{name}` has no host key: it is not reached over SSH");
        return Err(ExitError::usage(message).into());
    };
    let pin = host_key::pin_path(&fleet_path(global), name)?;
    let is_pinned_here = |file: &String| transport::expand_home(file) == pin;
    if !target.known_hosts.as_ref().is_some_and(is_pinned_here) {
        return Err(ExitError::usage(format!(
            "the key of host `{name}` is not pinned by memwall: remove the old one with `ssh-keygen -R`, and connect once with ssh to compare the new one; or write `known-hosts: {}` into its entry first",
            pin.display()
        ))
        .into());
    }
    let old = host_key::pinned(&pin)?;
    let keys = host_key::scan(target)?;
    match &old {
        Some(old) if keys.contains(old) => {
            println!(
                "{}",
                said!(
                    "trust-same-key",
                    host = name,
                    fingerprint = &old.fingerprint
                )
            );
            return Ok(exit::OK);
        }
        Some(old) => eprintln!(
            "{}",
            said!(
                "trust-old-key",
                host = name,
                kind = &old.kind,
                fingerprint = &old.fingerprint,
            )
        ),
        None => eprintln!("{}", said!("trust-no-key", host = name)),
    }
    let key = host_key::decide(name, &keys, &args.consent)?;
    host_key::pin(&pin, &key)?;
    println!(
        "{}",
        said!(
            "trust-new-key",
            host = name,
            kind = key.kind,
            fingerprint = key.fingerprint,
        )
    );
    Ok(exit::OK)
}
