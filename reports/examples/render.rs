//! Renders a run directory; with `--fixture` first writes a made-up one there.

use std::path::PathBuf;

use anyhow::Context as _;

#[path = "../tests/run_directories/fixture/mod.rs"]
mod fixture;

fn main() -> anyhow::Result<()> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let with_fixture = args.first().is_some_and(|arg| arg == "--fixture");
    if with_fixture {
        args.remove(0);
    }
    let dir = PathBuf::from(args.first().context("usage: render [--fixture] DIR")?);
    if with_fixture {
        fixture::full_run(
            dir.parent().context("DIR has no parent")?,
            &dir.file_name()
                .context("DIR has no name")?
                .to_string_lossy(),
        );
    }
    bench_reports::frames::write(&dir)?;
    println!("{}", bench_reports::report::render(&dir)?.display());
    Ok(())
}
