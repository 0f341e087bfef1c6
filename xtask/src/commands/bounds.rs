//! `bounds`: what bounds models on boards, from theory over measured limits to tokens per second.

mod formula;

use std::collections::BTreeSet;
use std::path::PathBuf;

use bench_analysis::choice::bounds::Bounds;
use bench_analysis::choice::decide::{self, Decision, Scenario, Step, Target, decide};
use bench_analysis::choice::predict::LEVEL;
use bench_analysis::limits::bounds::MIN_CONTEXT;
use bench_analysis::limits::fit;
use bench_analysis::measured::{Analysis, analyse};
use bench_inventory::{Inventory, KvFormat, Quant};
use bench_locales::Figure::{self, DecimalBytes, GbPerS, Number, Parameters, Percent, TokensPerS};
use bench_locales::{Message, message};
use clap::Args;
use comfy_table::Table;
use serde::Serialize;
use serde_json::{Value, json};

use super::evidence::{Evidence, EvidenceArgs, chosen_runs};
use super::own_files;
use super::recommend::positive;
use crate::exit::{self, ExitError};
use crate::out::{self, text};
use crate::{Format, Global};

/// Options of `bounds`.
#[derive(Debug, Args)]
pub struct BoundsArgs {
    /// Boards of the catalogue, or measured hosts [default: all boards]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    board: Vec<String>,
    /// Models of the catalogue [default: all]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    model: Vec<String>,
    /// Quantisations [default: those that people usually choose between]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    quant: Vec<String>,
    /// Models of these GGUF files, with the storage of each of their tensors; only headers are read
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["model", "quant"])]
    gguf: Vec<PathBuf>,
    /// Tokens in the KV cache
    #[arg(long, value_name = "TOKENS", num_args = 1.., default_values_t = [0], value_parser = clap::value_parser!(u64).range(..=1 << 24))]
    depth: Vec<u64>,
    /// Storage of keys and values: f16, q8_0 or q4_0
    #[arg(long, value_name = "FORMAT", default_value = "f16")]
    kv_format: String,
    /// Bandwidth in place of the board's, GB/s (10^9 bytes per second); no board is needed then
    #[arg(long, value_name = "X", value_parser = positive)]
    bandwidth_gb_s: Option<f64>,
    /// Bytes read per token in place of the model's, GB (10^9 bytes); no model is needed then
    #[arg(long, value_name = "X", value_parser = positive)]
    bytes_gb: Option<f64>,
    #[command(flatten)]
    evidence: EvidenceArgs,
}

/// Prints the bounds: one chain in full, or a row for each of several.
///
/// # Errors
/// With exit code 2 when a name is unknown, naming the nearest match, or what is given contradicts itself.
pub fn bounds(global: &Global, args: &BoundsArgs) -> anyhow::Result<u8> {
    let mut inventory = super::load_inventory(global)?;
    let own = own_files::of_gguf(&args.gguf, &inventory)?;
    own_files::load(&own, &mut inventory)?;
    let of_files = own_files::models(&own);
    let kv_format: KvFormat = (args.kv_format.parse())
        .map_err(|error: bench_inventory::UnknownId| ExitError::usage(error.to_string()))?;
    let is_formula = args.bytes_gb.is_some() && args.model.is_empty() && of_files.is_empty();
    given_once(args, is_formula)?;
    let runs = chosen_runs(global, &args.evidence)?;
    let analyses: Vec<Analysis> = runs.iter().map(analyse).collect();
    let evidence = Evidence::new(&inventory, &analyses, &args.evidence);
    let is_of_one =
        |given: &[String], is_replaced: bool| given.len() == 1 || (given.is_empty() && is_replaced);
    let is_one = is_of_one(&args.board, args.bandwidth_gb_s.is_some())
        && args.depth.len() == 1
        && (args.gguf.len() == 1
            || (args.model.len() == 1 && (args.quant.len() == 1 || args.bytes_gb.is_some())));
    let targets = targets(args, &inventory, &evidence, is_one)?;
    if let (true, Some(gb)) = (is_formula, args.bytes_gb) {
        formula::print(global, &targets, gb);
        return Ok(exit::OK);
    }
    let models = match of_files.is_empty() {
        true => models(&inventory, &args.model)?,
        false => of_files.iter().map(String::as_str).collect(),
    };
    let quants = quants(args)?;
    let asked =
        (models.iter()).flat_map(|model| args.depth.iter().map(move |depth| (model, depth)));
    let unknown: Vec<String> = asked
        .filter_map(|(model, depth)| inventory.models[*model].kv_unknown(*depth))
        .collect();
    if !unknown.is_empty() {
        return Err(ExitError::usage(unknown.join("; ")).into());
    }
    let mut rows = Vec::new();
    for model in models.iter().map(|model| &inventory.models[*model]) {
        for depth in &args.depth {
            let mut loads: Vec<Scenario> =
                match Scenario::of_file(model, *depth, MIN_CONTEXT, kv_format) {
                    Some(of_file) => vec![of_file],
                    None => (quants.iter())
                        .map(|quant| Scenario::new(model, *quant, *depth, MIN_CONTEXT, kv_format))
                        .collect(),
                };
            if let Some(gb) = args.bytes_gb {
                for load in &mut loads {
                    load.with_bytes((gb * 1e9).round() as u64);
                    if args.quant.is_empty() {
                        load.quant = None;
                        load.quant_id = "given".to_owned();
                    }
                }
            }
            for load in loads {
                for target in &targets {
                    rows.push((target, load.clone(), decide(target, &load)));
                }
            }
        }
    }
    match (rows.as_slice(), is_one) {
        ([first, others @ ..], true) => print_one(global, &evidence, first, others),
        (rows, _) => print_many(global, &evidence, rows, args.board.len()),
    }
}

type Row<'a, 'b> = (&'b Target<'a>, Scenario<'b>, Decision);

/// What replaces a figure stands for one board, or one model.
fn given_once(args: &BoundsArgs, is_formula: bool) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    if args.bandwidth_gb_s.is_some() && args.board.len() > 1 {
        problems
            .push("`--bandwidth-gb-s` stands for one board: give `--board` once, or not at all");
    }
    if args.bytes_gb.is_some()
        && (args.model.len() > 1 || args.quant.len() > 1 || args.gguf.len() > 1)
    {
        problems.push(
            "`--bytes-gb` stands for one model: give `--model` and `--quant` once each, or not at all",
        );
    }
    if is_formula && args.depth.iter().any(|depth| *depth > 0) {
        problems
            .push("how much a KV cache adds depends on the model: give `--model`, or no `--depth`");
    }
    if is_formula && !args.quant.is_empty() {
        problems.push("`--quant` says nothing without `--model`");
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(ExitError::usage(problems.join("\n")).into()),
    }
}

/// A target for each processor. In a table of many rows those of which nothing is known are left out, where people run
/// models on another one.
fn targets<'a>(
    args: &BoundsArgs,
    inventory: &'a Inventory,
    evidence: &Evidence<'a>,
    is_one: bool,
) -> anyhow::Result<Vec<Target<'a>>> {
    let names: Vec<&str> = match (args.board.as_slice(), args.bandwidth_gb_s) {
        ([], Some(gb_per_s)) => return Ok(vec![decide::of_bandwidth(gb_per_s)]),
        ([], None) => inventory.boards.keys().map(String::as_str).collect(),
        (named, _) => named.iter().map(String::as_str).collect(),
    };
    let mut all = Vec::new();
    for name in names {
        let mut targets = evidence.targets(name)?;
        if !is_one && args.evidence.is_of_all_processors() {
            let first = targets.first().map(|first| first.processor.clone());
            targets.retain(|target| {
                target.prediction.is_some() || Some(&target.processor) == first.as_ref()
            });
        }
        if let Some(gb_per_s) = args.bandwidth_gb_s {
            targets
                .iter_mut()
                .for_each(|target| target.with_bandwidth(gb_per_s));
        }
        all.extend(targets);
    }
    Ok(all)
}

fn quants(args: &BoundsArgs) -> anyhow::Result<Vec<Quant>> {
    if args.quant.is_empty() {
        // Given bytes are those of one quantisation, whichever it is.
        return Ok(match args.bytes_gb {
            Some(_) => vec![Quant::Q4KM],
            None => Quant::USUAL.to_vec(),
        });
    }
    (args.quant.iter())
        .map(|id| Quant::from_id(id).map_err(|error| ExitError::usage(error.to_string()).into()))
        .collect()
}

fn models<'a>(inventory: &'a Inventory, ids: &'a [String]) -> anyhow::Result<Vec<&'a str>> {
    let all = || inventory.models.keys().map(String::as_str);
    if ids.is_empty() {
        return Ok(all().collect());
    }
    (ids.iter())
        .map(|id| match inventory.models.contains_key(id) {
            true => Ok(id.as_str()),
            false => Err(super::unknown("model", id, all())),
        })
        .collect()
}

/// A decision as JSON, with what follows from the model alone and where each input comes from.
fn value(evidence: &Evidence, (target, load, decision): &Row) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(decision)?;
    let model = load.model;
    let kv: serde_json::Map<String, Value> = (KvFormat::ALL.into_iter())
        .map(|kv| (kv.id().to_owned(), json!(model.kv_bytes_per_token(kv))))
        .collect();
    let room = decision.room.as_ref().map(|room| room.bytes);
    let fits_with =
        room.and_then(|room| fit::best_quant(model, load.context, load.kv_format, room));
    let more = json!({
        "n_params": model.n_params(),
        "ops_per_token": model.ops_per_token(load.depth),
        "ops_of_prompt_512": model.ops_of_prompt(512),
        "kv_bytes_per_token_by_format": kv,
        "fits_with_quant": fits_with.map(Quant::id),
        "measured_in": evidence.basis(target),
    });
    let bounds = serde_json::to_value(Bounds::of(target, load))?;
    if let (Value::Object(value), Value::Object(more), Value::Object(bounds)) =
        (&mut value, more, bounds)
    {
        value.remove("target");
        value.extend(more);
        value.extend(bounds);
    }
    Ok(value)
}

fn print_one(
    global: &Global,
    evidence: &Evidence,
    first: &Row,
    others: &[Row],
) -> anyhow::Result<u8> {
    let (target, load, decision) = first;
    if global.format == Format::Json {
        let mut all = value(evidence, first)?;
        let others = (others.iter())
            .map(|row| value(evidence, row))
            .collect::<anyhow::Result<Vec<Value>>>()?;
        if let Value::Object(all) = &mut all {
            all.insert("other_processors".to_owned(), json!(others));
        }
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(exit::OK);
    }
    if let Some(basis) = evidence.basis(target) {
        println!("{}", basis.words());
    }
    println!("{}", Bounds::of(target, load).table(text()));
    println!(
        "{}\n",
        said!(
            "bounds-work",
            parameters = Parameters(load.model.n_params()),
            operations = Parameters(load.model.ops_per_token(load.depth)),
            depth = load.depth,
            of_prompt = Parameters(load.model.ops_of_prompt(512)),
        )
    );
    println!(
        "{}",
        said!(
            "bounds-chain",
            model = &decision.model,
            quant = &decision.quant,
            processor = &decision.processor,
        )
    );
    println!("{}", chain(decision));
    if let Some(why) = &decision.no_prediction {
        println!("{}", text().say(why));
    }
    println!("{}", said!("bounds-limit", limit = &decision.limit));
    println!("{}", text().say(&fit_words(load, decision)));
    for (target, _, decision) in others {
        let expected = match (&decision.expected, &decision.no_prediction) {
            (Some(expected), _) => message!(
                "bounds-expected",
                rate = expected.words(),
                kind = expected.label.message(),
                basis = &expected.basis,
            ),
            (None, Some(why)) => why.clone(),
            (None, None) => Message::quoted(""),
        };
        let processor = &target.processor;
        println!(
            "{}",
            said!("bounds-on", processor = processor, expected = expected)
        );
    }
    println!("{}", said!("bounds-assumed"));
    Ok(exit::OK)
}

fn chain(decision: &Decision) -> Table {
    let mut table = out::table(&[
        said!("step"),
        said!("kind-of-figure"),
        said!("unit-gb-per-s"),
        said!("unit-tokens-per-s"),
        said!("bounds-share"),
        said!("chain-cause"),
        said!("source"),
    ]);
    for step in &decision.chain {
        table.add_row(step_row(step));
    }
    table
}

fn step_row(step: &Step) -> Vec<String> {
    // A figure that is an interval is never shown as its middle alone.
    let interval = |figure: fn(f64) -> Figure, scale: f64| match step.interval_tokens_per_s {
        Some([low, high]) => {
            message!(
                "range",
                from = figure(low * scale),
                to = figure(high * scale)
            )
        }
        None => message!("quoted", text = figure(step.tokens_per_s * scale)),
    };
    let gb_per_token = step.gb_per_s / step.tokens_per_s;
    vec![
        text().say(&step.step.message()),
        text().say(&step.label.message()),
        text().say(&interval(Number, gb_per_token)),
        text().say(&interval(Number, 1.0)),
        match (step.ratio, step.of) {
            (Some(ratio), Some(of)) => said!(
                "bounds-share-of",
                share = interval(Percent, ratio / step.tokens_per_s),
                step = of.message(),
            ),
            _ => String::new(),
        },
        (step.culprit.as_ref()).map_or_else(String::new, |it| text().say(it)),
        text().say(&step.source),
    ]
}

/// Whether it fits with its context, with what it needs and what there is, with flash attention and without.
fn fit_words(load: &Scenario, decision: &Decision) -> Message {
    let need = message!(
        "bounds-needs",
        flash = DecimalBytes(decision.need.total_bytes()),
        plain = DecimalBytes(decision.need.total_without_flash_bytes()),
    );
    let Some(room) = &decision.room else {
        return message!("bounds-room-unknown", need = need);
    };
    let of = message!(
        "bounds-room",
        size = DecimalBytes(room.bytes),
        kind = room.label.message(),
        source = &room.source,
    );
    let context = decision.need.context;
    let tokens = message!("tokens", n = context);
    if decision.fits == Some(true) {
        let longest = |most: Option<u64>| match most {
            Some(most) => message!("tokens", n = most),
            None => message!("bounds-no-context"),
        };
        return message!(
            "bounds-fits",
            tokens = tokens,
            need = need,
            room = of,
            longest = longest(decision.max_context),
            longest_plain = longest(decision.max_context_without_flash),
        );
    }
    let missing = decision.need.total_bytes().saturating_sub(room.bytes);
    let instead = match fit::best_quant(load.model, context, load.kv_format, room.bytes) {
        Some(quant) => message!("bounds-fits-in-quant", quant = quant.id()),
        None => message!("bounds-fits-in-none"),
    };
    message!(
        "bounds-fits-not",
        tokens = tokens,
        missing = DecimalBytes(missing),
        need = need,
        room = of,
        instead = instead,
    )
}

fn print_many(
    global: &Global,
    evidence: &Evidence,
    rows: &[Row],
    n_named_boards: usize,
) -> anyhow::Result<u8> {
    let ratios = match n_named_boards > 1 {
        true => ratios(rows),
        false => Vec::new(),
    };
    if global.format == Format::Json {
        let rows = (rows.iter())
            .map(|row| value(evidence, row))
            .collect::<anyhow::Result<Vec<Value>>>()?;
        let document = json!({ "bounds": rows, "ratios": ratios });
        println!("{}", serde_json::to_string_pretty(&document)?);
        return Ok(exit::OK);
    }
    let bases: BTreeSet<String> = (rows.iter())
        .filter_map(|(target, ..)| Some(evidence.basis(target)?.words()))
        .collect();
    for basis in bases {
        println!("{basis}");
    }
    let mut table = out::table(&[
        said!("board"),
        said!("processor"),
        said!("model"),
        said!("bounds-quant"),
        said!("bounds-depth"),
        said!("bounds-read-rate"),
        said!("bound"),
        said!("unit-tokens-per-s"),
        said!("kind-of-figure"),
        said!("limit"),
        said!("fit"),
        said!("decision-longest"),
    ]);
    for (target, load, decision) in rows {
        table.add_row(row(target, load, decision));
    }
    println!("{table}");
    println!("{}", said!("bounds-columns", level = Percent(LEVEL)));
    println!("{}", said!("bounds-assumed"));
    for ratio in ratios {
        println!("{}", ratio.words());
    }
    Ok(exit::OK)
}

/// A board beside the first that was named.
#[derive(Serialize)]
struct Ratio {
    board: String,
    against: String,
    bandwidth: f64,
    bandwidth_gb_s: [f64; 2],
    /// What both bound, and at how many tokens per second.
    bound: Option<(String, [f64; 2])>,
}

impl Ratio {
    fn words(&self) -> String {
        let [own, of_first] = self.bandwidth_gb_s.map(GbPerS);
        let ratio = Number(self.bandwidth);
        match &self.bound {
            Some((what, [bound, bound_of_first])) => said!(
                "bounds-ratio-and-bound",
                board = &self.board,
                against = &self.against,
                ratio = ratio,
                own = own,
                of_first = of_first,
                bound_ratio = Number(bound / bound_of_first),
                bound = Number(*bound),
                bound_of_first = TokensPerS(*bound_of_first),
                what = what,
            ),
            None => said!(
                "bounds-ratio",
                board = &self.board,
                against = &self.against,
                ratio = ratio,
                own = own,
                of_first = of_first,
            ),
        }
    }
}

/// Every target beside the first, by theory and by the bound of the first model.
fn ratios(rows: &[Row]) -> Vec<Ratio> {
    let name = |target: &Target| format!("{} ({})", target.name, target.processor);
    let gb_per_s = |target: &Target| target.theory.as_ref().map(|theory| theory.gb_per_s);
    let Some((first, of_first, bound_of_first)) = rows.first() else {
        return Vec::new();
    };
    let mut ratios: Vec<Ratio> = Vec::new();
    for (target, load, decision) in rows {
        let is_same = (&load.model.id, &load.quant_id, load.depth)
            == (&of_first.model.id, &of_first.quant_id, of_first.depth);
        let (Some(own), Some(base)) = (gb_per_s(target), gb_per_s(first)) else {
            continue;
        };
        if !is_same || target.name == first.name {
            continue;
        }
        let bounds = (decision.bound_tokens_per_s).zip(bound_of_first.bound_tokens_per_s);
        ratios.push(Ratio {
            board: name(target),
            against: name(first),
            bandwidth: own / base,
            bandwidth_gb_s: [own, base],
            bound: bounds.map(|(own, base)| {
                (
                    format!("{} {}", decision.model, decision.quant),
                    [own, base],
                )
            }),
        });
    }
    ratios
}

fn row(target: &Target, load: &Scenario, decision: &Decision) -> Vec<String> {
    let expected = decision.expected.as_ref();
    vec![
        target.name.clone(),
        target.processor.clone(),
        decision.model.clone(),
        decision.quant.clone(),
        out::integer(decision.depth),
        target.read.as_ref().map_or_else(String::new, |read| {
            said!(
                "bounds-read-figure",
                rate = Number(read.gb_per_s),
                kind = read.label.message(),
            )
        }),
        (decision.bound_tokens_per_s).map_or_else(String::new, |it| text().figure(Number(it))),
        expected.map_or_else(String::new, |it| text().say(&it.words())),
        expected.map_or_else(String::new, |it| text().say(&it.label.message())),
        text().say(&decision.limit),
        match (decision.fits, &decision.room) {
            (Some(true), _) => said!("fits"),
            (Some(false), Some(room)) => {
                match fit::best_quant(load.model, load.context, load.kv_format, room.bytes) {
                    Some(quant) => said!("bounds-with-quant", quant = quant.id()),
                    None => said!("does-not-fit"),
                }
            }
            _ => text().unknown().to_owned(),
        },
        (decision.max_context).map_or_else(String::new, out::integer),
    ]
}
