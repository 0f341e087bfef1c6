//! What a run ends with: its exit code, and what it prints.

use std::path::Path;

use bench_analysis::validity::status;
use bench_locales::{Figure, Message};
use bench_run_dir::{HostStatus, LeftOut, LeftOutUnit, RunData, RunManifest};
use serde_json::json;

use super::HostResult;
use crate::budget::left_out_name;
use crate::out::{self, text};
use crate::{Format, Global, exit};

/// The most serious thing that happened. `has_invalid_host`: all data of a host are invalid.
pub fn exit_code(has_invalid_host: bool, manifest: &RunManifest, results: &[HostResult]) -> u8 {
    let any = |status: HostStatus| results.iter().any(|(record, _)| record.status == status);
    if results
        .iter()
        .any(|(record, _)| !record.unrestored.is_empty())
    {
        exit::NOT_RESTORED
    } else if manifest.interrupted {
        exit::INTERRUPTED
    } else if results.len() < manifest.hosts.len() {
        exit::INTERNAL
    } else if any(HostStatus::Failed) || results.iter().any(|(_, counts)| counts.n_failed > 0) {
        exit::FAILED
    } else if any(HostStatus::Unreachable) {
        exit::UNREACHABLE
    } else if has_invalid_host {
        exit::INVALID
    } else {
        exit::OK
    }
}

/// What a run prints.
pub struct Printed<'a> {
    /// Its manifest.
    pub manifest: &'a RunManifest,
    /// Its directory.
    pub run_dir: &'a Path,
    /// What the directory holds.
    pub data: Option<&'a RunData>,
    /// First page of its report.
    pub report: Option<&'a Path>,
    /// What to say before anything else: hosts most of whose figures were disturbed.
    pub warning: Option<&'a Message>,
    /// Hosts in fleet order.
    pub results: &'a [HostResult],
    /// Exit code.
    pub code: u8,
}

impl Printed<'_> {
    /// Prints a table, or one JSON document.
    pub fn print(&self, global: &Global) {
        match global.format {
            Format::Json => println!("{:#}", self.document()),
            Format::Text => self.print_text(),
        }
    }

    fn left_out(&self, host: &str) -> Option<&LeftOut> {
        let hosts = &self.data?.hosts;
        let host = hosts.iter().find(|data| data.record.host == host)?;
        host.left_out.as_ref()
    }

    fn document(&self) -> serde_json::Value {
        let host = |(record, counts): &HostResult| {
            let left_out = self.left_out(&record.host);
            let left_out: Vec<String> = (left_out.iter())
                .flat_map(|left_out| &left_out.units)
                .map(LeftOutUnit::name)
                .collect();
            json!({
                "host": record.host,
                "board": record.board,
                "status": record.status.name(),
                "units_ok": counts.n_ok,
                "units_failed": counts.n_failed,
                "units_skipped": counts.n_skipped,
                "left_out": left_out,
                "reason": record.reason,
            })
        };
        json!({
            "run_id": self.manifest.run_id,
            "run_dir": self.run_dir,
            "report": self.report,
            "disturbed": self.warning,
            "plan_hash": self.manifest.plan_hash,
            "shard": self.manifest.shard,
            "exit_code": self.code,
            "hosts": self.results.iter().map(host).collect::<Vec<_>>(),
        })
    }

    fn print_text(&self) {
        if let Some(warning) = self.warning {
            println!("{}", said!("disturbed-because", reason = warning));
        }
        let mut table = out::table(&[
            said!("host"),
            said!("board"),
            said!("status"),
            said!("status-ok"),
            said!("status-failed"),
            said!("status-skipped"),
            said!("run-stage"),
            said!("reason"),
        ]);
        for result in self.results {
            table.add_row(row(result));
        }
        match (self.manifest.shard, self.results.is_empty()) {
            (Some(shard), true) => println!(
                "{}",
                said!(
                    "run-empty-shard",
                    n = self.manifest.planned_hosts.len(),
                    shard = format!("{}/{}", shard.index, shard.n_shards),
                )
            ),
            _ => println!("{table}"),
        }
        for (record, _) in self.results {
            if let Some(left_out) = self.left_out(&record.host) {
                let units: Vec<String> = left_out.units.iter().map(left_out_name).collect();
                println!(
                    "{}",
                    said!(
                        "run-left-out",
                        host = &record.host,
                        n = units.len(),
                        budget = left_out.budget_s,
                        units = units.join(", "),
                    )
                );
            }
        }
        if let Some(report) = self.report {
            let path = report.display().to_string();
            println!("{}", said!("run-report", path = path));
        }
    }
}

fn row((record, counts): &HostResult) -> [String; 8] {
    let count = |n: u32| text().figure(Figure::Integer(f64::from(n)));
    let stage = record.stage.map(status::of_stage);
    [
        record.host.clone(),
        record.board.clone().unwrap_or_else(|| "-".to_string()),
        text().say(&status::of_host(record.status)),
        count(counts.n_ok),
        count(counts.n_failed),
        count(counts.n_skipped),
        stage.map_or_else(String::new, |stage| text().say(&stage)),
        record.reason.clone().unwrap_or_default(),
    ]
}
