//! The kernels: their table, and what one has to provide to be measured.

pub mod batch;
mod chunks;
mod decode;
mod gemm;
mod gemv;
mod latency;
mod peak;
mod prefill;
mod stream;
pub mod weights;

use bench_protocol::{Check, Convention, Job, ModelRef, Residency, UnitSpec, Work};

use self::weights::Format;
use crate::pool::Pool;
use crate::simd::peak::Arithmetic;
use crate::simd::{self, Isa, Operation};

/// A kernel's row in the table.
pub struct KernelInfo {
    /// Stable name.
    pub name: &'static str,
    /// One sentence for people.
    pub summary: &'static str,
    prepare: fn(&UnitSpec, &Pool, &'static Isa) -> Prepared,
}

/// A kernel that is ready to be checked and timed, or why there is none.
pub type Prepared = Result<Box<dyn Kernel>, NotReady>;

/// Every kernel there is.
pub const TABLE: &[KernelInfo] = &[
    KernelInfo {
        name: "read",
        summary: "sum of an array of 64-bit words",
        prepare: |unit, pool, isa| stream::prepare(Operation::Read, unit, pool, isa),
    },
    KernelInfo {
        name: "write",
        summary: "fill an array (STREAM-style)",
        prepare: |unit, pool, isa| stream::prepare(Operation::Write, unit, pool, isa),
    },
    KernelInfo {
        name: "copy",
        summary: "b[i] = a[i] (STREAM-style)",
        prepare: |unit, pool, isa| stream::prepare(Operation::Copy, unit, pool, isa),
    },
    KernelInfo {
        name: "scale",
        summary: "b[i] = s * a[i] (STREAM-style)",
        prepare: |unit, pool, isa| stream::prepare(Operation::Scale, unit, pool, isa),
    },
    KernelInfo {
        name: "add",
        summary: "c[i] = a[i] + b[i] (STREAM-style)",
        prepare: |unit, pool, isa| stream::prepare(Operation::Add, unit, pool, isa),
    },
    KernelInfo {
        name: "triad",
        summary: "a[i] = b[i] + s * c[i] (STREAM-style)",
        prepare: |unit, pool, isa| stream::prepare(Operation::Triad, unit, pool, isa),
    },
    KernelInfo {
        name: "write_nt",
        summary: "write with stores that bypass the caches",
        prepare: |unit, pool, isa| stream::prepare(Operation::WriteNt, unit, pool, isa),
    },
    KernelInfo {
        name: "copy_nt",
        summary: "copy with stores that bypass the caches",
        prepare: |unit, pool, isa| stream::prepare(Operation::CopyNt, unit, pool, isa),
    },
    KernelInfo {
        name: "triad_nt",
        summary: "triad with stores that bypass the caches",
        prepare: |unit, pool, isa| stream::prepare(Operation::TriadNt, unit, pool, isa),
    },
    KernelInfo {
        name: "latency",
        summary: "loads in random order, each of which needs the one before it",
        prepare: |unit, pool, _| latency::prepare(unit, pool),
    },
    KernelInfo {
        name: "gemv_f16",
        summary: "matrix in half precision times vector",
        prepare: |unit, pool, isa| gemv::prepare(Format::F16, unit, pool, isa),
    },
    KernelInfo {
        name: "gemv_q4_0",
        summary: "matrix in Q4_0 times vector",
        prepare: |unit, pool, isa| gemv::prepare(Format::Q4_0, unit, pool, isa),
    },
    KernelInfo {
        name: "gemv_q5_0",
        summary: "matrix in Q5_0 times vector",
        prepare: |unit, pool, isa| gemv::prepare(Format::Q5_0, unit, pool, isa),
    },
    KernelInfo {
        name: "gemv_q8_0",
        summary: "matrix in Q8_0 times vector",
        prepare: |unit, pool, isa| gemv::prepare(Format::Q8_0, unit, pool, isa),
    },
    KernelInfo {
        name: "gemv_iq4_nl",
        summary: "matrix in IQ4_NL times vector",
        prepare: |unit, pool, isa| gemv::prepare(Format::Iq4Nl, unit, pool, isa),
    },
    KernelInfo {
        name: "gemv_q2_k",
        summary: "matrix in Q2_K times vector",
        prepare: |unit, pool, isa| gemv::prepare(Format::Q2K, unit, pool, isa),
    },
    KernelInfo {
        name: "gemv_q3_k",
        summary: "matrix in Q3_K times vector",
        prepare: |unit, pool, isa| gemv::prepare(Format::Q3K, unit, pool, isa),
    },
    KernelInfo {
        name: "gemv_q4_k",
        summary: "matrix in Q4_K times vector",
        prepare: |unit, pool, isa| gemv::prepare(Format::Q4K, unit, pool, isa),
    },
    KernelInfo {
        name: "gemv_q5_k",
        summary: "matrix in Q5_K times vector",
        prepare: |unit, pool, isa| gemv::prepare(Format::Q5K, unit, pool, isa),
    },
    KernelInfo {
        name: "gemv_q6_k",
        summary: "matrix in Q6_K times vector",
        prepare: |unit, pool, isa| gemv::prepare(Format::Q6K, unit, pool, isa),
    },
    KernelInfo {
        name: "gemm_f16",
        summary: "matrix in half precision times a batch of vectors",
        prepare: |unit, pool, isa| gemm::prepare(Format::F16, unit, pool, isa),
    },
    KernelInfo {
        name: "gemm_q4_0",
        summary: "matrix in Q4_0 times a batch of vectors",
        prepare: |unit, pool, isa| gemm::prepare(Format::Q4_0, unit, pool, isa),
    },
    KernelInfo {
        name: "gemm_q5_0",
        summary: "matrix in Q5_0 times a batch of vectors",
        prepare: |unit, pool, isa| gemm::prepare(Format::Q5_0, unit, pool, isa),
    },
    KernelInfo {
        name: "gemm_q8_0",
        summary: "matrix in Q8_0 times a batch of vectors",
        prepare: |unit, pool, isa| gemm::prepare(Format::Q8_0, unit, pool, isa),
    },
    KernelInfo {
        name: "gemm_iq4_nl",
        summary: "matrix in IQ4_NL times a batch of vectors",
        prepare: |unit, pool, isa| gemm::prepare(Format::Iq4Nl, unit, pool, isa),
    },
    KernelInfo {
        name: "gemm_q2_k",
        summary: "matrix in Q2_K times a batch of vectors",
        prepare: |unit, pool, isa| gemm::prepare(Format::Q2K, unit, pool, isa),
    },
    KernelInfo {
        name: "gemm_q3_k",
        summary: "matrix in Q3_K times a batch of vectors",
        prepare: |unit, pool, isa| gemm::prepare(Format::Q3K, unit, pool, isa),
    },
    KernelInfo {
        name: "gemm_q4_k",
        summary: "matrix in Q4_K times a batch of vectors",
        prepare: |unit, pool, isa| gemm::prepare(Format::Q4K, unit, pool, isa),
    },
    KernelInfo {
        name: "gemm_q5_k",
        summary: "matrix in Q5_K times a batch of vectors",
        prepare: |unit, pool, isa| gemm::prepare(Format::Q5K, unit, pool, isa),
    },
    KernelInfo {
        name: "gemm_q6_k",
        summary: "matrix in Q6_K times a batch of vectors",
        prepare: |unit, pool, isa| gemm::prepare(Format::Q6K, unit, pool, isa),
    },
    KernelInfo {
        name: "decode",
        summary: "one token step over a model's tensor list",
        prepare: decode::prepare,
    },
    KernelInfo {
        name: "peak_f32",
        summary: "multiply-adds in single precision, registers only",
        prepare: |unit, pool, isa| peak::prepare(Arithmetic::F32, unit, pool, isa),
    },
    KernelInfo {
        name: "peak_f16",
        summary: "multiply-adds in half precision, registers only",
        prepare: |unit, pool, isa| peak::prepare(Arithmetic::F16, unit, pool, isa),
    },
    KernelInfo {
        name: "peak_int8",
        summary: "products of bytes added in 32 bits, registers only",
        prepare: |unit, pool, isa| peak::prepare(Arithmetic::Int8, unit, pool, isa),
    },
    KernelInfo {
        name: "prefill",
        summary: "a prompt over a model's tensor list in one batch",
        prepare: prefill::prepare,
    },
];

/// Something that a kernel can do in several shapes of its loops.
#[derive(Debug)]
pub struct Choice {
    /// What it is about, as one of several choices: a format of weights. Empty for the only one.
    pub about: &'static str,
    /// Names of the shapes, the usual one first.
    pub names: Vec<String>,
    /// The shape that runs.
    pub taken_idx: usize,
}

impl Choice {
    /// Name of a shape among those of all choices: `q6_k.near`.
    pub fn name(&self, shape_idx: usize) -> String {
        match self.about {
            "" => self.names[shape_idx].clone(),
            about => format!("{about}.{}", self.names[shape_idx]),
        }
    }
}

/// A kernel that is set up: memory touched by the threads that read it, outputs comparable with the reference.
pub trait Kernel {
    /// What one iteration is.
    fn shape(&self) -> Shape;

    /// Runs once and compares the output with the reference.
    ///
    /// # Errors
    /// When there is no memory for the reference: that says nothing about the output.
    fn check(&mut self, pool: &Pool) -> Result<Check, NotReady>;

    /// Runs `iterations` times; this is what is timed.
    fn iterate(&mut self, pool: &Pool, iterations: u64);

    /// What it can do in several shapes; empty where there is nothing to choose.
    fn choices(&self) -> Vec<Choice> {
        Vec::new()
    }

    /// Takes that shape for one of the [`Kernel::choices`] from now on.
    fn take_shape(&mut self, _choice_idx: usize, _shape_idx: usize) {}

    /// Runs `n` slices of what one of the choices is about, beginning with slice `first`, counted round and round; returns
    /// the bytes they moved, or operations where the kernel moves none.
    ///
    /// Slices are parts of an iteration, so that a trial of a shape need not be a whole one and yet finds nothing in a
    /// cache that an iteration would not.
    fn run_slices(&mut self, _choice_idx: usize, pool: &Pool, _first: usize, n: usize) -> u64 {
        self.iterate(pool, n as u64);
        let work = self.shape().work;
        let amount = match work.read_bytes + work.written_bytes {
            0 => work.ops,
            bytes => bytes,
        };
        amount * n as u64
    }

    /// Removes the next slices from caches in which an iteration would not find them. It is not timed.
    fn forget_slices(&mut self, _choice_idx: usize, _pool: &Pool) {}

    /// Whether the last [`Kernel::iterate`] still computed the right thing, as far as that can be told at no cost.
    fn is_still_right(&self) -> bool {
        true
    }
}

/// What one iteration of a prepared kernel is.
pub struct Shape {
    /// Bytes walked through.
    pub working_set_bytes: u64,
    /// Where they are meant to live.
    pub residency: Residency,
    /// Work of one iteration.
    pub work: Work,
    /// How its bytes are counted.
    pub convention: Convention,
    /// Bytes backed by huge pages, where the kernel tells.
    pub huge_page_bytes: Option<u64>,
    /// The model, for decode.
    pub model: Option<ModelRef>,
}

/// Why a unit cannot be measured.
#[derive(Debug)]
pub enum NotReady {
    /// Not possible on this board; no fault.
    Skipped(String),
    /// Something went wrong.
    Failed(String),
}

/// Sets up the kernel of a unit.
///
/// # Errors
/// When the kernel is unknown, its job has another shape, the board has too little memory, or a format has no kernel.
pub fn prepare(unit: &UnitSpec, pool: &Pool, isa: &'static Isa) -> Prepared {
    let info = TABLE
        .iter()
        .find(|info| info.name == unit.kernel)
        .ok_or_else(|| {
            let names: Vec<&str> = TABLE.iter().map(|info| info.name).collect();
            NotReady::Failed(format!(
                "there is no kernel `{}`; there are {}",
                unit.kernel,
                names.join(", ")
            ))
        })?;
    (info.prepare)(unit, pool, isa)
}

/// The table and this CPU's variants as one JSON document.
pub fn list_json() -> serde_json::Value {
    let kernels: Vec<_> = TABLE
        .iter()
        .map(|info| serde_json::json!({ "kernel": info.name, "summary": info.summary }))
        .collect();
    let variants: Vec<_> = simd::variants()
        .into_iter()
        .map(|(name, isa)| serde_json::json!({ "variant": name, "available": isa.is_ok(), "reason": isa.err().map(|missing| missing.reason) }))
        .collect();
    serde_json::json!({ "kernels": kernels, "variants": variants })
}

/// Refuses a working set that would not leave the board a fifth of its available memory: the out-of-memory killer
/// takes more than this unit.
pub fn require_memory(needed_bytes: u64) -> Result<(), NotReady> {
    let Some(available_bytes) = crate::facts::available_memory_bytes() else {
        return Ok(());
    };
    if needed_bytes <= available_bytes / 5 * 4 {
        return Ok(());
    }
    Err(NotReady::Skipped(format!(
        "needs {:.2} GB of RAM, and only four fifths of the {:.2} GB available may be used",
        needed_bytes as f64 / 1e9,
        available_bytes as f64 / 1e9
    )))
}

fn wrong_job(unit: &UnitSpec) -> NotReady {
    let job = match unit.job {
        Job::Stream { .. } => "stream",
        Job::Gemv { .. } => "gemv",
        Job::Latency { .. } => "latency",
        Job::Peak {} => "peak",
        Job::Gemm { .. } => "gemm",
        Job::Decode { .. } => "decode",
        Job::Prefill { .. } => "prefill",
        Job::External(_) => "external",
    };
    NotReady::Failed(format!("kernel `{}` cannot do a `{job}` job", unit.kernel))
}

fn out_of_memory(error: std::io::Error) -> NotReady {
    NotReady::Failed(format!("cannot allocate the working set: {error}"))
}

/// The largest difference relative to the largest reference value.
///
/// Every variant is bit-identical to the reference by construction, so nothing above zero is tolerated.
fn compare(output: &[f32], reference: &[f32]) -> Check {
    let largest = reference
        .iter()
        .fold(0.0f64, |a, b| a.max(f64::from(b.abs())));
    let difference = output
        .iter()
        .zip(reference)
        .map(|(a, b)| {
            if a.to_bits() == b.to_bits() {
                0.0
            } else {
                f64::from((a - b).abs())
            }
        })
        .fold(0.0f64, f64::max);
    let finite =
        output.iter().all(|value| value.is_finite()) && largest.is_finite() && largest > 0.0;
    let max_error = if largest > 0.0 {
        difference / largest
    } else {
        difference
    };
    Check {
        passed: finite && output.len() == reference.len() && max_error == 0.0,
        max_error,
        tolerance: 0.0,
    }
}
