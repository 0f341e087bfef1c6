//! Which units of two sides measure the same thing.

use std::collections::{BTreeMap, BTreeSet};

use bench_protocol::{Job, KvFormat, Pages, Residency};

use super::{Basis, LeftOut, State, Subject};
use crate::measured::{Judged, UnitKind};
use crate::stats;
use crate::validity::disturbances::Cause;
use crate::validity::verdict::Verdict;
use bench_locales::{Arg, Figure, Message, message};
use bench_run_dir::format;

/// What a supervisor appends to the name of a unit that it measures before preparing the board.
const AS_FOUND_SUFFIX: &str = "/as-found";

/// Names of CPU sets on boards with clusters, before the number of threads.
const CLUSTER_PREFIX: &str = "cluster";

/// The usable units of both sides that measure one thing, at most one of each subject; neither side is empty.
#[derive(Debug, Clone, Default)]
pub(super) struct Group<'a> {
    pub(super) a: Vec<&'a Judged>,
    pub(super) b: Vec<&'a Judged>,
}

/// What was disturbed in a group.
pub(super) enum Disturbed {
    /// Some runs, which are left out of it.
    Some(Message),
    /// So many that it cannot be judged.
    All(Message),
}

/// The group without the units that something disturbed, where enough are left, and what to tell about them. Slow clocks
/// that both sides have belong to the board.
pub(super) fn undisturbed<'a>(group: &Group<'a>, basis: Basis) -> (Group<'a>, Option<Disturbed>) {
    let causes = |units: &[&Judged]| -> BTreeSet<Cause> {
        let all = units.iter().flat_map(|unit| &unit.disturbances);
        all.map(|found| found.cause).collect()
    };
    let (of_a, of_b) = (causes(&group.a), causes(&group.b));
    let is_disturbing = |cause: &Cause| match cause {
        Cause::OtherLoad => true,
        // It stands under what else differs, as every setting.
        Cause::Unprepared => false,
        cause => !(of_a.contains(cause) && of_b.contains(cause)),
    };
    let disturbance = |unit: &Judged| {
        let mut found = unit.disturbances.iter();
        found
            .find(|found| is_disturbing(&found.cause))
            .map(|found| found.what.clone())
    };
    let calm = |units: &[&'a Judged]| -> Vec<&'a Judged> {
        let calm = units.iter().filter(|unit| disturbance(unit).is_none());
        calm.copied().collect()
    };
    let reasons = |units: &[&Judged]| units.iter().find_map(|unit| disturbance(unit));
    let Some((side, reason)) = (reasons(&group.a).map(|reason| ("A", reason)))
        .or_else(|| reasons(&group.b).map(|reason| ("B", reason)))
    else {
        return (group.clone(), None);
    };
    let left = Group {
        a: calm(&group.a),
        b: calm(&group.b),
    };
    let is_enough = basis == Basis::Runs && left.a.len().min(left.b.len()) >= stats::MIN_RUNS;
    if !is_enough {
        let note = message!("pair-not-judged", side = side, reason = reason);
        return (group.clone(), Some(Disturbed::All(note)));
    }
    let n_out = group.a.len() + group.b.len() - left.a.len() - left.b.len();
    let note = message!("pair-runs-left-out", n = n_out, reason = reason);
    (left, Some(Disturbed::Some(note)))
}

impl Group<'_> {
    /// Rounds that make the figures, on the side that has fewer.
    pub(super) fn n_rounds(&self) -> usize {
        let rounds = |units: &[&Judged]| {
            units
                .first()
                .map_or(0, |unit| unit.round_medians_ns().len())
        };
        rounds(&self.a).min(rounds(&self.b))
    }

    /// The unit's name on side A.
    pub(super) fn name(&self) -> &str {
        (self.a.first()).map_or("", |unit| without_suffix(unit))
    }

    /// The unit's name on side B.
    pub(super) fn name_b(&self) -> &str {
        (self.b.first()).map_or("", |unit| without_suffix(unit))
    }
}

/// What a unit measures, apart from the board it does so on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Identity {
    /// By name.
    Name(String),
    /// By what it does.
    Work {
        kernel: String,
        residency: Option<Residency>,
        shape: String,
        role: Role,
        background_permille: Option<u32>,
    },
}

/// What a number of threads is on its board.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    One,
    Half,
    All,
    Best,
    /// Some other count, perhaps on one cluster.
    Named(String),
}

/// One unit of one subject.
#[derive(Clone, Copy)]
struct Item<'a> {
    unit: &'a Judged,
    subject: &'a Subject<'a>,
    /// Its side and its number there.
    at: (bool, usize),
}

/// Pairs the usable units of two sides and lists all others.
///
/// Boards with equally many CPUs are paired by the units' names, then by what they do; others by what they do first, since
/// `t4` is all CPUs of one board and half of the other's.
pub(super) fn pair<'a>(
    a: &'a [Subject<'a>],
    b: &'a [Subject<'a>],
) -> (Vec<Group<'a>>, Vec<LeftOut>) {
    let items = |is_b: bool, subjects: &'a [Subject<'a>]| {
        subjects.iter().enumerate().flat_map(move |(i, subject)| {
            let item = move |unit| Item {
                unit,
                subject,
                at: (is_b, i),
            };
            subject.units().iter().map(item)
        })
    };
    let all: Vec<Item> = items(false, a).chain(items(true, b)).collect();
    let (mut rest, unusable): (Vec<Item>, Vec<Item>) =
        (all.into_iter()).partition(|item| unusable_reason(item.unit).is_none());
    let counts: BTreeSet<Option<usize>> = a.iter().chain(b).map(Subject::n_cpus).collect();
    let stages: [fn(&Item) -> Identity; 2] = match counts.len() {
        1 => [by_name, by_work],
        _ => [by_work, by_name],
    };
    let mut groups = Vec::new();
    for identity in stages {
        let (found, left) = group(rest, identity);
        groups.extend(found);
        rest = left;
    }
    (groups, left_out(&rest, &unusable, a.len() + b.len() > 2))
}

/// Groups with units of both sides, in the order of A, and what is in none.
fn group<'a>(
    items: Vec<Item<'a>>,
    identity: fn(&Item) -> Identity,
) -> (Vec<Group<'a>>, Vec<Item<'a>>) {
    let mut order: Vec<Identity> = Vec::new();
    let mut found: BTreeMap<Identity, Vec<Item>> = BTreeMap::new();
    let mut left = Vec::new();
    for item in items {
        let identity = identity(&item);
        let same = found.entry(identity.clone()).or_insert_with(|| {
            order.push(identity);
            Vec::new()
        });
        // A second unit of one subject that does the same has no partner of its own.
        match same.iter().any(|other| other.at == item.at) {
            true => left.push(item),
            false => same.push(item),
        }
    }
    let mut groups = Vec::new();
    for identity in order {
        let items = found.remove(&identity).unwrap_or_default();
        let side = |is_b: bool| -> Vec<&Judged> {
            let of_side = items.iter().filter(|item| item.at.0 == is_b);
            of_side.map(|item| item.unit).collect()
        };
        let group = Group {
            a: side(false),
            b: side(true),
        };
        match group.a.is_empty() || group.b.is_empty() {
            true => left.extend(items),
            false => groups.push(group),
        }
    }
    (groups, left)
}

fn without_suffix(unit: &Judged) -> &str {
    let name = unit.unit.as_str();
    name.strip_suffix(AS_FOUND_SUFFIX).unwrap_or(name)
}

fn by_name(item: &Item) -> Identity {
    Identity::Name(match item.subject.state {
        State::AsFound => without_suffix(item.unit).to_owned(),
        State::Reported => item.unit.unit.clone(),
    })
}

fn by_work(item: &Item) -> Identity {
    let unit = item.unit;
    Identity::Work {
        kernel: unit.kernel.clone(),
        residency: unit.residency,
        shape: shape(item),
        role: role(item),
        background_permille: unit
            .background
            .as_ref()
            .map(|background| background.permille),
    }
}

/// Everything of a unit's work that its kernel does not say. Working sets in DRAM follow the caches of the board and are
/// not part of it.
fn shape(item: &Item) -> String {
    let unit = item.unit;
    let mut parts = Vec::new();
    if let Some(model) = &unit.model {
        parts.push(format!(
            "{} {} d{} p{} n{} {}",
            model.model,
            model.quant,
            model.depth,
            model.n_prompt,
            model.n_generate.max(1),
            if model.n_prompt > 0 {
                KvFormat::F16.name()
            } else {
                model.kv_format.name()
            }
        ));
    }
    if unit.residency == Some(Residency::Sweep) {
        parts.push(format!("{} bytes", unit.working_set_bytes));
    }
    if unit.pages == Some(Pages::Small) {
        parts.push("small pages".into());
    }
    parts.extend(unit.n_chains.map(|n| format!("{n} chains")));
    if unit.is_shape_forced {
        parts.extend(unit.shapes().into_iter().map(str::to_owned));
    }
    let mut data = item.subject.host.data.units.iter();
    let spec = data
        .find(|data| data.unit == unit.unit)
        .and_then(|data| data.spec.as_ref());
    match spec.map(|spec| &spec.job) {
        Some(Job::Gemv { rows, cols, .. }) => parts.push(format!("{rows}x{cols}")),
        Some(Job::Gemm {
            rows,
            cols,
            n_tokens,
        }) => parts.push(format!("{rows}x{cols}x{n_tokens}")),
        _ => {}
    }
    parts.join(", ")
}

fn role(item: &Item) -> Role {
    let unit = item.unit;
    let mut data = item.subject.host.data.units.iter();
    let spec = data
        .find(|data| data.unit == unit.unit)
        .and_then(|data| data.spec.as_ref());
    let place = without_suffix(unit)
        .split('/')
        .find(|part| part.starts_with(CLUSTER_PREFIX));
    if let Some(place) = place {
        return Role::Named(place.to_owned());
    }
    if spec.is_some_and(|spec| !spec.candidates.is_empty()) {
        return Role::Best;
    }
    let n = unit.cpus.len();
    match item.subject.n_cpus() {
        Some(n_cpus) if n == n_cpus => Role::All,
        _ if n == 1 => Role::One,
        Some(n_cpus) if n == n_cpus / 2 => Role::Half,
        _ => Role::Named(format!("{n} threads")),
    }
}

/// Why a unit is not compared; `None` where it may be.
fn unusable_reason(unit: &Judged) -> Option<Message> {
    if unit.kind == UnitKind::External {
        return Some(message!("pair-external"));
    }
    if unit.verdict.is_usable() {
        return None;
    }
    let verdict = unit.verdict.message();
    Some(match &unit.reason {
        Some(reason) => message!("pair-unusable", verdict = verdict, reason = reason),
        None => verdict,
    })
}

fn left_out(rest: &[Item], unusable: &[Item], of_several_runs: bool) -> Vec<LeftOut> {
    let partner = |item: &Item| {
        let other = if item.at.0 { "A" } else { "B" };
        let mine = by_work(item);
        let is_bad = |bad: &&Item| {
            bad.at.0 != item.at.0 && (by_name(bad) == by_name(item) || by_work(bad) == mine)
        };
        match unusable.iter().find(is_bad) {
            Some(bad) => message!("pair-bad-partner", unit = &bad.unit.unit, side = other),
            None => message!("pair-no-partner", side = other),
        }
    };
    let unusable_items = unusable
        .iter()
        .filter_map(|item| Some((item, unusable_reason(item.unit)?)));
    let lonely = rest.iter().map(|item| (item, partner(item)));
    // Runs that leave out the same for the same reason say so in one row.
    let mut rows: Vec<(LeftOut, Vec<&str>)> = Vec::new();
    for (item, reason) in unusable_items.chain(lonely) {
        let row = LeftOut {
            unit: item.unit.unit.clone(),
            side: if item.at.0 { "B" } else { "A" },
            reason,
            is_invalid: item.unit.verdict == Verdict::Invalid,
        };
        let run = item.subject.manifest.run_id.as_str();
        match rows.iter_mut().find(|(other, _)| *other == row) {
            Some((_, runs)) => runs.push(run),
            None => rows.push((row, vec![run])),
        }
    }
    let named = |(mut row, runs): (LeftOut, Vec<&str>)| {
        if of_several_runs {
            row.reason = message!(
                "pair-of-runs",
                reason = row.reason,
                n = runs.len(),
                runs = runs.join(", ")
            );
        }
        row
    };
    rows.into_iter().map(named).collect()
}

/// What a reader must know about a pair.
pub(super) fn notes(group: &Group) -> Vec<Message> {
    let mut notes = Vec::new();
    let mut differs = |what: Message, of: &dyn Fn(&Judged) -> Arg| {
        // Values are alike where people read the same, in whatever order the runs are.
        let values = |units: &[&Judged]| -> BTreeMap<String, Arg> {
            let values = units.iter().map(|unit| of(unit));
            values.map(|value| (value.to_string(), value)).collect()
        };
        let (a, b) = (values(&group.a), values(&group.b));
        if !a.keys().eq(b.keys()) {
            let (a, b) = (a.into_values(), b.into_values());
            let (a, b): (Vec<Arg>, Vec<Arg>) = (a.collect(), b.collect());
            notes.push(message!("pair-differs", what = what, a = a, b = b));
        }
    };
    let n_threads = |units: &[&Judged]| units[0].cpus.len();
    match n_threads(&group.a) == n_threads(&group.b) {
        true => differs(message!("trait-cpus"), &|unit| {
            format::cpu_list(&unit.cpus).into()
        }),
        false => differs(message!("trait-threads"), &|unit| unit.cpus.len().into()),
    }
    differs(message!("trait-variant"), &|unit| code(&unit.variant));
    let has_shape = |units: &[&Judged]| units.iter().all(|unit| !unit.shapes().is_empty());
    // A program of one shape names none: that it is another program stands under what else differs.
    if has_shape(&group.a) && has_shape(&group.b) {
        differs(message!("trait-shape"), &|unit| {
            code(&unit.shapes().join(", "))
        });
        differs(
            message!("trait-shape-choice"),
            &|unit| match unit.is_shape_forced {
                true => message!("shape-forced").into(),
                false => message!("shape-tried").into(),
            },
        );
    }
    differs(message!("trait-working-set"), &|unit| {
        Figure::BinaryBytes(unit.working_set_bytes).into()
    });
    differs(
        message!("trait-layers"),
        &|unit| match unit.extrapolated() {
            Some((held, all)) => message!("layers-held", n = held, n_all = all).into(),
            None => message!("layers-all").into(),
        },
    );
    if group.a.iter().all(|unit| unit.kind.is_of_a_model()) {
        differs(
            message!("trait-iteration-bytes"),
            &|unit| match &unit.work {
                Some(work) => Figure::DecimalBytes(work.read_bytes).into(),
                None => "".into(),
            },
        );
    }
    for (side, units) in [("A", &group.a), ("B", &group.b)] {
        let suspect = (units.iter()).find(|unit| unit.verdict == Verdict::Suspect);
        if let Some(reason) = suspect.and_then(|unit| unit.reason.as_ref()) {
            notes.push(message!(
                "pair-suspect",
                side = side,
                reason = reason.head()
            ));
        }
    }
    notes
}

fn code(name: &str) -> Arg {
    format!("`{name}`").into()
}
