//! A measured unit with what it is held against, and whether it may be believed.

use std::ops::Deref;

use bench_protocol::{Check, Residency};

use super::asked::UnitKind;
use super::unit::Measured;
use super::{BestRead, Theory};
use crate::limits::BoundKind;
use crate::stats::Summary;
use crate::validity::verdict::{self, Evidence, Verdict};
use bench_locales::{Message, message};
use bench_run_dir::{ExternalOutput, HostData};

/// One unit of one host with everything that follows from it. What was measured is read through it.
#[derive(Debug, Clone)]
pub struct Judged {
    measured: Measured,
    /// What it is held against, and the limit that its kernel sets.
    pub limits: Limits,
    /// Measured rate over the bound; never clipped.
    pub efficiency: Option<f64>,
    /// Whether it may be believed.
    pub verdict: Verdict,
    /// Why not.
    pub reason: Option<Message>,
}

impl Deref for Judged {
    type Target = Measured;

    fn deref(&self) -> &Measured {
        &self.measured
    }
}

/// What a unit is held against.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// Bytes per second.
    pub bound: Option<UnitBound>,
    /// Operations per second, for units that compute.
    pub compute_bound: Option<ComputeBound>,
    /// GB/s at which the same cores eat the same weights from their caches: the limit the kernel itself sets.
    pub kernel_gb_per_s: Option<f64>,
}

/// What a measured rate is held against.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitBound {
    /// What sort of bound it is.
    pub kind: BoundKind,
    /// GB/s (10^9 bytes per second).
    pub gb_per_s: f64,
    /// Name for people.
    pub name: Message,
}

/// A measured peak of arithmetic that a unit is held against.
#[derive(Debug, Clone, PartialEq)]
pub struct ComputeBound {
    /// 10^9 operations per second.
    pub gop_per_s: f64,
    /// Name for people.
    pub name: Message,
}

/// The check of an external program is its exit status.
const LEFT_TO_THE_PROGRAM: Check = Check {
    passed: true,
    max_error: 0.0,
    tolerance: 0.0,
};

impl Judged {
    /// Holds a unit against its limits.
    pub(super) fn of(measured: Measured, limits: Limits, host: &HostData) -> Judged {
        let by_memory = || Some(measured.gb_per_s? / limits.bound.as_ref()?.gb_per_s);
        let by_arithmetic = || Some(measured.gop_per_s? / limits.compute_bound.as_ref()?.gop_per_s);
        let efficiency = by_arithmetic().or_else(by_memory);
        // Of an external program nothing is known but how it ended, and what the board did meanwhile.
        let is_done = (measured.output.as_ref()).is_some_and(ExternalOutput::is_complete);
        let (verdict, reason) = verdict::judge(&Evidence {
            status: measured.status,
            end_reason: measured.end_reason.as_deref(),
            n_samples: measured.used_samples().count().max(usize::from(is_done)),
            impossible: measured.impossible.as_ref(),
            check: measured.check.or(is_done.then_some(LEFT_TO_THE_PROGRAM)),
            emulated: measured.emulated,
            efficiency,
            bound: match limits.compute_bound {
                Some(_) => Some(BoundKind::MeasuredPeak),
                None => limits.bound.as_ref().map(|bound| bound.kind),
            },
            spread: measured.summary.as_ref().map(Summary::spread),
            rounds_apart: measured
                .summary
                .as_ref()
                .map(|summary| summary.rounds_apart),
            n_threads: measured.cpus.len(),
            working_set_bytes: measured.working_set_bytes,
            residency: measured.residency,
            facts: host.facts.as_ref(),
            disturbances: &measured.disturbances,
        });
        Judged {
            measured,
            limits,
            efficiency,
            verdict,
            reason,
        }
    }

    /// Holds a unit against theory alone.
    pub(super) fn by_theory(
        measured: Measured,
        theory: Option<&Theory>,
        host: &HostData,
    ) -> Judged {
        let moves_bytes = measured.kind != UnitKind::Latency && !measured.kind.is_batched();
        let from_memory =
            measured.residency == Some(Residency::Dram) && moves_bytes && !measured.emulated;
        let bound = theory.filter(|_| from_memory).map(|theory| UnitBound {
            kind: BoundKind::Theory,
            gb_per_s: theory.gb_per_s,
            name: message!("bound-theory"),
        });
        let limits = Limits {
            bound,
            ..Limits::default()
        };
        Judged::of(measured, limits, host)
    }

    /// Holds it against what the memory and the cores of its own host really gave, too. What already contradicts theory
    /// stays invalid for that, and without a usable read theory stays the bound.
    pub(super) fn by_host(
        self,
        read: Option<&BestRead>,
        compute_bound: Option<ComputeBound>,
        kernel_gb_per_s: Option<f64>,
        host: &HostData,
    ) -> Judged {
        let beyond_theory = self.verdict == Verdict::Invalid
            && (self.efficiency).is_some_and(|ratio| ratio > verdict::MAX_EFFICIENCY);
        let is_held = matches!(self.kind, UnitKind::Gemv | UnitKind::Decode)
            && self.residency != Some(Residency::Cache)
            && !self.emulated
            && !beyond_theory;
        let read = read.filter(|_| is_held).map(|read| UnitBound {
            kind: BoundKind::MeasuredRead,
            gb_per_s: read.gb_per_s,
            name: message!("bound-best-read", unit = &read.unit),
        });
        let limits = Limits {
            bound: read.or(self.limits.bound),
            compute_bound,
            kernel_gb_per_s,
        };
        Judged::of(self.measured, limits, host)
    }
}
