//! Events of a run as JSON lines (`run --events`), so that dashboards and scripts can follow it.
//!
//! Every line has `seconds` since the start, `time` (RFC 3339, UTC) and `event`. Nothing depends on these lines: what
//! they tell is in the run directory too.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use bench_protocol::{Message, UnitStatus};
use bench_run_dir::{HostStatus, Shard};
use jiff::Timestamp;
use serde::Serialize;

use crate::exit::ExitError;
use bench_run_dir::UnitCounts;

/// What happened.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// The programs are built and the run directory is there.
    RunStarted {
        /// Name of the run.
        run_id: &'a str,
        /// Its directory.
        run_dir: &'a Path,
        /// Hash of its plan.
        plan_hash: Option<&'a str>,
        /// Which part of the plan it measures.
        shard: Option<Shard>,
        /// Its hosts.
        hosts: &'a [String],
    },
    /// A host has gone through a stage.
    HostStage {
        /// The host.
        host: &'a str,
        /// The stage: `connect`, `probe`, `deploy`, `facts`, `measure`.
        stage: &'a str,
        /// Seconds it took.
        stage_s: f64,
    },
    /// A unit is set up and checked; its samples follow.
    UnitReady {
        /// The host.
        host: &'a str,
        /// The unit.
        unit: &'a str,
        /// The variant that runs.
        variant: &'a str,
        /// The shape of its loops, where the kernel has several.
        #[serde(skip_serializing_if = "Option::is_none")]
        shape: Option<&'a str>,
    },
    /// A unit ended.
    UnitEnd {
        /// The host.
        host: &'a str,
        /// The unit.
        unit: &'a str,
        /// How.
        status: UnitStatus,
        /// Why, unless it is ok.
        reason: Option<&'a str>,
    },
    /// A host ended.
    HostFinished {
        /// The host.
        host: &'a str,
        /// How.
        status: HostStatus,
        /// Units with all samples.
        units_ok: u32,
        /// Units that failed or are missing.
        units_failed: u32,
        /// Units that this host cannot run.
        units_skipped: u32,
        /// Cause, unless all is well.
        reason: Option<&'a str>,
    },
    /// The run ended; its report is written if it can be.
    RunFinished {
        /// Exit code of the controller.
        exit_code: u8,
        /// First page of the report.
        report: Option<&'a Path>,
    },
}

/// Where the events of a run go.
pub struct Events {
    sink: Option<Mutex<Box<dyn Write + Send>>>,
    are_on_stderr: bool,
    started: Instant,
}

impl Events {
    /// Opens the file, or standard error for `-`; without a target events go nowhere.
    ///
    /// # Errors
    /// With exit code 2 when the file cannot be made.
    pub fn open(target: Option<&Path>) -> anyhow::Result<Events> {
        let sink: Option<Box<dyn Write + Send>> = match target {
            None => None,
            Some(path) if path.as_os_str() == "-" => Some(Box::new(std::io::stderr())),
            Some(path) => {
                let file = File::create(path).map_err(|error| {
                    ExitError::usage(format!(
                        "events cannot be written to `{}`: {error}; name another file",
                        path.display()
                    ))
                })?;
                Some(Box::new(file))
            }
        };
        Ok(Events {
            sink: sink.map(Mutex::new),
            are_on_stderr: target.is_some_and(|path| path.as_os_str() == "-"),
            started: Instant::now(),
        })
    }

    /// Whether other lines on standard error would stand between them.
    pub fn are_on_stderr(&self) -> bool {
        self.are_on_stderr
    }

    /// Writes one line. A full disk or a reader that went away costs the line and nothing else.
    pub fn emit(&self, event: &Event) {
        let Some(sink) = &self.sink else {
            return;
        };
        let Ok(mut line) = serde_json::to_value(event) else {
            return;
        };
        let seconds = (self.started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        let time = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        line["seconds"] = seconds.into();
        line["time"] = time.into();
        let line = format!("{line}\n");
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        // One system call for a line: all hosts wait for the lock.
        let _ = sink.write_all(line.as_bytes());
    }

    /// Writes what a host's stream says about a unit; other messages are no events.
    pub fn message(&self, host: &str, message: &Message) {
        match message {
            Message::UnitReady(ready) => self.emit(&Event::UnitReady {
                host,
                unit: &ready.unit,
                variant: &ready.variant,
                shape: ready.shape.as_deref(),
            }),
            Message::UnitEnd(end) => self.emit(&Event::UnitEnd {
                host,
                unit: &end.unit,
                status: end.status,
                reason: end.reason.as_deref(),
            }),
            _ => {}
        }
    }

    /// Writes that a host ended.
    pub fn host_finished(&self, record: &bench_run_dir::HostRecord, counts: &UnitCounts) {
        self.emit(&Event::HostFinished {
            host: &record.host,
            status: record.status,
            units_ok: counts.n_ok,
            units_failed: counts.n_failed,
            units_skipped: counts.n_skipped,
            reason: record.reason.as_deref(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_an_object_with_its_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let events = Events::open(Some(file.path())).unwrap();
        events.emit(&Event::HostStage {
            host: "a\nb",
            stage: "connect",
            stage_s: 0.5,
        });
        events.emit(&Event::RunFinished {
            exit_code: 0,
            report: None,
        });
        let text = std::fs::read_to_string(file.path()).unwrap();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["event"], "host_stage");
        assert_eq!(lines[0]["host"], "a\nb");
        assert_eq!(lines[1]["event"], "run_finished");
        for line in lines {
            assert!(
                line["seconds"].is_number() && line["time"].is_string(),
                "{line}"
            );
        }
    }
}
