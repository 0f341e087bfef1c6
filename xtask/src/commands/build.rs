//! `build`: the board programs, built and checked.

use bench_locales::Figure::Integer;
use clap::Args;

use crate::artifact::{self, BuildTarget, TARGETS};
use crate::out::{self, text};
use crate::{Format, Global, exit};

/// Options of `build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// Rust target triples [default: all]
    #[arg(long, value_name = "TRIPLE")]
    target: Vec<String>,
}

/// Builds and prints path, size and hash of each program.
///
/// # Errors
/// For an unknown target, and whatever [`artifact::build`] says.
pub fn build(global: &Global, args: &BuildArgs) -> anyhow::Result<u8> {
    let targets = args
        .target
        .iter()
        .map(|triple| {
            let found = TARGETS.into_iter().find(|target| target.triple == *triple);
            found.ok_or_else(|| {
                super::unknown("target", triple, TARGETS.iter().map(|target| target.triple))
            })
        })
        .collect::<anyhow::Result<Vec<BuildTarget>>>()?;
    let artifacts = artifact::build(if targets.is_empty() {
        &TARGETS
    } else {
        &targets
    })?;
    match global.format {
        Format::Json => {
            let list: Vec<_> = artifacts
                .values()
                .map(|artifact| {
                    serde_json::json!({
                        "target": artifact.target.triple,
                        "path": artifact.path,
                        "sha256": artifact.sha256,
                        "size_bytes": artifact.size_bytes,
                    })
                })
                .collect();
            println!("{}", serde_json::to_string_pretty(&list)?);
        }
        Format::Text => {
            let mut table = out::table(&[
                said!("build-target"),
                said!("method-bytes"),
                "SHA-256".to_owned(),
                said!("build-path"),
            ]);
            for artifact in artifacts.values() {
                table.add_row([
                    artifact.target.triple.to_string(),
                    text().figure(Integer(artifact.size_bytes as f64)),
                    artifact.sha256[..16].to_string(),
                    artifact.path.display().to_string(),
                ]);
            }
            println!("{table}");
        }
    }
    Ok(exit::OK)
}
