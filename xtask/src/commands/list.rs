//! `list`: what there is.

use clap::ValueEnum;
use comfy_table::{Table, presets};
use serde_json::json;

use crate::exit::ExitError;
use crate::host::transport_name;
use crate::{Format, Global, artifact, exit};

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Boards of the catalogue.
    Boards,
    /// Hosts of the fleet file.
    Hosts,
    /// Kernels and instruction-set variants of this machine.
    Kernels,
    /// Models of the catalogue.
    Models,
}

/// Prints the list.
///
/// # Errors
/// When the inventory does not load, or the board program of this machine does not build.
pub fn list(global: &Global, what: What) -> anyhow::Result<u8> {
    let (header, rows) = match what {
        What::Boards => boards(global)?,
        What::Hosts => hosts(global)?,
        What::Models => models(global)?,
        What::Kernels => kernels()?,
    };
    match global.format {
        Format::Json => {
            let rows: Vec<_> = rows
                .iter()
                .map(|row| {
                    let pairs = header
                        .iter()
                        .zip(row)
                        .map(|(key, value)| (key.replace(' ', "_"), json!(value)));
                    pairs.collect::<serde_json::Map<_, _>>()
                })
                .collect();
            println!("{}", serde_json::to_string_pretty(&rows)?);
        }
        Format::Text => {
            let mut table = Table::new();
            table
                .load_preset(presets::UTF8_FULL_CONDENSED)
                .set_header(header)
                .add_rows(rows);
            println!("{table}");
        }
    }
    Ok(exit::OK)
}

type Rows = (Vec<&'static str>, Vec<Vec<String>>);

fn boards(global: &Global) -> anyhow::Result<Rows> {
    let inventory = super::load_inventory(global)?;
    let mut rows = Vec::new();
    for board in inventory.boards.values() {
        for memory in &board.memories {
            rows.push(vec![
                board.id.clone(),
                board.name.clone(),
                memory.name.clone(),
                memory.kind.clone(),
                format!("{:.0} MT/s x {} bit", memory.mt_per_s, memory.bus_bits),
                format!("{:.2} GB/s", memory.theoretical_gb_per_s()),
            ]);
        }
    }
    Ok((
        vec!["board", "name", "memory", "kind", "rate", "theory"],
        rows,
    ))
}

fn hosts(global: &Global) -> anyhow::Result<Rows> {
    let inventory = super::load_inventory(global)?;
    let rows = inventory.fleet.hosts.iter().map(|host| {
        vec![
            host.name.clone(),
            host.board.clone().unwrap_or_else(|| "-".to_string()),
            transport_name(&host.transport).to_string(),
            host.tags.join(", "),
        ]
    });
    Ok((vec!["host", "board", "transport", "tags"], rows.collect()))
}

fn models(global: &Global) -> anyhow::Result<Rows> {
    let inventory = super::load_inventory(global)?;
    let mut header = vec!["model", "parameters"];
    header.extend(bench_inventory::Quant::USUAL.map(bench_inventory::Quant::id));
    let rows = inventory.models.values().map(|model| {
        let mut row = vec![
            model.id.clone(),
            format!("{:.3} B", model.n_params() as f64 / 1e9),
        ];
        row.extend(
            bench_inventory::Quant::USUAL
                .map(|quant| format!("{:.3} GB", model.file_bytes(quant) as f64 / 1e9)),
        );
        row
    });
    Ok((header, rows.collect()))
}

/// The board program knows its own kernels: the list comes from it.
fn kernels() -> anyhow::Result<Rows> {
    let arch = std::env::consts::ARCH;
    let target = artifact::target_of(arch)
        .ok_or_else(|| ExitError::usage(format!("there is no board program for `{arch}`")))?;
    let artifacts = artifact::build(&[target])?;
    let program = &artifacts[target.arch].path;
    let sh = crate::workspace::shell()?;
    let list: serde_json::Value =
        serde_json::from_str(&xshell::cmd!(sh, "{program} list").quiet().read()?)?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_string();
    let items = |key: &str| list[key].as_array().cloned().unwrap_or_default();
    let mut rows: Vec<Vec<String>> = items("kernels")
        .iter()
        .map(|kernel| {
            vec![
                "kernel".to_string(),
                text(&kernel["kernel"]),
                text(&kernel["summary"]),
            ]
        })
        .collect();
    rows.extend(items("variants").iter().map(|variant| {
        let state = match variant["available"].as_bool() {
            Some(true) => "runs on this machine".to_string(),
            _ => text(&variant["reason"]),
        };
        vec!["variant".to_string(), text(&variant["variant"]), state]
    }));
    Ok((vec!["what", "name", "note"], rows))
}
