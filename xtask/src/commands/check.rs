//! `check`: is the inventory sound?

use bench_locales::message;

use crate::{Format, Global, exit};

/// Loads everything and says how much there is.
///
/// # Errors
/// With exit code 2 and every mistake at once.
pub fn check(global: &Global) -> anyhow::Result<u8> {
    let inventory = super::load_inventory(global)?;
    let (boards, models, suites, hosts) = (
        inventory.boards.len(),
        inventory.models.len(),
        inventory.suites.len(),
        inventory.fleet.hosts.len(),
    );
    match global.format {
        Format::Json => {
            println!(
                "{}",
                serde_json::json!({ "boards": boards, "models": models, "suites": suites, "hosts": hosts })
            );
        }
        Format::Text => {
            println!(
                "{}",
                said!(
                    "check-sound",
                    boards = message!("check-boards", n = boards),
                    models = message!("check-models", n = models),
                    suites = message!("check-suites", n = suites),
                    hosts = message!("hosts", n = hosts),
                )
            );
        }
    }
    Ok(exit::OK)
}
