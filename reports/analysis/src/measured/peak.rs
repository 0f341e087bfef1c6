//! Batched products against the highest rate of arithmetic that the same cores reach.

use bench_inventory::saturating_sum;

use bench_locales::message;

use super::asked::UnitKind;
use super::unit::{ComputeBound, UnitRow};
use bench_run_dir::HostData;

/// Formats whose products are done in floating point; all others multiply whole numbers.
const FLOATING: [&str; 2] = ["f16", "f32"];

/// Gives every batched unit the measured peak of as many threads as its bound, and judges it anew.
pub(super) fn judge(units: &mut [UnitRow], data: &HostData) {
    let peaks: Vec<(String, String, usize, f64)> = (units.iter())
        .filter(|unit| unit.kind == UnitKind::Peak && unit.verdict.is_usable())
        .filter_map(|unit| {
            let kernel = unit.kernel.clone();
            Some((kernel, unit.unit.clone(), unit.cpus.len(), unit.gop_per_s?))
        })
        .collect();
    for unit in units
        .iter_mut()
        .filter(|unit| unit.kind.is_batched() && !unit.emulated)
    {
        let floats = is_floating(unit);
        unit.compute_bound = (peaks.iter())
            .filter(|(kernel, _, n_threads, _)| {
                *n_threads == unit.cpus.len() && (kernel != "peak_int8") == floats
            })
            .max_by(|a, b| a.3.total_cmp(&b.3))
            .map(|(_, name, _, gop_per_s)| ComputeBound {
                gop_per_s: *gop_per_s,
                name: message!("bound-peak", unit = name),
            });
        super::judge(unit, data);
    }
}

/// Whether most of a unit's weights are multiplied in floating point.
fn is_floating(unit: &UnitRow) -> bool {
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
