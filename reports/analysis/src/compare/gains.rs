//! What preparing a board bought: the comparison of a run with itself.

use bench_run_dir::RunManifest;

use super::{Pair, before_after};
use crate::measured::HostAnalysis;

impl HostAnalysis<'_> {
    /// What preparing the board bought, for every unit that was measured before and after it, the largest gain or loss
    /// first; none on emulated hosts.
    pub fn gains(&self) -> Vec<Pair> {
        // Both states are of one run, so nothing of its manifest differs.
        let comparison = before_after(&RunManifest::default(), self);
        comparison.map_or_else(Vec::new, |comparison| comparison.pairs)
    }
}
