//! Where a model would run: a board of the catalogue, or a host that was measured.

use std::collections::BTreeMap;

use bench_inventory::{Board, Memory};
use serde::Serialize;

use crate::analysis::{HostAnalysis, kernel_rates, mixed_rate};
use crate::fit::{self, Room};
use crate::label::Label;
use crate::predict::{self, Class, Machine, Prediction};

/// How published read bandwidths count bytes: others cannot be compared with a read.
const READ_CONVENTION: &str = "read";

/// A bandwidth with its kind and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rate {
    /// GB/s (10^9 bytes per second).
    pub gb_per_s: f64,
    /// Kind of figure.
    pub label: Label,
    /// Where it comes from.
    pub source: String,
}

/// A board or host with everything that bounds a model on it.
#[derive(Debug)]
pub struct Target<'a> {
    /// Catalogue id of the board, or name of the host.
    pub name: String,
    /// The board, where it is known.
    pub board: Option<&'a Board>,
    /// What computes: `cpu`, `gpu`, `npu`.
    pub processor: String,
    /// Theoretical bandwidth.
    pub theory: Option<Rate>,
    /// Best read: measured on the host, or published for the board.
    pub read: Option<Rate>,
    /// RAM for a model: what the host has free, or what the largest size of the board leaves.
    pub room: Option<Room>,
    /// Every size that the board is sold with, smallest first; the host's own alone.
    pub rooms: Vec<Room>,
    /// Expected share of a rate, where it can be predicted.
    pub prediction: Option<(Prediction, Rate)>,
    /// The host, where one was measured.
    pub host: Option<&'a HostAnalysis<'a>>,
    kernels: BTreeMap<(String, usize), f64>,
}

impl Target<'_> {
    /// Rate at which the cores eat these weights (bytes by format), GB/s, with the thread count that does it best.
    pub fn kernel_rate(&self, weight_bytes: &BTreeMap<String, u64>) -> Option<f64> {
        let mut counts: Vec<usize> = self.kernels.keys().map(|(_, count)| *count).collect();
        counts.sort_unstable();
        counts.dedup();
        let of_count = |count: usize| {
            mixed_rate(weight_bytes, |format| {
                self.kernels.get(&(format.to_owned(), count)).copied()
            })
        };
        counts
            .into_iter()
            .filter_map(of_count)
            .max_by(f64::total_cmp)
    }
}

/// A board of the catalogue with one of its memories and a processor that uses it.
pub fn of_board<'a>(
    board: &'a Board,
    memory: &Memory,
    processor: &str,
    machines: &[Machine],
) -> Target<'a> {
    let theory = Rate {
        gb_per_s: memory.theoretical_gb_per_s(),
        label: Label::Theory,
        source: format!(
            "{} {:.0} MT/s x {} bit / 8 ({})",
            memory.kind, memory.mt_per_s, memory.bus_bits, memory.source
        ),
    };
    // Published reads are of CPU cores.
    let published = (board.published.iter())
        .filter(|figure| processor == "cpu" && figure.convention == READ_CONVENTION)
        .max_by(|a, b| a.gb_per_s.total_cmp(&b.gb_per_s));
    let rooms = fit::rooms(memory);
    let class = Class::of_board(board, memory, processor);
    Target {
        name: board.id.clone(),
        board: Some(board),
        processor: processor.to_owned(),
        read: published.map(|figure| Rate {
            gb_per_s: figure.gb_per_s,
            label: Label::Imported,
            source: format!("{} ({})", figure.test, figure.source),
        }),
        room: rooms.last().cloned(),
        rooms,
        prediction: predict::predict(&class, &board.id, machines)
            .map(|prediction| (prediction, theory.clone())),
        theory: Some(theory),
        host: None,
        kernels: BTreeMap::new(),
    }
}

/// A host as it was measured.
pub fn of_host<'a>(host: &'a HostAnalysis<'a>, machines: &[Machine]) -> Target<'a> {
    let theory = host.theory.as_ref().ok().map(|theory| Rate {
        gb_per_s: theory.gb_per_s,
        label: Label::Theory,
        source: format!("{} ({})", theory.formula, theory.source),
    });
    let read = host.best_read.as_ref().map(|read| Rate {
        gb_per_s: read.gb_per_s,
        label: Label::Measured,
        source: format!("host {}, `{}`", host.name(), read.unit),
    });
    let memory = host.data.facts.as_ref().map(|facts| &facts.memory);
    let room = memory
        .and_then(|memory| memory.available_bytes)
        .map(|bytes| Room {
            bytes,
            label: Label::Measured,
            source: format!("RAM free on host {} before it was measured", host.name()),
            capacity_bytes: None,
        });
    let of_class = theory.clone().and_then(|theory| {
        let class = predict::class_of_host(host)?;
        let identity = host.board.map_or(host.name(), |board| board.id.as_str());
        Some((predict::predict(&class, identity, machines)?, theory))
    });
    let of_own = || {
        let read = read.clone()?;
        Some((predict::from_own_rows(host, read.gb_per_s, machines)?, read))
    };
    Target {
        name: host.name().to_owned(),
        board: host.board,
        processor: "cpu".to_owned(),
        theory,
        prediction: of_class.or_else(of_own),
        read,
        rooms: room.clone().into_iter().collect(),
        room,
        host: Some(host),
        kernels: kernel_rates(&host.units),
    }
}
