//! A made-up lab: boards that are measured every night, with steps, outages, invalid nights and updates at known places.

use std::path::Path;

use bench_reports::date;
use bench_reports::history::{HISTORY_VERSION, RunCard, StoredRun};
use polars::prelude::*;

/// What is made up.
pub struct Lab {
    pub n_boards: usize,
    pub n_nights: usize,
    pub n_samples: usize,
    pub seed: u64,
    /// Whether boards have steps, outages, invalid nights and updates of their own; else only board 0 has
    /// [`STEP_NIGHT`], [`INVALID_NIGHT`], [`OUTAGE_NIGHT`] and [`UPDATE_NIGHT`].
    pub is_scattered: bool,
}

/// Night from which `copy` of board 0 is slower by a fifth, with a new Linux.
pub const STEP_NIGHT: usize = 12;
/// Night in which all figures of board 1 are invalid.
pub const INVALID_NIGHT: usize = 8;
/// Night in which board 1 is not reached.
pub const OUTAGE_NIGHT: usize = 14;
/// Night from which on another board program measures, at the same rates.
pub const UPDATE_NIGHT: usize = 5;

/// First night: 2025-11-23.
const FIRST_DAY: i64 = 20_415;

/// Kernel, kind, residency, threads, model, and the rate of the slowest board.
type Unit = (
    &'static str,
    &'static str,
    &'static str,
    u32,
    Option<&'static str>,
    f64,
);

/// The units of every board.
const UNITS: [Unit; 32] = [
    ("read", "stream", "dram", 1, None, 9.0),
    ("read", "stream", "dram", 2, None, 14.0),
    ("read", "stream", "dram", 4, None, 18.0),
    ("write", "stream", "dram", 1, None, 6.0),
    ("write", "stream", "dram", 4, None, 11.0),
    ("copy", "stream", "dram", 1, None, 7.0),
    ("copy", "stream", "dram", 2, None, 11.0),
    ("copy", "stream", "dram", 4, None, 13.0),
    ("scale", "stream", "dram", 4, None, 12.5),
    ("add", "stream", "dram", 4, None, 13.5),
    ("triad", "stream", "dram", 1, None, 7.5),
    ("triad", "stream", "dram", 4, None, 13.8),
    ("write_nt", "stream", "dram", 4, None, 15.0),
    ("copy_nt", "stream", "dram", 4, None, 14.5),
    ("triad_nt", "stream", "dram", 4, None, 14.2),
    ("gemv_q4_0", "gemv", "dram", 1, None, 6.5),
    ("gemv_q4_0", "gemv", "dram", 4, None, 16.0),
    ("gemv_q8_0", "gemv", "dram", 4, None, 17.0),
    ("gemv_q4_k", "gemv", "dram", 4, None, 15.0),
    ("gemv_q4_0", "gemv", "cache", 4, None, 28.0),
    ("gemv_q8_0", "gemv", "cache", 4, None, 40.0),
    ("decode", "decode", "dram", 1, Some("qwen2.5-0.5b"), 12.0),
    ("decode", "decode", "dram", 4, Some("qwen2.5-0.5b"), 30.0),
    ("decode", "decode", "dram", 4, Some("qwen2.5-1.5b"), 14.0),
    ("decode", "decode", "dram", 4, Some("qwen2.5-7b"), 3.4),
    ("prefill", "prefill", "dram", 4, Some("qwen2.5-0.5b"), 110.0),
    ("prefill", "prefill", "dram", 4, Some("qwen2.5-1.5b"), 41.0),
    ("latency", "latency", "dram", 1, None, 140.0),
    ("peak_f32", "peak", "cache", 4, None, 60.0),
    ("peak_int8", "peak", "cache", 4, None, 240.0),
    ("gemm_q4_0", "gemm", "cache", 4, None, 130.0),
    ("read", "stream", "sweep", 4, None, 30.0),
];

/// What one iteration of every unit reads, writes, computes and generates.
const WORK: u64 = 1 << 28;

/// Units of one night, by column.
#[derive(Default)]
struct Columns {
    host: Vec<String>,
    unit: Vec<String>,
    kernel: Vec<&'static str>,
    kind: Vec<&'static str>,
    residency: Vec<&'static str>,
    threads: Vec<u32>,
    model: Vec<Option<&'static str>>,
    verdict: Vec<&'static str>,
    reason: Vec<Option<&'static str>>,
    sample_host: Vec<String>,
    sample_unit: Vec<String>,
    sample_idx: Vec<u32>,
    elapsed_ns: Vec<u64>,
}

impl Lab {
    /// Writes all nights; returns the number of samples.
    pub fn write(&self, dir: &Path) -> anyhow::Result<usize> {
        let mut n_samples = 0;
        for night in 0..self.n_nights {
            let run = self.night(night)?;
            n_samples += run.samples.height();
            run.write(dir)?;
        }
        Ok(n_samples)
    }

    /// The manifest of a run without hosts that begins right after the last night.
    pub fn manifest_after(&self) -> String {
        format!(
            r#"{{"version":4,"run_id":"after","started_at":"{}T12:00:00Z","finished_at":null,"command":[],"suite":"standard",
            "git_revision":null,"git_dirty":null,"rustc":null,"artifacts":{{}},"hosts":[],"memwall_version":"0.1.0",
            "interrupted":false}}"#,
            date::date(FIRST_DAY + self.n_nights as i64 - 1)
        )
    }

    /// One night of all boards.
    pub fn night(&self, night: usize) -> anyhow::Result<StoredRun> {
        let day = date::date(FIRST_DAY + night as i64);
        let run_id = format!("{day}T02-17-00Z-{night:04}");
        let mut columns = Columns::default();
        let boards: Vec<Board> = (0..self.n_boards)
            .map(|board| self.board(board, night))
            .collect();
        for (i, board) in boards.iter().enumerate() {
            if !board.is_out {
                self.measure(i, night, board, &mut columns);
            }
        }
        let started_at = format!("{day}T02:17:00Z");
        Ok(StoredRun {
            card: RunCard {
                version: HISTORY_VERSION,
                run_id: run_id.clone(),
                started_at: started_at.clone(),
                suite: "standard".into(),
                memwall_version: "0.1.0".into(),
                git_revision: Some(format!("{:040x}", boards[0].program)),
                parts: Vec::new(),
            },
            hosts: hosts(&boards)?,
            epochs: epochs(&boards)?,
            units: units(&run_id, &columns)?,
            samples: samples(&run_id, columns)?,
        })
    }

    fn board(&self, board: usize, night: usize) -> Board {
        let mut rng = fastrand::Rng::with_seed(self.seed * 1_000 + board as u64);
        let (mut linux, mut program) = (0, 0);
        let (is_out, is_invalid);
        if self.is_scattered {
            let mut nights: Vec<usize> = (0..4)
                .map(|_| rng.usize(10..self.n_nights.max(11)))
                .collect();
            nights.sort_unstable();
            linux = nights.iter().filter(|at| **at <= night).count();
            let outage = rng.usize(0..self.n_nights);
            is_out = (outage..outage + rng.usize(1..12)).contains(&night) || rng.usize(0..40) == 0;
            let mut of_night =
                fastrand::Rng::with_seed(self.seed + (board * 10_000 + night) as u64);
            is_invalid = of_night.usize(0..60) == 0;
            // Six updates of the program in a year, for all boards in the same night.
            program = night / 61;
        } else {
            if board == 0 && night >= STEP_NIGHT {
                linux = 1;
            }
            if night >= UPDATE_NIGHT {
                program = 1;
            }
            is_invalid = board == 1 && night == INVALID_NIGHT;
            is_out = board == 1 && night == OUTAGE_NIGHT;
        }
        Board {
            name: format!("board-{board:02}"),
            linux,
            program,
            is_out,
            is_invalid,
        }
    }

    fn measure(&self, board_idx: usize, night: usize, board: &Board, columns: &mut Columns) {
        let mut rng = fastrand::Rng::with_seed(self.seed + (board_idx * 1_000_003 + night) as u64);
        let of_board = 1.0 + board_idx as f64 * 0.13;
        for (unit_idx, (kernel, kind, residency, threads, model, rate)) in UNITS.iter().enumerate()
        {
            let unit = match model {
                Some(model) => format!("{kernel}_{model}_t{threads}"),
                None => format!("{kernel}_{residency}_t{threads}"),
            };
            // From night to night by 1 %, from sample to sample by 2 %.
            let of_night = 1.0 + 0.01 * normal(&mut rng);
            let rate = rate * of_board * of_night * self.step(board_idx, board, unit_idx);
            // The first board's fixed step is on one kernel alone.
            let rate = if board.is_invalid { rate * 3.0 } else { rate };
            let ns = match *kind {
                "decode" | "prefill" => WORK as f64 * 1e9 / rate,
                "latency" => rate * WORK as f64,
                _ => WORK as f64 / rate,
            };
            columns.host.push(board.name.clone());
            columns.unit.push(unit.clone());
            columns.kernel.push(kernel);
            columns.kind.push(kind);
            columns.residency.push(residency);
            columns.threads.push(*threads);
            columns.model.push(*model);
            columns
                .verdict
                .push(if board.is_invalid { "invalid" } else { "ok" });
            columns
                .reason
                .push(board.is_invalid.then_some("above its bound"));
            for sample_idx in 0..self.n_samples {
                columns.sample_host.push(board.name.clone());
                columns.sample_unit.push(unit.clone());
                columns.sample_idx.push(sample_idx as u32);
                columns
                    .elapsed_ns
                    .push((ns * (1.0 + 0.02 * normal(&mut rng))).max(1.0) as u64);
            }
        }
    }

    /// What updates of Linux make of a unit's rate.
    fn step(&self, board_idx: usize, board: &Board, unit_idx: usize) -> f64 {
        if !self.is_scattered {
            let is_copy = UNITS[unit_idx].0 == "copy";
            return if board.linux == 1 && is_copy {
                0.8
            } else {
                1.0
            };
        }
        let seed = self.seed + (board_idx * 100 + board.linux * 7 + unit_idx % 5) as u64;
        let mut rng = fastrand::Rng::with_seed(seed);
        if rng.bool() {
            1.0
        } else {
            0.85 + 0.3 * rng.f64()
        }
    }
}

struct Board {
    name: String,
    linux: usize,
    program: usize,
    is_out: bool,
    is_invalid: bool,
}

impl Board {
    fn release(&self) -> String {
        ["5.10.160", "6.1.75", "6.6.30", "6.12.9", "6.14.2"][self.linux.min(4)].to_owned()
    }
}

/// Nearly normal: the sum of twelve.
fn normal(rng: &mut fastrand::Rng) -> f64 {
    (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
}

fn column<T, Phantom: ?Sized>(name: &str, values: T) -> Column
where
    Series: NamedFrom<T, Phantom>,
{
    Series::new(name.into(), values).into_column()
}

fn frame(columns: Vec<Column>) -> anyhow::Result<DataFrame> {
    let height = columns.first().map_or(0, Column::len);
    Ok(DataFrame::new(height, columns)?)
}

fn hosts(boards: &[Board]) -> anyhow::Result<DataFrame> {
    let text =
        |pick: &dyn Fn(&Board) -> Option<String>| boards.iter().map(pick).collect::<Vec<_>>();
    let measured = |board: &Board| !board.is_out && !board.is_invalid;
    let rates: Vec<Option<f64>> = (boards.iter().enumerate())
        .map(|(i, board)| measured(board).then_some(18.0 * (1.0 + i as f64 * 0.13)))
        .collect();
    frame(vec![
        column("host", text(&|board| Some(board.name.clone()))),
        column("board", text(&|_| Some("rock-5b".into()))),
        column("emulated", vec![false; boards.len()]),
        column(
            "status",
            text(&|board| Some(if board.is_out { "unreachable" } else { "ok" }.into())),
        ),
        column(
            "stage",
            text(&|board| board.is_out.then(|| "connect".into())),
        ),
        column(
            "reason",
            text(&|board| {
                board
                    .is_out
                    .then(|| "ssh gave up after 10 s; check the cable".into())
            }),
        ),
        column(
            "epoch",
            text(&|board| (!board.is_out).then(|| format!("state-{}", board.linux))),
        ),
        column(
            "artifact_sha256",
            text(&|board| {
                Some(format!(
                    "{:08x}{:056x}",
                    0x9f86_d081_u64 * (board.program as u64 + 1) % 0xffff_fffb,
                    0
                ))
            }),
        ),
        column("theory_gb_per_s", vec![Some(33.8); boards.len()]),
        column("best_read_gb_per_s", rates),
    ])
}

fn epochs(boards: &[Board]) -> anyhow::Result<DataFrame> {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for board in boards.iter().filter(|board| !board.is_out) {
        let state = format!("state-{}", board.linux);
        for (key, value) in [("Linux", board.release()), ("RAM", "16 GiB".into())] {
            rows.push([board.name.clone(), state.clone(), key.into(), value]);
        }
    }
    let cells = |i: usize| rows.iter().map(|row| row[i].clone()).collect::<Vec<_>>();
    frame(vec![
        column("host", cells(0)),
        column("epoch", cells(1)),
        column("key", cells(2)),
        column("value", cells(3)),
    ])
}

fn units(run_id: &str, columns: &Columns) -> anyhow::Result<DataFrame> {
    let n = columns.unit.len();
    let is_model: Vec<bool> = columns.model.iter().map(Option::is_some).collect();
    let of_model = |value: u64| -> Vec<Option<u64>> {
        is_model
            .iter()
            .map(|is_model| is_model.then_some(value))
            .collect()
    };
    let prompts: Vec<Option<u64>> = (columns.kind.iter().zip(&is_model))
        .map(|(kind, is_model)| is_model.then_some(if *kind == "prefill" { 512 } else { 0 }))
        .collect();
    let chains: Vec<Option<u32>> = columns
        .kind
        .iter()
        .map(|kind| (*kind == "latency").then_some(1))
        .collect();
    frame(vec![
        column("run_id", vec![run_id; n]),
        column("host", columns.host.clone()),
        column("unit", columns.unit.clone()),
        column("environment", vec!["as_found"; n]),
        column("emulated", vec![false; n]),
        column("kernel", columns.kernel.clone()),
        column("kind", columns.kind.clone()),
        column("residency", columns.residency.clone()),
        column("variant", vec!["neon-dotprod"; n]),
        column("threads", columns.threads.clone()),
        column("model", columns.model.clone()),
        column(
            "quant",
            is_model
                .iter()
                .map(|is_model| is_model.then_some("q4_0"))
                .collect::<Vec<_>>(),
        ),
        column("depth", of_model(0)),
        column("n_prompt", prompts),
        column("n_generate", of_model(1)),
        column(
            "kv_format",
            is_model
                .iter()
                .map(|is_model| is_model.then_some("f16"))
                .collect::<Vec<_>>(),
        ),
        column("chains", chains),
        column("pages", vec!["huge"; n]),
        column("background_permille", vec![None::<u32>; n]),
        column("compared_only", vec![false; n]),
        column("read_bytes", vec![Some(WORK); n]),
        column("written_bytes", vec![Some(0_u64); n]),
        column("ops", vec![Some(WORK); n]),
        column("tokens", vec![Some(WORK); n]),
        column("verdict", columns.verdict.clone()),
        column("reason", columns.reason.clone()),
    ])
}

fn samples(run_id: &str, columns: Columns) -> anyhow::Result<DataFrame> {
    let n = columns.elapsed_ns.len();
    frame(vec![
        column("run_id", vec![run_id; n]),
        column("host", columns.sample_host),
        column("unit", columns.sample_unit),
        column("environment", vec!["as_found"; n]),
        column("round", vec![0_u32; n]),
        column("round_is_used", vec![true; n]),
        column("sample_idx", columns.sample_idx),
        column("iterations", vec![1_u64; n]),
        column("elapsed_ns", columns.elapsed_ns),
        column("background_bytes", vec![None::<u64>; n]),
        column("since_start_ns", vec![None::<u64>; n]),
        column("lowest_khz", vec![None::<u64>; n]),
        column("celsius", vec![None::<f64>; n]),
    ])
}
