//! Renders a run directory; with `--fixture` first writes a made-up one there, with `--hosts N` one of N measured hosts.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;

#[path = "../tests/run_directories/fixture/mod.rs"]
mod fixture;
#[path = "../tests/run_directories/many.rs"]
mod many;

fn main() -> anyhow::Result<()> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let with_fixture = args.first().is_some_and(|arg| arg == "--fixture");
    if with_fixture {
        args.remove(0);
    }
    let n_hosts = match args.first().map(String::as_str) {
        Some("--hosts") => {
            let n_hosts = args.get(1).context("--hosts needs a number")?.parse()?;
            args.drain(..2);
            Some(n_hosts)
        }
        _ => None,
    };
    let dir = PathBuf::from(
        args.first()
            .context("usage: render [--fixture | --hosts N] DIR")?,
    );
    if let Some(n_hosts) = n_hosts {
        many::many_hosts(&dir, n_hosts);
    }
    if with_fixture {
        fixture::full_run(
            dir.parent().context("DIR has no parent")?,
            &dir.file_name()
                .context("DIR has no name")?
                .to_string_lossy(),
        );
    }
    let started = Instant::now();
    let written = bench_reports::report::write(&dir, None)?;
    println!("{}", written.index.display());
    println!("{:.2} s", started.elapsed().as_secs_f64());
    Ok(())
}
