//! Which processor computed a row.
//!
//! `backends` names what the program was built with; builds before that field, and ik_llama.cpp, have one boolean for
//! each. Layers on a graphics processor, and its devices, may be none of them.
//!
//! Source: `cmd_params`, `test::get_backend` and `get_gpu_info` of `llama-bench.cpp`, old and new.

use super::fields::Fields;

/// Booleans of builds before `backends`, and the names that field has for them.
const BOOLEANS: [(&str, &str); 8] = [
    ("cuda", "CUDA"),
    ("hip", "HIP"),
    ("metal", "Metal"),
    ("vulkan", "Vulkan"),
    ("kompute", "Kompute"),
    ("sycl", "SYCL"),
    ("opencl", "OpenCL"),
    ("blas", "BLAS"),
];

/// Backends that compute on the processor's cores. RPC names what a build can do, not that another machine took part.
const OF_CPU: [&str; 6] = ["CPU", "BLAS", "RPC", "AMX", "ZenDNN", "Accelerate"];

/// Shortest prompt that a build for a graphics processor computes there although no layer of the model lies in its
/// memory: `GGML_OP_OFFLOAD_MIN_BATCH` of ggml.
const MIN_OFFLOADED_PROMPT: u64 = 32;

/// What computed, as the row names it.
pub(super) fn backends(fields: &Fields) -> Option<String> {
    if let Some(named) = fields.text("backends").filter(|named| !named.is_empty()) {
        return Some(named);
    }
    let is_known = |(name, _): &(&str, &str)| fields.row.contains_key(*name);
    if !BOOLEANS.iter().any(is_known) {
        return None;
    }
    let mut named: Vec<&str> = (BOOLEANS.iter())
        .filter(|(name, _)| fields.is_true(name))
        .map(|(_, backend)| *backend)
        .collect();
    if named.is_empty() {
        named.push(match fields.is_true("gpu_blas") {
            true => "GPU BLAS",
            false => "CPU",
        });
    }
    Some(named.join(","))
}

/// Whether a graphics processor took part in a test with a prompt of so many tokens.
pub(super) fn uses_gpu(fields: &Fields, n_prompt: u64) -> bool {
    let is_of_gpu = |name: &str| !OF_CPU.iter().any(|of_cpu| name.starts_with(of_cpu));
    let is_built_for_gpu = backends(fields).is_some_and(|named| {
        named
            .split([',', '+', '/'])
            .map(str::trim)
            .any(|name| !name.is_empty() && is_of_gpu(name))
    });
    let is_named = fields.text("gpu_info").is_some_and(|it| !it.is_empty());
    let has_no_device = fields
        .text("devices")
        .is_some_and(|it| it.eq_ignore_ascii_case("none"));
    if has_no_device || !(is_built_for_gpu || is_named) {
        return false;
    }
    let has_no_layers = fields.float("n_gpu_layers") == Some(0.0);
    let is_offloaded = n_prompt >= MIN_OFFLOADED_PROMPT && !fields.is_true("no_op_offload");
    !has_no_layers || is_offloaded
}
