//! Where a model would run: a board of the catalogue, or a host that was measured.

use std::collections::BTreeMap;

use bench_inventory::{Board, Inventory, Memory};
use bench_locales::{Message, message};
use serde::Serialize;

use crate::choice::predict::{self, Class, Machine, Prediction};
use crate::label::Label;
use crate::limits::fit::{self, Room};
use crate::measured::{HostAnalysis, kernel_rates, mixed_rate};

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
    pub source: Message,
}

/// A board or host with everything that bounds a model on it.
#[derive(Debug)]
pub struct Target<'a> {
    /// Catalogue id of the board, or name of the host.
    pub name: String,
    /// The board, where it is known.
    pub board: Option<&'a Board>,
    /// The memory that it computes from, where it is a board of the catalogue.
    pub memory: Option<&'a Memory>,
    /// What computes: `cpu`, `gpu`, `npu`; `any` where only a bandwidth is given.
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
    /// Why it cannot be.
    pub no_prediction: Option<Message>,
    /// Whether most of what was measured here was disturbed: nothing is sure then.
    pub disturbed: bool,
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
    inventory: &Inventory,
    board: &'a Board,
    memory: &'a Memory,
    processor: &str,
    machines: &[Machine],
) -> Target<'a> {
    let gb_per_s = memory.theoretical_gb_per_s();
    let theory = Rate {
        gb_per_s,
        label: Label::Theory,
        source: Message::quoted(format!(
            "{} {:.0} MT/s x {} bit / 8 ({})",
            memory.kind, memory.mt_per_s, memory.bus_bits, memory.source
        )),
    };
    let rooms = fit::rooms(memory);
    let class = Class::of_board(board, memory, processor);
    let silicon = board.silicon_of(memory);
    let prediction = predict::predict(&class, &silicon, gb_per_s, machines);
    Target {
        name: board.id.clone(),
        board: Some(board),
        memory: Some(memory),
        processor: processor.to_owned(),
        read: published_read(inventory, &silicon).filter(|_| processor == "cpu"),
        room: rooms.last().cloned(),
        rooms,
        no_prediction: prediction.is_none().then(|| {
            message!(
                "no-prediction-class",
                n = predict::MIN_MACHINES,
                kin = class.kin(),
            )
        }),
        prediction: prediction.map(|prediction| (prediction, theory.clone())),
        theory: Some(theory),
        disturbed: false,
        host: None,
        kernels: BTreeMap::new(),
    }
}

/// The best read that others published for CPU cores with this chip and memory. One core does not show what a memory
/// gives, so its figure is no best read; and where it is above what several cores read, neither is theirs.
fn published_read(inventory: &Inventory, silicon: &str) -> Option<Rate> {
    let of_silicon = |board: &&Board| {
        let mut memories = board.memories.iter();
        memories.any(|memory| board.silicon_of(memory) == silicon)
    };
    let boards = inventory.boards.values().filter(of_silicon);
    let (board, best) = boards
        .flat_map(|board| board.published.iter().map(move |figure| (board, figure)))
        .filter(|(_, figure)| figure.convention == READ_CONVENTION)
        .max_by(|a, b| a.1.gb_per_s.total_cmp(&b.1.gb_per_s))?;
    let is_of_several = best.n_cores.is_some_and(|n_cores| n_cores > 1);
    is_of_several.then(|| Rate {
        gb_per_s: best.gb_per_s,
        label: Label::Imported,
        source: Message::quoted(format!("{}, {} ({})", board.id, best.test, best.source)),
    })
}

/// A bandwidth that the user states, of no board at all.
pub fn of_bandwidth<'a>(gb_per_s: f64) -> Target<'a> {
    Target {
        name: "given".to_owned(),
        board: None,
        memory: None,
        processor: "any".to_owned(),
        theory: Some(given(gb_per_s)),
        read: None,
        room: None,
        rooms: Vec::new(),
        prediction: None,
        no_prediction: Some(message!("no-prediction-bandwidth")),
        disturbed: false,
        host: None,
        kernels: BTreeMap::new(),
    }
}

fn given(gb_per_s: f64) -> Rate {
    Rate {
        gb_per_s,
        label: Label::Given,
        source: message!("source-given"),
    }
}

impl Target<'_> {
    /// The same with a bandwidth that the user states in place of the board's: what was measured or published with
    /// another one does not hold there, shares of theory do.
    pub fn with_bandwidth(&mut self, gb_per_s: f64) {
        self.theory = Some(given(gb_per_s));
        self.read = None;
        self.host = None;
        self.kernels.clear();
        self.prediction = (self.prediction.take())
            .filter(|(prediction, _)| prediction.n_rows > prediction.n_own_rows)
            .map(|(prediction, _)| (prediction, given(gb_per_s)));
    }
}

/// A host as it was measured.
pub fn of_host<'a>(host: &'a HostAnalysis<'a>, machines: &[Machine]) -> Target<'a> {
    let theory = host.theory.as_ref().ok().map(|theory| Rate {
        gb_per_s: theory.gb_per_s,
        label: Label::Theory,
        source: message!(
            "source-theory",
            formula = &theory.formula,
            source = &theory.source,
        ),
    });
    let read = host.best_read.as_ref().map(|read| Rate {
        gb_per_s: read.gb_per_s,
        label: Label::Measured,
        source: message!("source-host-unit", host = host.name(), unit = &read.unit),
    });
    let memory = host.data.facts.as_ref().map(|facts| &facts.memory);
    let room = memory
        .and_then(|memory| memory.available_bytes)
        .map(|bytes| Room {
            bytes,
            label: Label::Measured,
            source: message!("source-free-ram", host = host.name()),
            capacity_bytes: None,
        });
    let of_class = theory.clone().and_then(|theory| {
        let class = predict::class_of_host(host)?;
        let silicon = (host.board).and_then(|board| predict::silicon_of(board, &class.memory_kind));
        let identity = silicon.as_deref().unwrap_or(host.name());
        let prediction = predict::predict(&class, identity, theory.gb_per_s, machines)?;
        Some((prediction, theory))
    });
    let of_own = || {
        let read = read.clone()?;
        Some((predict::from_own_rows(host, read.gb_per_s, machines)?, read))
    };
    let prediction = of_class.or_else(of_own);
    Target {
        name: host.name().to_owned(),
        board: host.board,
        memory: None,
        processor: "cpu".to_owned(),
        theory,
        no_prediction: prediction.is_none().then(|| message!("no-prediction-host")),
        prediction,
        read,
        rooms: room.clone().into_iter().collect(),
        room,
        disturbed: host.disturbed().is_some(),
        host: Some(host),
        kernels: kernel_rates(&host.units),
    }
}
