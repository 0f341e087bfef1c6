//! What a board that was not measured will reach: an interval from the shares of theory that others reached.
//!
//! The observed quantity is the **share**: tokens/s x bytes per token over theoretical bandwidth, so 1 is the memory
//! wall itself. Shares are positive and vary by factors, so everything is done on their logarithms.
//!
//! The model is one of random effects: machines of a class scatter around a common level, and the rows of one machine
//! (models, quantisations, programs) scatter around the machine's own. A machine is one observation of its class
//! however many rows it has. Where rows of the very board exist, its own level is shrunk towards that of its class.
//! The interval is one for a single new row, by Student's t with the machines of the class less one as degrees of
//! freedom; how well such intervals hold is checked by leaving each machine out ([`calibration`]).

mod evidence;

use bench_locales::Figure::Percent;
use bench_locales::{Message, message};
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use evidence::{
    Machine, Observation, class_of_host, from_own_rows, machines, of_host, silicon_of, with_hosts,
};

use crate::label::Label;
use crate::stats::t_quantile;

/// Share of new rows that an interval is meant to hold.
pub const LEVEL: f64 = 0.8;

/// A class with fewer machines says too little: the next wider one is taken.
pub const MIN_MACHINES: usize = 3;

/// What makes machines alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// What computes: `cpu`, `gpu`, `npu`.
    pub processor: String,
    /// Processors that behave alike, for instance `Arm`, `NVIDIA`, `Mali`: no class is ever wider.
    pub family: String,
    /// Core type, for instance `Cortex-A76`.
    pub core: String,
    /// Kind of memory, for instance `LPDDR4X`.
    pub memory_kind: String,
}

/// How much of a class two machines share, narrowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    CoreAndMemory,
    Core,
    Memory,
    MemoryFamily,
    Processor,
}

const WIDTHS: [Width; 5] = [
    Width::CoreAndMemory,
    Width::Core,
    Width::Memory,
    Width::MemoryFamily,
    Width::Processor,
];

impl Class {
    /// One kind of processor of one family.
    fn is_kin(&self, other: &Class) -> bool {
        self.processor == other.processor && self.family == other.family
    }

    /// `NVIDIA GPUs`.
    pub fn kin(&self) -> Message {
        let processor = self.processor.to_uppercase();
        message!("class-kin", family = &self.family, processor = processor)
    }
}

impl Width {
    fn holds(self, a: &Class, b: &Class) -> bool {
        let core = a.core == b.core;
        let memory = a.memory_kind == b.memory_kind;
        a.is_kin(b)
            && match self {
                Width::CoreAndMemory => core && memory,
                Width::Core => core,
                Width::Memory => memory,
                Width::MemoryFamily => family(&a.memory_kind) == family(&b.memory_kind),
                Width::Processor => true,
            }
    }

    fn words(self, class: &Class) -> Message {
        let kin = class.kin();
        let (core, memory) = (&class.core, &class.memory_kind);
        match self {
            Width::CoreAndMemory => {
                message!(
                    "class-core-and-memory",
                    kin = kin,
                    core = core,
                    memory = memory
                )
            }
            Width::Core => message!("class-with", kin = kin, part = core),
            Width::Memory => message!("class-with", kin = kin, part = memory),
            Width::MemoryFamily => message!("class-family", kin = kin, family = family(memory)),
            Width::Processor => message!("class-all", kin = kin),
        }
    }
}

/// `LPDDR` of `LPDDR4X`: memories of one family are soldered or plugged the same way and behave alike.
fn family(kind: &str) -> &str {
    ["LPDDR", "GDDR", "DDR", "HBM"]
        .into_iter()
        .find(|family| kind.starts_with(family))
        .unwrap_or(kind)
}

/// The interval in which a single new row is expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// Lower end of the share of theory.
    pub low: f64,
    /// Most likely share of theory.
    pub middle: f64,
    /// Upper end of the share of theory, at most 1.
    pub high: f64,
    /// Share of new rows that such intervals are meant to hold.
    pub level: f64,
    /// The class whose machines were used, in words.
    pub class: Message,
    /// Machines of that class.
    pub n_machines: usize,
    /// Their rows.
    pub n_rows: usize,
    /// Rows of the very board among the evidence, or of one with the same chip and memory.
    pub n_own_rows: usize,
    /// A machine with the same cores and less bandwidth, which the lower end is not below.
    pub at_least: Option<String>,
}

impl Prediction {
    /// `80 % interval from 6 machines: CPUs with LPDDR of any kind`.
    pub fn basis(&self) -> Message {
        let level = Percent(self.level);
        if self.n_rows == self.n_own_rows {
            let class = &self.class;
            return message!(
                "basis-own",
                level = level,
                n = self.n_own_rows,
                class = class
            );
        }
        let machines = message!("machines", n = self.n_machines);
        let machines = match self.n_own_rows {
            0 => machines,
            n => message!("basis-and-own", machines = machines, n = n),
        };
        let basis = message!(
            "basis-of",
            level = level,
            machines = machines,
            class = &self.class,
        );
        match &self.at_least {
            Some(name) => {
                let name = bench_run_dir::format::foreign_short(name, 60);
                message!(
                    "clauses",
                    first = basis,
                    rest = message!("basis-floor", name = name)
                )
            }
            None => basis,
        }
    }
}

/// Log shares of one machine: how many, their mean, and their sum of squared deviations.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    n: usize,
    mean: f64,
    squares: f64,
}

fn moments(logs: &[f64]) -> Moments {
    let n = logs.len();
    let mean = logs.iter().sum::<f64>() / n.max(1) as f64;
    let squares = logs.iter().map(|log| (log - mean).powi(2)).sum();
    Moments { n, mean, squares }
}

/// Rows by machine; housings of one board, and boards with the same chip and memory, count as one machine.
fn grouped<'a>(machines: impl Iterator<Item = &'a Machine>) -> BTreeMap<&'a str, Vec<&'a Machine>> {
    let mut groups: BTreeMap<&str, Vec<&Machine>> = BTreeMap::new();
    for machine in machines {
        groups.entry(machine.identity()).or_default().push(machine);
    }
    groups
}

fn logs(group: &[&Machine]) -> Vec<f64> {
    let rows = group.iter().flat_map(|machine| &machine.rows);
    rows.map(|row| row.share.ln()).collect()
}

/// The expected share of `gb_per_s`, the theoretical bandwidth of a board of this class, with `identity` naming its chip
/// and memory. Without figures of its own the interval is wide, but it does not end below a machine with the same cores
/// and less bandwidth: those cores would read at least as fast here.
///
/// `None` where fewer than three machines with a processor of its family are known.
pub fn predict(
    class: &Class,
    identity: &str,
    gb_per_s: f64,
    machines: &[Machine],
) -> Option<Prediction> {
    let mut own = of_class(class, identity, machines)?;
    let weaker = machines.iter().filter(|machine| {
        machine.class.is_kin(class)
            && machine.class.core == class.core
            && machine.gb_per_s < gb_per_s
            && !machine.rows.is_empty()
    });
    let weaker = weaker.filter(|_| own.n_own_rows == 0).collect::<Vec<_>>();
    for machine in weaker {
        let Some(other) = of_class(&machine.class, machine.identity(), machines) else {
            continue;
        };
        let scale = machine.gb_per_s / gb_per_s;
        if other.low * scale > own.low {
            own.low = other.low * scale;
            own.middle = own.middle.max(other.middle * scale);
            own.high = own.high.max(own.middle);
            own.at_least = Some(machine.name.clone());
        }
    }
    Some(own)
}

/// The same from its class and its own figures alone.
fn of_class(class: &Class, identity: &str, machines: &[Machine]) -> Option<Prediction> {
    let usable = || machines.iter().filter(|machine| !machine.rows.is_empty());
    let own: Vec<&Machine> = usable()
        .filter(|machine| machine.identity() == identity && machine.class.is_kin(class))
        .collect();
    let (width, groups) = WIDTHS.into_iter().find_map(|width| {
        let members = usable().filter(|machine| width.holds(class, &machine.class));
        let groups = grouped(members);
        (groups.len() >= MIN_MACHINES).then_some((width, groups))
    })?;
    let of_machines: Vec<Moments> = groups.values().map(|group| moments(&logs(group))).collect();
    let n_machines = of_machines.len();
    let n_rows = of_machines.iter().map(|it| it.n).sum();

    let within = match scatter(&class.processor, machines) {
        (_, 0) => 0.0,
        (squares, freedom) => squares / freedom as f64,
    };
    let means: Vec<f64> = of_machines.iter().map(|it| it.mean).collect();
    let of_means = moments(&means);
    let spread_of_means = of_means.squares / (n_machines - 1) as f64;
    let noise_of_means: f64 = of_machines
        .iter()
        .map(|it| within / it.n as f64)
        .sum::<f64>()
        / n_machines as f64;
    let between = (spread_of_means - noise_of_means).max(0.0);
    let level_error = spread_of_means / n_machines as f64;

    let own_logs = moments(&logs(&own));
    let trust = match (own_logs.n, between + within) {
        (0, _) => 0.0,
        (_, total) if total <= 0.0 => 1.0,
        (n, _) => between / (between + within / n as f64),
    };
    let middle = of_means.mean + trust * (own_logs.mean - of_means.mean);
    let variance = between * (1.0 - trust) + level_error * (1.0 - trust).powi(2) + within;
    let reach = t_quantile(f64::midpoint(1.0, LEVEL), (n_machines - 1) as f64) * variance.sqrt();
    Some(Prediction {
        low: (middle - reach).exp().min(1.0),
        middle: middle.exp().min(1.0),
        high: (middle + reach).exp().min(1.0),
        level: LEVEL,
        class: width.words(class),
        n_machines,
        n_rows,
        n_own_rows: own_logs.n,
        at_least: None,
    })
}

/// The expected share of a new row from rows of one machine alone, whatever they are shares of. How much rows of one
/// machine scatter is known from all machines with that processor. `None` without rows, or where nothing tells the
/// scatter.
fn from_rows(shares: &[f64], processor: &str, machines: &[Machine]) -> Option<Prediction> {
    let logs: Vec<f64> = shares.iter().map(|share| share.ln()).collect();
    let of_rows = moments(&logs);
    let (squares, freedom) = scatter(processor, machines);
    let freedom = freedom + of_rows.n.checked_sub(1)?;
    if freedom == 0 {
        return None;
    }
    let within = (squares + of_rows.squares) / freedom as f64;
    let deviation = (within * (1.0 + 1.0 / of_rows.n as f64)).sqrt();
    let reach = t_quantile(f64::midpoint(1.0, LEVEL), freedom as f64) * deviation;
    Some(Prediction {
        low: (of_rows.mean - reach).exp().min(1.0),
        middle: of_rows.mean.exp().min(1.0),
        high: (of_rows.mean + reach).exp().min(1.0),
        level: LEVEL,
        class: message!("class-own"),
        n_machines: 1,
        n_rows: of_rows.n,
        n_own_rows: of_rows.n,
        at_least: None,
    })
}

/// Squared deviations of log shares from the mean of their machine, over all machines with a processor, and their
/// degrees of freedom. Rows of one machine scatter alike on all machines, so all of them tell how much.
fn scatter(processor: &str, machines: &[Machine]) -> (f64, usize) {
    let members = (machines.iter())
        .filter(|machine| machine.class.processor == processor && !machine.rows.is_empty());
    let all: Vec<Moments> = grouped(members)
        .values()
        .map(|group| moments(&logs(group)))
        .collect();
    (
        all.iter().map(|it| it.squares).sum(),
        all.iter().map(|it| it.n - 1).sum(),
    )
}

/// How well the intervals hold on machines that were left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Share of rows that an interval is meant to hold.
    pub level: f64,
    /// Machines that could be predicted from the others.
    pub n_machines: usize,
    /// Rows of these machines.
    pub n_rows: usize,
    /// Rows that lay in their interval.
    pub n_inside: usize,
    /// Mean over machines of the share of their rows that lay inside: what compares with `level`.
    pub coverage: f64,
    /// Lower end of the 95 % interval of `coverage` (Wilson, machines as trials).
    pub coverage_low: f64,
    /// Upper end of that interval.
    pub coverage_high: f64,
    /// Rows of machines with others, left out alone: the machine's other rows are used.
    pub n_single_rows: usize,
    /// Those of them that lay in their interval.
    pub n_single_inside: usize,
}

/// Leaves each machine out in turn, predicts its rows from the others and counts how many lie in their interval.
/// `None` where nothing could be predicted.
pub fn calibration(machines: &[Machine]) -> Option<Calibration> {
    let mut shares: Vec<f64> = Vec::new();
    let (mut n_rows, mut n_inside) = (0, 0);
    let processors: BTreeSet<&str> = (machines.iter())
        .map(|machine| machine.class.processor.as_str())
        .collect();
    // A board whose CPU and GPU both have rows is left out with one of them at a time.
    let groups = processors.into_iter().flat_map(|processor| {
        grouped(machines.iter().filter(move |machine| {
            machine.class.processor == processor && !machine.rows.is_empty()
        }))
    });
    for (identity, group) in groups {
        let others: Vec<Machine> = (machines.iter())
            .filter(|machine| machine.identity() != identity)
            .cloned()
            .collect();
        let Some(prediction) = predict(&group[0].class, identity, group[0].gb_per_s, &others)
        else {
            continue;
        };
        let rows: Vec<f64> = (group.iter())
            .flat_map(|machine| &machine.rows)
            .map(|row| row.share)
            .collect();
        let inside = (rows.iter())
            .filter(|share| (prediction.low..=prediction.high).contains(*share))
            .count();
        n_rows += rows.len();
        n_inside += inside;
        shares.push(inside as f64 / rows.len() as f64);
    }
    let n_machines = shares.len();
    if n_machines == 0 {
        return None;
    }
    let coverage = shares.iter().sum::<f64>() / n_machines as f64;
    let (coverage_low, coverage_high) = wilson(coverage, n_machines);
    let (n_single_rows, n_single_inside) = single_rows(machines);
    Some(Calibration {
        level: LEVEL,
        n_machines,
        n_rows,
        n_inside,
        coverage,
        coverage_low,
        coverage_high,
        n_single_rows,
        n_single_inside,
    })
}

/// Leaves out each row of machines with several, one at a time: how many there are, and how many lie in the interval
/// that the rest of their machine and of the others predicts. Published rows only: a fleet has thousands of its own.
fn single_rows(machines: &[Machine]) -> (usize, usize) {
    let (mut n_rows, mut n_inside) = (0, 0);
    let published = |(_, machine): &(usize, &Machine)| machine.label == Label::Imported;
    for (machine_idx, machine) in machines.iter().enumerate().filter(published) {
        let is_alone = |other: &Machine| {
            other.identity() != machine.identity() || !other.class.is_kin(&machine.class)
        };
        let n_kept = |others: &[Machine]| {
            let same = others.iter().filter(|other| !is_alone(other));
            same.map(|other| other.rows.len()).sum::<usize>()
        };
        for row_idx in 0..machine.rows.len() {
            let mut others = machines.to_vec();
            let row = others[machine_idx].rows.remove(row_idx);
            let predicted = (n_kept(&others) > 0).then(|| {
                predict(
                    &machine.class,
                    machine.identity(),
                    machine.gb_per_s,
                    &others,
                )
            });
            if let Some(prediction) = predicted.flatten() {
                n_rows += 1;
                let inside = (prediction.low..=prediction.high).contains(&row.share);
                n_inside += usize::from(inside);
            }
        }
    }
    (n_rows, n_inside)
}

impl Calibration {
    /// The result in one sentence.
    pub fn sentence(&self) -> Message {
        message!(
            "calibration",
            n_inside = self.n_inside,
            rows = message!("figures", n = self.n_rows),
            machines = message!("machines", n = self.n_machines),
            coverage = Percent(self.coverage),
            level = Percent(self.level),
            low = Percent(self.coverage_low),
            high = Percent(self.coverage_high),
            n_single_inside = self.n_single_inside,
            n_single = self.n_single_rows,
        )
    }
}

/// 95 % interval of a share seen in `n` trials (Wilson 1927).
fn wilson(share: f64, n: usize) -> (f64, f64) {
    let z = 1.96;
    let n = n as f64;
    let centre = share + z * z / (2.0 * n);
    let reach = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    (
        ((centre - reach) / scale).max(0.0),
        ((centre + reach) / scale).min(1.0),
    )
}

#[cfg(test)]
mod tests;
