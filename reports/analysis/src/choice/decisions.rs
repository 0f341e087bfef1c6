//! Every model in every quantisation on every board and host: one table that pages, sentences and data files share.

use bench_inventory::{Board, Inventory, KvFormat, Memory, Model, Quant};

use crate::choice::decide::{Decision, Scenario, Target, decide, of_board, of_host};
use crate::choice::predict;
use crate::choice::predict::Machine;
use crate::choice::recommend::{self, Ranked, Requirements};
use crate::limits::bounds;
use crate::measured::Analysis;
use bench_locales::{Message, message};
use bench_run_dir::format;

/// The pace at which people read, about: below it text appears more slowly than it is read.
///
/// Source: 238 words a minute (Brysbaert 2019, "How many words do we read per minute?") at about 1.3 tokens a word.
pub const READING_TOKENS_PER_S: f64 = 5.0;

/// Quantisations that lose more perplexity than this are no answer.
pub const MAX_LOSS: f64 = 0.15;

/// Model that everybody can compare boards by, as in the worked examples; the first model when it is not catalogued.
const REFERENCE_MODEL: &str = "qwen2.5-7b";

/// Quantisation that goes with it.
pub const REFERENCE_QUANT: Quant = Quant::Q4KM;

/// What the report asks for where nobody asked for anything else.
pub const WISH: Requirements = Requirements {
    min_tokens_per_s: READING_TOKENS_PER_S,
    context: bounds::MIN_CONTEXT,
    ram_left_bytes: 0,
    kv_format: KvFormat::F16,
    max_loss: MAX_LOSS,
};

/// All decisions of a run.
#[derive(Debug, Default)]
pub struct Decisions<'a> {
    /// Hosts with a usable measurement by falling bandwidth, then the memories of the catalogue by falling theory.
    pub places: Vec<Place<'a>>,
    /// Models in a quantisation: those of real files first, then by rising size.
    pub loads: Vec<Scenario<'a>>,
    /// Of each place, one for each load in the order of `loads`; the KV cache is empty, and room for
    /// [`bounds::MIN_CONTEXT`] tokens is asked for.
    pub decisions: Vec<Vec<Decision>>,
    /// What predictions rest on.
    pub machines: Vec<Machine>,
}

/// A host of the run, or a memory of a board of the catalogue.
#[derive(Debug)]
pub struct Place<'a> {
    /// Name for people.
    pub name: Message,
    /// The board's page is named after it; `None` for a host.
    pub board: Option<&'a Board>,
    /// What bounds a model there.
    pub target: Target<'a>,
}

impl Place<'_> {
    /// Whether it is a host of the run.
    pub fn is_host(&self) -> bool {
        self.board.is_none()
    }

    /// Whether it is a host, the processor that people run models on, or another one whose speed is expected.
    fn is_worth_its_rows(&self) -> bool {
        let is_first = |memory: &Memory| memory.processors.first() == Some(&self.target.processor);
        self.target.memory.is_none_or(is_first) || self.target.prediction.is_some()
    }

    /// The bandwidth that bounds a model: measured for a host, theoretical for a board, GB/s.
    pub fn gb_per_s(&self) -> Option<f64> {
        let rate = match self.is_host() {
            true => &self.target.read,
            false => &self.target.theory,
        };
        rate.as_ref().map(|rate| rate.gb_per_s)
    }

    /// What the size that holds this decision is called: `16 GiB`; `None` where only one size is sold or nothing fits.
    pub fn from_capacity_bytes(&self, decision: &Decision) -> Option<u64> {
        let needed = decision.need.total_bytes();
        let smallest = (self.target.rooms.iter()).find(|room| needed <= room.bytes)?;
        smallest
            .capacity_bytes
            .filter(|_| self.target.rooms.len() > 1)
    }

    /// The best answer for every model, best first.
    pub fn answers(&self, inventory: &Inventory) -> Vec<Ranked> {
        recommend::recommend(inventory, &self.target, WISH)
    }
}

impl<'a> Decisions<'a> {
    /// Decides everything once.
    pub fn of(analysis: &'a Analysis<'a>) -> Decisions<'a> {
        let inventory = &analysis.run.inventory;
        let machines = predict::with_hosts(inventory, analysis);
        let places = places(analysis, &machines);
        let loads = loads(inventory);
        let of_place = |place: &Place| {
            loads
                .iter()
                .map(|load| decide(&place.target, load))
                .collect()
        };
        let decisions = places.iter().map(of_place).collect();
        Decisions {
            places,
            loads,
            decisions,
            machines,
        }
    }

    /// Every place with its decisions, but not those of processors of which nothing is known: another row of the same
    /// memory has their bounds.
    pub fn rows(&self) -> impl Iterator<Item = (&Place<'a>, &Scenario<'a>, &Decision)> {
        (self.places.iter().zip(&self.decisions))
            .filter(|(place, _)| place.is_worth_its_rows())
            .flat_map(|(place, decisions)| {
                (self.loads.iter().zip(decisions))
                    .map(move |(load, decision)| (place, load, decision))
            })
    }
}

fn places<'a>(analysis: &'a Analysis<'a>, machines: &[Machine]) -> Vec<Place<'a>> {
    let mut hosts: Vec<Place> = (analysis.hosts.iter())
        .filter(|host| host.best_read.is_some())
        .map(|host| Place {
            name: Message::quoted(format::foreign_short(host.name(), 60)),
            board: None,
            target: of_host(host, machines),
        })
        .collect();
    let inventory = &analysis.run.inventory;
    let memories = (inventory.boards.values())
        .flat_map(|board| board.memories.iter().map(move |memory| (board, memory)));
    // The processor that people run models on comes first, and sorting by bandwidth leaves it there.
    let mut boards: Vec<Place> = memories
        .flat_map(|(board, memory)| memory.processors.iter().map(move |it| (board, memory, it)))
        .map(|(board, memory, processor)| Place {
            name: memory_label(board, memory),
            board: Some(board),
            target: of_board(inventory, board, memory, processor, machines),
        })
        .collect();
    for places in [&mut hosts, &mut boards] {
        let rate = |place: &Place| place.gb_per_s().unwrap_or(0.0);
        places.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
    }
    hosts.append(&mut boards);
    hosts
}

/// Name of a board, with the memory's where the board has several.
pub fn memory_label(board: &Board, memory: &Memory) -> Message {
    match board.memories.len() {
        0 | 1 => Message::quoted(format::foreign_short(&board.name, 60)),
        _ => message!(
            "board-and-memory",
            board = format::foreign_short(&board.name, 50),
            memory = memory_name(&memory.name),
        ),
    }
}

/// A memory of a board: `system memory`, `VRAM`.
pub fn memory_name(name: &str) -> Message {
    match name {
        "vram" => Message::quoted("VRAM"),
        "system" => message!("memory-system"),
        name => message!("memory-named", name = format::foreign(name)),
    }
}

/// Models of real files come first: somebody asked for them.
fn loads(inventory: &Inventory) -> Vec<Scenario<'_>> {
    let (context, kv) = (bounds::MIN_CONTEXT, KvFormat::F16);
    let of_files =
        (inventory.models.values()).filter_map(|it| Scenario::of_file(it, 0, context, kv));
    let of_catalogue = (usual_loads(inventory).into_iter())
        .filter(|(model, _)| model.file.is_none())
        .map(|(model, quant)| Scenario::new(model, quant, 0, context, kv));
    of_files.chain(of_catalogue).collect()
}

/// Every model in every usual quantisation, models by rising size.
pub fn usual_loads(inventory: &Inventory) -> Vec<(&Model, Quant)> {
    let mut models: Vec<&Model> = inventory.models.values().collect();
    models.sort_by_key(|model| (model.n_params(), &model.id));
    models
        .into_iter()
        .flat_map(|model| Quant::USUAL.map(|quant| (model, quant)))
        .collect()
}

/// The model that sentences speak of, in its quantisation.
pub fn reference_model(inventory: &Inventory) -> Option<&Model> {
    let models = &inventory.models;
    models
        .get(REFERENCE_MODEL)
        .or_else(|| models.values().next())
}

/// A quantisation as people write it: `Q4_K_M`.
pub fn quant_name(quant: Quant) -> String {
    quant.id().to_uppercase()
}

/// The quantisation of a load as people write it: its name, or what its file calls it.
pub fn load_quant(load: &Scenario) -> String {
    (load.quant).map_or_else(|| format::foreign_short(&load.quant_id, 20), quant_name)
}
