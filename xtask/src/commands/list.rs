//! `list`: what there is.

use bench_inventory::Quant;
use bench_locales::Figure::{DecimalBytes, GbPerS, Integer, Parameters};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::exit::ExitError;
use crate::out::{self, text};
use crate::transport::transport_name;
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
    let (columns, rows) = match what {
        What::Boards => boards(global)?,
        What::Hosts => hosts(global)?,
        What::Models => models(global)?,
        What::Kernels => kernels()?,
    };
    match global.format {
        Format::Json => {
            let keys = || columns.iter().map(|column| column.key.to_owned());
            let document = |row: &Vec<Cell>| -> serde_json::Map<String, Value> {
                keys()
                    .zip(row.iter().map(|cell| json!(cell.value)))
                    .collect()
            };
            let rows: Vec<_> = rows.iter().map(document).collect();
            println!("{}", serde_json::to_string_pretty(&rows)?);
        }
        Format::Text => {
            let header: Vec<String> = columns.into_iter().map(|column| column.header).collect();
            let mut table = out::table(&header);
            table.add_rows((rows.into_iter()).map(|row| row.into_iter().map(Cell::into_shown)));
            println!("{table}");
        }
    }
    Ok(exit::OK)
}

/// A column: its stable name for programs, and its header for people.
struct Column {
    key: &'static str,
    header: String,
}

fn column(key: &'static str, header: String) -> Column {
    Column { key, header }
}

/// A cell as programs read it, and as people do where that differs.
struct Cell {
    value: String,
    shown: Option<String>,
}

impl Cell {
    fn new(value: impl Into<String>, shown: String) -> Cell {
        Cell {
            value: value.into(),
            shown: Some(shown),
        }
    }

    fn into_shown(self) -> String {
        self.shown.unwrap_or(self.value)
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(value: T) -> Cell {
        Cell {
            value: value.into(),
            shown: None,
        }
    }
}

type Rows = (Vec<Column>, Vec<Vec<Cell>>);

fn boards(global: &Global) -> anyhow::Result<Rows> {
    let inventory = super::load_inventory(global)?;
    let mut rows = Vec::new();
    for board in inventory.boards.values() {
        for memory in &board.memories {
            rows.push(vec![
                Cell::from(&board.id),
                Cell::from(&board.name),
                Cell::from(&memory.name),
                Cell::from(&memory.kind),
                Cell::new(
                    format!("{:.0} MT/s x {} bit", memory.mt_per_s, memory.bus_bits),
                    said!(
                        "list-transfers",
                        rate = Integer(memory.mt_per_s),
                        bits = memory.bus_bits,
                    ),
                ),
                Cell::new(
                    format!("{:.2} GB/s", memory.theoretical_gb_per_s()),
                    text().figure(GbPerS(memory.theoretical_gb_per_s())),
                ),
            ]);
        }
    }
    let columns = vec![
        column("board", said!("board")),
        column("name", said!("list-name")),
        column("memory", said!("residency-memory")),
        column("kind", said!("list-kind")),
        column("rate", said!("list-rate")),
        column("theory", said!("theory")),
    ];
    Ok((columns, rows))
}

fn hosts(global: &Global) -> anyhow::Result<Rows> {
    let inventory = super::load_inventory(global)?;
    let rows = inventory.fleet.hosts.iter().map(|host| {
        vec![
            Cell::from(&host.name),
            Cell::from(host.board.as_deref().unwrap_or("-")),
            Cell::from(transport_name(&host.transport)),
            Cell::from(host.tags.join(", ")),
        ]
    });
    let columns = vec![
        column("host", said!("host")),
        column("board", said!("board")),
        column("transport", said!("fact-transport")),
        column("tags", said!("list-tags")),
    ];
    Ok((columns, rows.collect()))
}

fn models(global: &Global) -> anyhow::Result<Rows> {
    let inventory = super::load_inventory(global)?;
    let mut columns = vec![
        column("model", said!("model")),
        column("parameters", said!("model-parameters")),
    ];
    columns.extend(Quant::USUAL.map(|quant| column(quant.id(), quant.id().to_owned())));
    let rows = inventory.models.values().map(|model| {
        let n_params = model.n_params();
        let mut row = vec![
            Cell::from(&model.id),
            Cell::new(
                format!("{:.3} B", n_params as f64 / 1e9),
                text().figure(Parameters(n_params)),
            ),
        ];
        row.extend(Quant::USUAL.map(|quant| {
            let bytes = model.file_bytes(quant);
            Cell::new(
                format!("{:.3} GB", bytes as f64 / 1e9),
                text().figure(DecimalBytes(bytes)),
            )
        }));
        row
    });
    Ok((columns, rows.collect()))
}

/// The board program knows its own kernels: the list comes from it.
fn kernels() -> anyhow::Result<Rows> {
    let arch = std::env::consts::ARCH;
    let target = artifact::target_of(arch)
        .ok_or_else(|| ExitError::usage(format!("there is no board program for `{arch}`")))?;
    let artifacts = artifact::build(&[target])?;
    let program = &artifacts[target.arch].path;
    let sh = crate::workspace::shell()?;
    let list: Value = serde_json::from_str(&xshell::cmd!(sh, "{program} list").quiet().read()?)?;
    let told = |value: &Value| Cell::from(value.as_str().unwrap_or_default());
    let items = |key: &str| list[key].as_array().cloned().unwrap_or_default();
    let mut rows: Vec<Vec<Cell>> = items("kernels")
        .iter()
        .map(|kernel| {
            vec![
                Cell::new("kernel", said!("kernel")),
                told(&kernel["kernel"]),
                told(&kernel["summary"]),
            ]
        })
        .collect();
    rows.extend(items("variants").iter().map(|variant| {
        let state = match variant["available"].as_bool() {
            Some(true) => Cell::new("runs on this machine", said!("list-runs-here")),
            _ => told(&variant["reason"]),
        };
        let what = Cell::new("variant", said!("variant"));
        vec![what, told(&variant["variant"]), state]
    }));
    let columns = vec![
        column("what", said!("list-what")),
        column("name", said!("list-name")),
        column("note", said!("check-note")),
    ];
    Ok((columns, rows))
}
