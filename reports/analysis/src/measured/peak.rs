//! Batched products against the highest rate of arithmetic that the same cores reach.

use bench_inventory::saturating_sum;

use bench_locales::message;

use super::asked::UnitKind;
use super::judged::{ComputeBound, Judged};
use super::unit::Measured;

/// Formats whose products are done in floating point; all others multiply whole numbers.
const FLOATING: [&str; 2] = ["f16", "f32"];

/// The measured peaks of a host.
pub(super) struct Peaks(Vec<Peak>);

struct Peak {
    unit: String,
    is_floating: bool,
    n_threads: usize,
    gop_per_s: f64,
}

impl Peaks {
    pub(super) fn of(units: &[Judged]) -> Peaks {
        let usable = units
            .iter()
            .filter(|unit| unit.kind == UnitKind::Peak && unit.verdict.is_usable());
        let peak = |unit: &Judged| {
            Some(Peak {
                unit: unit.unit.clone(),
                is_floating: unit.kernel != "peak_int8",
                n_threads: unit.cpus.len(),
                gop_per_s: unit.gop_per_s?,
            })
        };
        Peaks(usable.filter_map(peak).collect())
    }

    /// The highest of as many threads, for batched units.
    pub(super) fn of_unit(&self, unit: &Measured) -> Option<ComputeBound> {
        if !unit.kind.is_batched() || unit.emulated {
            return None;
        }
        let is_floating = is_floating(unit);
        let alike = (self.0.iter())
            .filter(|peak| peak.n_threads == unit.cpus.len() && peak.is_floating == is_floating);
        let best = alike.max_by(|a, b| a.gop_per_s.total_cmp(&b.gop_per_s))?;
        Some(ComputeBound {
            gop_per_s: best.gop_per_s,
            name: message!("bound-peak", unit = &best.unit),
        })
    }
}

/// Whether most of a unit's weights are multiplied in floating point.
fn is_floating(unit: &Measured) -> bool {
    if let Some(format) = unit.kernel.strip_prefix("gemm_") {
        return FLOATING.contains(&format);
    }
    let is_float = |format: &&String| FLOATING.contains(&format.as_str());
    let bytes = |wanted: bool| {
        let formats = unit.weight_bytes.iter();
        let formats = formats.filter(|(format, _)| is_float(format) == wanted);
        saturating_sum(formats.map(|(_, bytes)| *bytes))
    };
    bytes(true) > bytes(false)
}
