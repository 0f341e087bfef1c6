//! Writes a made-up history of a lab, and with `--render` its pages, with the time and memory that took.
//!
//! Everything follows from the seed: noise, steps, outages, invalid nights and updates.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, bail};

#[path = "../tests/history/made_up.rs"]
mod made_up;

fn main() -> anyhow::Result<()> {
    let mut lab = made_up::Lab {
        n_boards: 3,
        n_nights: 20,
        n_samples: 15,
        seed: 1,
        is_scattered: true,
    };
    let mut dir = None;
    let mut render = None;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut next = || {
            args.next()
                .with_context(|| format!("`{arg}` needs a value"))
        };
        match arg.as_str() {
            "--boards" => lab.n_boards = next()?.parse()?,
            "--nights" => lab.n_nights = next()?.parse()?,
            "--samples" => lab.n_samples = next()?.parse()?,
            "--seed" => lab.seed = next()?.parse()?,
            "--render" => render = Some(PathBuf::from(next()?)),
            _ if arg.starts_with('-') => bail!(
                "usage: history [--boards N] [--nights N] [--samples N] [--seed N] [--render RUN_DIR] DIR"
            ),
            _ => dir = Some(PathBuf::from(&arg)),
        }
    }
    let dir = dir.context("name the folder for the history")?;
    if !dir.exists() {
        let start = Instant::now();
        let n_rows = lab.write(&dir)?;
        println!(
            "{n_rows} samples written in {:.1} s",
            start.elapsed().as_secs_f64()
        );
    }
    if let Some(run_dir) = render {
        fs::create_dir_all(&run_dir)?;
        fs::write(run_dir.join("manifest.json"), lab.manifest_after())?;
        let start = Instant::now();
        let written = bench_reports::report::write(&run_dir, Some(&dir))?;
        println!(
            "rendered in {:.1} s: {}",
            start.elapsed().as_secs_f64(),
            written.index.with_file_name("history.html").display()
        );
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find(|line| line.starts_with("VmHWM:"));
        println!("{}", peak.unwrap_or("peak memory unknown"));
    }
    Ok(())
}
