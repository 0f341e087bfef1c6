//! `compare`: two sides of runs and hosts, unit by unit, as a table, a page or a document.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Context as _;
use bench_analysis::compare::{
    Basis, Comparison, Side, State, Subject, before_after, compare as compare_sides,
};
use bench_analysis::measured::{Analysis, analyse};
use bench_locales::Figure::Percent;
use bench_locales::Text;
use bench_reports::pages::compare as compare_page;
use bench_run_dir::format;
use bench_run_dir::{self, RunData};
use clap::Args;
use comfy_table::{Table, presets};

use crate::exit::{self, ExitError};
use crate::out::text;
use crate::runs::find_run;
use crate::{Format, Global};

/// Options of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Two of RUN, RUN:HOST or HOST (of the newest run): the second is held against the first
    #[arg(value_names = ["A", "B"], num_args = 2, conflicts_with_all = ["baseline", "against", "before_after"])]
    sides: Vec<String>,
    /// Runs of side A, each RUN or RUN:HOST; with several on each side, intervals hold how runs differ
    #[arg(long, value_name = "RUN", num_args = 1.., requires = "against")]
    baseline: Vec<String>,
    /// Runs of side B, held against those of `--baseline`
    #[arg(long, value_name = "RUN", num_args = 1.., requires = "baseline")]
    against: Vec<String>,
    /// A run with `--compare-environment`, RUN or RUN:HOST: as found against prepared
    #[arg(long, value_name = "RUN", conflicts_with_all = ["baseline", "against"])]
    before_after: Option<String>,
    /// Write a page with a picture to this file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Return 7 when a unit is confirmed to be slower by more than this, else 9 when a unit could not be judged
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_hyphen_values = true)]
    fail_on_regression: Option<f64>,
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text
        .trim_end_matches('%')
        .trim_end()
        .parse()
        .map_err(|_| format!("`{text}` is no number of per cent"))?;
    match (0.0..100.0).contains(&percent) {
        true => Ok(percent),
        false => Err("give a percentage from 0 to less than 100".into()),
    }
}

/// Prints what differs, and writes the page where one is asked for.
///
/// # Errors
/// With exit code 2 when there is no such run or host, a run stands twice, or the sides cannot be compared.
pub fn compare(global: &Global, args: &CompareArgs) -> anyhow::Result<u8> {
    let comparison = match &args.before_after {
        Some(name) => of_one_run(global, name)?,
        None => of_two_sides(global, args)?,
    };
    if let Some(path) = &args.output {
        std::fs::write(
            path,
            compare_page::page(&comparison, Text::new(global.language()))?,
        )
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    let allowed = args.fail_on_regression.map(|percent| percent / 100.0);
    let regressions: Vec<String> = allowed.map_or_else(Vec::new, |allowed| {
        let pairs = comparison.regressions(allowed).into_iter();
        pairs.map(|pair| pair.name()).collect()
    });
    let not_judged = allowed.map_or_else(Vec::new, |allowed| comparison.not_judged(allowed));
    let code = match (regressions.is_empty(), not_judged.is_empty()) {
        (false, _) => exit::REGRESSION,
        (true, false) => exit::NOT_JUDGED,
        (true, true) => exit::OK,
    };
    match global.format {
        Format::Json => {
            let mut document = serde_json::to_value(&comparison)?;
            document["headline"] = comparison.headline().to_string().into();
            document["report"] = serde_json::to_value(&args.output)?;
            document["regressions"] = regressions.into();
            document["not_judged"] = not_judged.into();
            document["exit_code"] = code.into();
            println!("{document:#}");
        }
        Format::Text => {
            print_text(&comparison);
            if let Some(path) = &args.output {
                println!("\n{}", path.display());
            }
            if let (false, Some(percent)) = (regressions.is_empty(), args.fail_on_regression) {
                eprintln!(
                    "{}",
                    said!(
                        "compare-regressions",
                        percent = Percent(percent / 100.0),
                        units = regressions.join(", "),
                    )
                );
            }
            if !not_judged.is_empty() {
                let units = not_judged.join(", ");
                let remedy = match comparison.basis {
                    Basis::Samples => said!("compare-no-judgement-rounds", units = units),
                    Basis::Rounds | Basis::Runs => said!("compare-no-judgement", units = units),
                };
                eprintln!("{remedy}");
            }
        }
    }
    Ok(code)
}

/// A run and the host that is meant, where one is named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reference {
    dir: PathBuf,
    host: Option<String>,
}

/// Understands RUN, RUN:HOST and HOST.
fn reference(global: &Global, text: &str) -> anyhow::Result<Reference> {
    let runs_dir = global.runs_dir();
    let as_run = find_run(&runs_dir, Some(text));
    if let Ok(dir) = as_run {
        return Ok(Reference { dir, host: None });
    }
    // A host's name may hold a colon, a run's does not.
    let run_and_host = (text.match_indices(':')).find_map(|(at, _)| {
        let dir = find_run(&runs_dir, Some(&text[..at])).ok()?;
        Some((dir, text[at + 1..].to_owned()))
    });
    if let Some((dir, host)) = run_and_host {
        return Ok(Reference {
            dir,
            host: Some(host),
        });
    }
    let newest = find_run(&runs_dir, None)?;
    if newest.join("hosts").join(text).is_dir() {
        return Ok(Reference {
            dir: newest,
            host: Some(text.to_owned()),
        });
    }
    let unknown = as_run.err().map(|error| error.to_string());
    Err(ExitError::usage(format!(
        "`{text}` is no run, no RUN:HOST and no host of the newest run `{}`: {}",
        newest.display(),
        unknown.unwrap_or_default()
    ))
    .into())
}

fn of_two_sides(global: &Global, args: &CompareArgs) -> anyhow::Result<Comparison> {
    let (a, b) = match args.sides.as_slice() {
        [a, b] => (vec![a.clone()], vec![b.clone()]),
        _ => (args.baseline.clone(), args.against.clone()),
    };
    if a.is_empty() {
        return Err(ExitError::usage(
            "compare what? give two of RUN, RUN:HOST or HOST, or `--baseline RUN... --against RUN...`, or `--before-after RUN`",
        )
        .into());
    }
    let n_a = a.len();
    let references = (a.iter().chain(&b))
        .map(|text| reference(global, text))
        .collect::<anyhow::Result<Vec<Reference>>>()?;
    let dirs: BTreeSet<PathBuf> = references.iter().map(|it| it.dir.clone()).collect();
    let runs = (dirs.iter())
        .map(|dir| Ok((dir, bench_run_dir::read(dir)?)))
        .collect::<anyhow::Result<Vec<(&PathBuf, RunData)>>>()?;
    let analyses: Vec<(&PathBuf, Analysis)> =
        runs.iter().map(|(dir, run)| (*dir, analyse(run))).collect();
    let hosts = choose_hosts(&references, &analyses)?;
    let mut subjects = Vec::new();
    for (reference, host) in references.iter().zip(&hosts) {
        let (_, analysis) = (analyses.iter())
            .find(|(dir, _)| **dir == reference.dir)
            .context("every run was read")?;
        let found = analysis.hosts.iter().find(|it| it.name() == host);
        let Some(found) = found else {
            let choices = analysis.hosts.iter().map(|it| it.name());
            return Err(super::unknown("host of the run", host, choices));
        };
        subjects.push(Subject {
            manifest: &analysis.run.manifest,
            host: found,
            state: State::Reported,
        });
    }
    refuse_repeated(&references, &hosts)?;
    let (a, b) = subjects.split_at(n_a);
    compare_sides(a, b).map_err(|reason| ExitError::usage(reason).into())
}

/// One run counted twice would make the spread between runs look smaller than it is.
fn refuse_repeated(references: &[Reference], hosts: &[String]) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for (reference, host) in references.iter().zip(hosts) {
        // Two spellings of one directory are one run.
        let dir = std::fs::canonicalize(&reference.dir).unwrap_or_else(|_| reference.dir.clone());
        if !seen.insert((dir, host)) {
            return Err(ExitError::usage(format!(
                "host `{host}` of run `{}` is named twice; name each run once",
                reference.dir.display()
            ))
            .into());
        }
    }
    Ok(())
}

/// The host of each reference: the one it names; else the one that others name, else the only one that all have.
fn choose_hosts(
    references: &[Reference],
    analyses: &[(&PathBuf, Analysis)],
) -> anyhow::Result<Vec<String>> {
    let named: BTreeSet<&String> = references
        .iter()
        .filter_map(|it| it.host.as_ref())
        .collect();
    let open = references.iter().filter(|it| it.host.is_none());
    let choices: Vec<BTreeSet<String>> = (open.clone())
        .map(|it| {
            let analysis = analyses.iter().find(|(dir, _)| **dir == it.dir);
            analysis.map_or_else(BTreeSet::new, |(_, analysis)| comparable_hosts(analysis))
        })
        .collect();
    let common: BTreeSet<String> = match choices.split_first() {
        Some((first, rest)) => (first.iter())
            .filter(|name| rest.iter().all(|other| other.contains(*name)))
            .cloned()
            .collect(),
        None => BTreeSet::new(),
    };
    let of_all = match (named.first(), common.len()) {
        (Some(name), _) if named.len() == 1 && common.contains(*name) => Some((*name).clone()),
        (_, 1) => common.first().cloned(),
        _ => None,
    };
    let mut open_choices = choices.iter();
    (references.iter())
        .map(|reference| {
            if let Some(host) = &reference.host {
                return Ok(host.clone());
            }
            let own = open_choices.next();
            let only = own.filter(|own| own.len() == 1).and_then(BTreeSet::first);
            if let Some(host) = of_all.as_ref().or(only) {
                return Ok(host.clone());
            }
            let names: Vec<&str> = own.into_iter().flatten().map(String::as_str).collect();
            Err(ExitError::usage(format!(
                "which host of `{run}`? write `{run}:HOST`; there are: {}",
                names.join(", "),
                run = reference.dir.display()
            ))
            .into())
        })
        .collect()
}

/// Hosts that were measured on real hardware; all hosts where none was.
fn comparable_hosts(analysis: &Analysis) -> BTreeSet<String> {
    let real = (analysis.hosts.iter())
        .filter(|host| !host.data.record.emulated)
        .filter(|host| host.all_units().any(|unit| !unit.samples.is_empty()));
    let real: BTreeSet<String> = real.map(|host| host.name().to_owned()).collect();
    match real.is_empty() {
        true => (analysis.hosts.iter())
            .map(|host| host.name().to_owned())
            .collect(),
        false => real,
    }
}

fn of_one_run(global: &Global, name: &str) -> anyhow::Result<Comparison> {
    let reference = reference(global, name)?;
    let run = bench_run_dir::read(&reference.dir)?;
    let analysis = analyse(&run);
    let candidates: Vec<_> = (analysis.hosts.iter())
        .filter(|host| !host.as_found.is_empty())
        .filter(|host| {
            reference
                .host
                .as_ref()
                .is_none_or(|name| host.name() == name)
        })
        .collect();
    let run_name = reference.dir.display();
    match candidates.as_slice() {
        [host] => before_after(&run.manifest, host).ok_or_else(|| {
            let why = "was measured in one state only";
            ExitError::usage(format!("host `{}` of `{run_name}` {why}", host.name())).into()
        }),
        [] => Err(ExitError::usage(format!(
            "nothing in `{run_name}` was measured before and after it was prepared; measure with `--compare-environment`"
        ))
        .into()),
        several => {
            let names: Vec<&str> = several.iter().map(|host| host.name()).collect();
            Err(ExitError::usage(format!(
                "which host of `{run_name}`? write RUN:HOST; there are: {}",
                names.join(", ")
            ))
            .into())
        }
    }
}

fn pairs(comparison: &Comparison) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header([
        said!("unit"),
        "A".to_owned(),
        "B".to_owned(),
        said!("comparison-b-against-a"),
        said!("interval"),
        said!("comparison-outcome"),
    ]);
    for pair in &comparison.pairs {
        table.add_row([
            pair.name(),
            text().say(&pair.metric.words(pair.a.value)),
            text().say(&pair.metric.words(pair.b.value)),
            text().say(&pair.difference()),
            match pair.interval() {
                Some(interval) => text().say(&interval),
                None => text().unknown().to_owned(),
            },
            text().say(&pair.outcome.message()),
        ]);
    }
    table
}

fn side(side: &Side) -> String {
    let subjects: Vec<String> = side.words().iter().map(|it| text().say(it)).collect();
    text().list(&subjects)
}

fn print_text(comparison: &Comparison) {
    println!("A: {}", side(&comparison.a));
    println!("B: {}", side(&comparison.b));
    println!("\n{}", text().say(&comparison.headline()));
    println!("\n{}", said!("compare-other-differences"));
    if comparison.changes.is_empty() {
        println!("  {}", said!("comparison-no-changes"));
    }
    for change in &comparison.changes {
        let side = |values: &[String]| match values {
            [] => text().unknown().to_owned(),
            values => format::foreign_short(&values.join("; "), 120),
        };
        let (a, b) = (side(&change.a), side(&change.b));
        println!(
            "  {}: {a} -> {b}",
            format::foreign_short(&text().say(&change.what), 120)
        );
    }
    if !comparison.pairs.is_empty() {
        println!("\n{}", pairs(comparison).trim_fmt());
    }
    print_notes(comparison);
    if !comparison.left_out.is_empty() {
        println!("\n{}", said!("compare-units-left-out"));
        for left_out in &comparison.left_out {
            println!(
                "  {} ({}): {}",
                format::foreign_short(&left_out.unit, 100),
                match left_out.side {
                    "both" => said!("compare-both"),
                    side => side.to_owned(),
                },
                format::foreign_short(&text().say(&left_out.reason), 200)
            );
        }
    }
    println!("\n{}", text().say(&comparison.basis_sentence()));
    println!("{}", text().say(&comparison.control_sentence()));
}

fn print_notes(comparison: &Comparison) {
    // Notes that differ in their numbers only are one: the first stands for all.
    let mut units_of_note: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    for pair in &comparison.pairs {
        for note in &pair.notes {
            let note = text().say(note);
            let without_numbers = |c: &char| !c.is_ascii_digit() && !".,\u{2009}".contains(*c);
            let kind = note.chars().filter(without_numbers).collect();
            let (_, units) = (units_of_note.entry(kind)).or_insert_with(|| (note, Vec::new()));
            units.push(pair.name());
        }
    }
    if !units_of_note.is_empty() {
        println!("\n{}", said!("compare-notes"));
    }
    for (note, units) in units_of_note.into_values() {
        let units = match units.len() == comparison.pairs.len() {
            true => said!("compare-all-units"),
            false => units.join(", "),
        };
        println!("  {}: {units}", format::foreign_short(&note, 300));
    }
}
