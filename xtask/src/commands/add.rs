//! `add`: from an address to an entry of the fleet file, with the host key compared and pinned on the way.

mod fleet_file;
mod proposal;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bench_inventory::{Host, Inventory, SshTarget, Transport};
use bench_locales::Figure::BinaryBytes;
use bench_locales::Message;
use bench_protocol::Facts;
use clap::Args;

use crate::artifact::{self, TARGETS};
use crate::exit::{self, ExitError};
use crate::host_key::{self, Consent};
use crate::out::text;
use crate::{Global, host, workspace};
use fleet_file::quoted;

/// Options of `add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Name for the host
    name: String,
    /// Where it is; its alias in ~/.ssh/config works as well
    #[arg(value_name = "[USER@]ADDRESS[:PORT]")]
    address: String,
    /// Private key to log in with, if not one that ssh takes by itself
    #[arg(long, value_name = "FILE")]
    identity_file: Option<PathBuf>,
    /// Board of the catalogue, if not the one that the machine itself suggests
    #[arg(long, value_name = "BOARD")]
    board: Option<String>,
    #[command(flatten)]
    consent: Consent,
}

/// Connects to a machine and writes its entry.
///
/// # Errors
/// When the name is taken or cannot be one, the key is not confirmed, the machine cannot be measured, or the fleet file
/// cannot take an entry. Nothing is left behind then.
pub fn add(global: &Global, args: &AddArgs) -> anyhow::Result<u8> {
    let inventory = super::load_inventory(global)?;
    check_new(&inventory, args)?;
    let fleet = fleet_path(global);
    let target = target(args, &host_key::pin_path(&fleet, &args.name)?)?;
    let pin = host_key::pin_path(&fleet, &args.name)?;
    let keys = host_key::scan(&target)?;
    let key = host_key::decide(&args.name, &keys, &args.consent)?;
    let earlier = host_key::pinned(&pin).unwrap_or_default();
    host_key::pin(&pin, &key)?;
    let result = add_pinned(global, args, &inventory, &fleet, target);
    if result.is_err() {
        // Without its entry the key belongs to nobody.
        match earlier {
            Some(earlier) => host_key::pin(&pin, &earlier)?,
            None => {
                let _ = fs::remove_file(&pin);
            }
        }
    }
    result
}

fn add_pinned(
    global: &Global,
    args: &AddArgs,
    inventory: &Inventory,
    fleet: &Path,
    target: SshTarget,
) -> anyhow::Result<u8> {
    let artifacts = artifact::build(&TARGETS)?;
    let mut new = Host {
        name: args.name.clone(),
        board: None,
        transport: Transport::Ssh(target),
        tags: Vec::new(),
        emulated: false,
        memory: None,
        prepare: Default::default(),
    };
    let asked = host::each(std::slice::from_ref(&new), artifacts, host::ask)?;
    let facts = asked
        .into_iter()
        .next()
        .context("one host gives one answer")?;
    let facts = facts.map_err(|error| super::runner::host_error(&new, error))?;
    eprintln!("{}", describe(&facts));
    new.board = match &args.board {
        Some(board) => Some(board.clone()),
        None => {
            let proposal = proposal::propose(&facts, inventory);
            let reasons = Message::clauses(proposal.reasons);
            let reasons = reasons.map_or_else(String::new, |it| text().say(&it));
            let said = match &proposal.board {
                Some(board) => said!("add-board", board = board, reasons = reasons),
                None => said!("add-no-board", reasons = reasons),
            };
            eprintln!("{said}");
            proposal.board
        }
    };
    write_entry(global, inventory, fleet, &new)?;
    let path = fleet.display().to_string();
    println!("{}", said!("add-done", host = &new.name, path = path));
    Ok(exit::OK)
}

fn check_new(inventory: &Inventory, args: &AddArgs) -> anyhow::Result<()> {
    let name = &args.name;
    if inventory.fleet.hosts.iter().any(|host| host.name == *name) {
        return Err(ExitError::usage(format!(
            "the fleet file has a host `{name}` already; take another name, or `cargo xtask trust {name}` if only its key is new"
        ))
        .into());
    }
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 64
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if !is_name {
        return Err(ExitError::usage(format!(
            "`{name}` is no name for a host; use up to 64 letters, digits, `.`, `_` and `-`, and start with a letter or digit"
        ))
        .into());
    }
    if let Some(board) = &args.board
        && !inventory.boards.contains_key(board)
    {
        return Err(super::unknown(
            "board",
            board,
            inventory.boards.keys().map(String::as_str),
        ));
    }
    Ok(())
}

/// The fleet file that the command line means.
pub(super) fn fleet_path(global: &Global) -> PathBuf {
    let default = || workspace::inventory_dir().join("fleet.yaml");
    global.fleet.clone().unwrap_or_else(default)
}

fn target(args: &AddArgs, pin: &Path) -> anyhow::Result<SshTarget> {
    let (user, address, port) = parse_address(&args.address).ok_or_else(|| {
        ExitError::usage(format!(
            "`{}` is no address; write `user@board.example`, `user@192.0.2.10:2222` or `user@[2001:db8::1]:2222`",
            args.address
        ))
    })?;
    let identity_file = match &args.identity_file {
        Some(file) => {
            let shown = file.display();
            let path = fs::canonicalize(file)
                .map_err(|error| ExitError::usage(format!("cannot read `{shown}`: {error}")))?;
            Some(below_home(&path))
        }
        None => None,
    };
    Ok(SshTarget {
        destination: address,
        is_alias: false,
        port,
        user,
        identity_file,
        known_hosts: Some(below_home(pin)),
        config_file: None,
    })
}

/// User, address and port of `[USER@]ADDRESS[:PORT]`; an IPv6 address with a port stands in square brackets.
fn parse_address(text: &str) -> Option<(Option<String>, String, Option<u16>)> {
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, text),
    };
    let (address, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => (address, None),
        Some((address, port)) => (address, Some(port.strip_prefix(':')?)),
        None if rest.matches(':').count() == 1 => {
            let (address, port) = rest.split_once(':')?;
            (address, Some(port))
        }
        None => (rest, None),
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port| *port != 0)?),
        None => None,
    };
    let is_word = |word: &str| {
        !word.is_empty() && !word.starts_with('-') && !word.contains(char::is_whitespace)
    };
    if !is_word(address) || user.is_some_and(|user| !is_word(user)) {
        return None;
    }
    Some((user.map(str::to_owned), address.to_owned(), port))
}

/// With `~` for the home folder, so that the entry shows no more of this machine than it must.
fn below_home(path: &Path) -> String {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    let below = home.and_then(|home| Some(path.strip_prefix(home).ok()?.to_owned()));
    below.map_or_else(
        || path.display().to_string(),
        |below| format!("~/{}", below.display()),
    )
}

fn describe(facts: &Facts) -> String {
    let model = [&facts.device_tree_model, &facts.cpu_model];
    let model = model.into_iter().flatten().next();
    let variants: Vec<&str> = (facts.variants.iter())
        .filter(|variant| variant.available)
        .map(|variant| variant.variant.as_str())
        .collect();
    said!(
        "add-facts",
        model = model.cloned().unwrap_or_else(|| said!("add-no-model")),
        arch = &facts.arch,
        n = facts.cpus.len(),
        ram = text().figure_or_unknown(facts.memory.total_bytes.map(BinaryBytes)),
        os = (facts.os.clone()).unwrap_or_else(|| said!("add-no-os")),
        variants = variants.join(", "),
    )
}

/// Adds the entry and loads the inventory again; the file is put back as it was when that fails.
fn write_entry(
    global: &Global,
    inventory: &Inventory,
    fleet: &Path,
    new: &Host,
) -> anyhow::Result<()> {
    let Transport::Ssh(target) = &new.transport else {
        unreachable!("only machines over SSH are added");
    };
    let before = fs::read(fleet)
        .and_then(|bytes| bench_inventory::text::decode(&bytes).map_err(std::io::Error::other))
        .with_context(|| format!("cannot read `{}`", fleet.display()))?;
    let mut pairs = Vec::new();
    let mut push = |key, value: Option<&String>| {
        pairs.extend(value.map(|value| (key, quoted(value))));
    };
    let port = target.port.map(|port| port.to_string());
    push("board", new.board.as_ref());
    push("transport", Some(&"ssh".to_owned()));
    push("address", Some(&target.destination));
    push("user", target.user.as_ref());
    push("identity-file", target.identity_file.as_ref());
    push("known-hosts", target.known_hosts.as_ref());
    if let Some(port) = port {
        // A number: quotes would make a text of it.
        pairs.push(("port", port));
    }
    let after = fleet_file::with_host(&before, &new.name, &pairs)?;
    fleet_file::replace(fleet, &after)?;
    let is_as_meant = super::load_inventory(global).and_then(|loaded| {
        let mut expect = inventory.fleet.hosts.clone();
        expect.push(new.clone());
        anyhow::ensure!(
            loaded.fleet.hosts == expect,
            "the entry reads otherwise than it was written"
        );
        Ok(())
    });
    if let Err(error) = is_as_meant {
        fleet_file::replace(fleet, &before)?;
        return Err(error.context("the entry was taken back"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_as_people_write_them() {
        let check = |text: &str, expect: Option<(Option<&str>, &str, Option<u16>)>| {
            let expect = expect
                .map(|(user, address, port)| (user.map(str::to_owned), address.to_owned(), port));
            assert_eq!(parse_address(text), expect, "{text}");
        };
        check(
            "bench@192.0.2.10",
            Some((Some("bench"), "192.0.2.10", None)),
        );
        check(
            "board.example:2222",
            Some((None, "board.example", Some(2222))),
        );
        check(
            "b@[2001:db8::1]:22",
            Some((Some("b"), "2001:db8::1", Some(22))),
        );
        check("2001:db8::1", Some((None, "2001:db8::1", None)));
        check("rock", Some((None, "rock", None)));
        for wrong in [
            "",
            "@a",
            "a:",
            "a:0",
            "a:70000",
            "-oProxyCommand=x",
            "a b",
            "[::1]22",
        ] {
            check(wrong, None);
        }
    }
}
