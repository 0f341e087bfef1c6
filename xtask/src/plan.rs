//! From a suite and a board's facts to the units that are measured there.

use bench_inventory::{Inventory, Suite, SuiteUnit, SuiteWork, ThreadCount};
use bench_protocol::{
    CpuFacts, Facts, Job, KvFormat, PROTOCOL_VERSION, Pages, Residency, RunRequest, Sampling,
    UnitSpec,
};

/// A working set in DRAM, all arrays together, is at least this many times the last-level caches together: a cache that
/// keeps what it can still misses on three quarters of it.
const CACHES_PER_WORKING_SET: u64 = 4;

/// The smallest working set that counts as DRAM, for boards that do not tell their caches.
const MIN_DRAM_BYTES: u64 = 128 << 20;

/// A working set in DRAM never takes more than this share of the available memory.
const MAX_SHARE_OF_MEMORY: u64 = 4;

/// Working set per thread that stays in the private caches of every board of the catalogue.
const CACHE_BYTES_PER_THREAD: u64 = 16 << 10;

/// Time beyond the units' own deadlines: set-up of the program and the last message.
const REQUEST_SLACK_MS: u64 = 30_000;

/// What to measure on a board.
pub fn request(
    run_id: &str,
    suite: &Suite,
    inventory: &Inventory,
    facts: &Facts,
    emulated: bool,
) -> RunRequest {
    let mut units = Vec::new();
    for suite_unit in &suite.units {
        for n_threads in thread_counts(suite_unit, facts.cpus.len()) {
            for (suffix, job) in jobs(suite_unit, suite, inventory, facts, emulated, n_threads) {
                let unit = UnitSpec {
                    unit: format!("{}/{suffix}/t{n_threads}", suite_unit.kernel),
                    kernel: suite_unit.kernel.clone(),
                    variant: None,
                    cpus: pick_cpus(&facts.cpus, n_threads),
                    candidates: Vec::new(),
                    job,
                    background: None,
                    sampling: if emulated {
                        suite.emulated.sampling
                    } else {
                        suite_unit.sampling
                    },
                    deadline_ms: u64::from(suite_unit.deadline_s) * 1000,
                };
                if !units.iter().any(|other: &UnitSpec| other.unit == unit.unit) {
                    units.push(unit);
                }
            }
        }
    }
    let deadline_ms = units.iter().map(|unit| unit.deadline_ms).sum::<u64>() + REQUEST_SLACK_MS;
    RunRequest {
        protocol: PROTOCOL_VERSION,
        run_id: run_id.to_string(),
        units,
        deadline_ms,
    }
}

/// Seconds of sampling that a request allows: what a plan shows before anything is measured.
pub fn sampling_s(units: &[UnitSpec]) -> f64 {
    units
        .iter()
        .map(|unit| unit.sampling.budget_ms as f64 / 1000.0)
        .sum()
}

/// Facts of a board nobody has asked yet: enough to show a plan.
pub fn assumed_facts(n_cpus: u32) -> Facts {
    Facts {
        cpus: (0..n_cpus)
            .map(|cpu| CpuFacts {
                cpu,
                core_siblings: vec![cpu],
                ..CpuFacts::default()
            })
            .collect(),
        ..Facts::default()
    }
}

fn thread_counts(unit: &SuiteUnit, n_cpus: usize) -> Vec<usize> {
    let mut counts = Vec::new();
    for count in &unit.threads {
        let n_threads = match count {
            ThreadCount::Count(n) => n.get() as usize,
            ThreadCount::Half => (n_cpus / 2).max(1),
            ThreadCount::All => n_cpus,
        };
        if n_threads >= 1 && n_threads <= n_cpus && !counts.contains(&n_threads) {
            counts.push(n_threads);
        }
    }
    counts
}

fn jobs(
    unit: &SuiteUnit,
    suite: &Suite,
    inventory: &Inventory,
    facts: &Facts,
    emulated: bool,
    n_threads: usize,
) -> Vec<(String, Job)> {
    let working_set = |residency: Residency, asked: Option<u64>| match (emulated, residency) {
        (true, _) => suite.emulated.working_set_bytes,
        (false, Residency::Dram | Residency::Sweep) => {
            asked.unwrap_or_else(|| dram_working_set_bytes(facts))
        }
        (false, Residency::Cache) => asked.unwrap_or(CACHE_BYTES_PER_THREAD * n_threads as u64),
    };
    match &unit.work {
        SuiteWork::Stream {
            residency,
            working_set_bytes,
        } => {
            let working_set_bytes = working_set(*residency, *working_set_bytes);
            vec![(
                residency.name().to_string(),
                Job::Stream {
                    working_set_bytes,
                    residency: *residency,
                    pages: Pages::Huge,
                },
            )]
        }
        SuiteWork::Gemv {
            residency,
            rows,
            cols,
            working_set_bytes,
        } => {
            let working_set_bytes = working_set(*residency, *working_set_bytes);
            let job = Job::Gemv {
                rows: *rows,
                cols: *cols,
                working_set_bytes,
                residency: *residency,
            };
            vec![(residency.name().to_string(), job)]
        }
        SuiteWork::Decode {
            model,
            quant,
            depths,
        } => {
            let id = if emulated {
                &suite.emulated.decode_model
            } else {
                model
            };
            // The inventory does not load when a suite names a model that is not there.
            let Some(model) = inventory.models.get(id) else {
                return Vec::new();
            };
            let job = |depth: &u64| {
                let suffix = format!("{id}/{}/d{depth}", quant.id());
                (
                    suffix,
                    Job::Decode {
                        model: model.decode_model(*quant),
                        depth: *depth,
                        n_generate: 1,
                        kv_format: KvFormat::F16,
                    },
                )
            };
            depths.iter().map(job).collect()
        }
    }
}

/// Four times the last-level caches, within what the memory allows.
fn dram_working_set_bytes(facts: &Facts) -> u64 {
    let data_caches = || {
        facts
            .caches
            .iter()
            .filter(|cache| cache.kind != "Instruction")
    };
    let last_level = data_caches().map(|cache| cache.level).max();
    let last_level_bytes: u64 = data_caches()
        .filter(|cache| Some(cache.level) == last_level)
        .map(|cache| cache.size_bytes)
        .sum();
    let wanted = (CACHES_PER_WORKING_SET * last_level_bytes).max(MIN_DRAM_BYTES);
    match facts.memory.available_bytes {
        Some(available) => wanted
            .min(available / MAX_SHARE_OF_MEMORY)
            .next_multiple_of(4096),
        None => wanted,
    }
}

/// The strongest cores first, one hardware thread of each before the second of any.
fn pick_cpus(cpus: &[CpuFacts], n_threads: usize) -> Vec<u32> {
    let sibling_rank = |cpu: &CpuFacts| {
        cpu.core_siblings
            .iter()
            .position(|sibling| *sibling == cpu.cpu)
            .unwrap_or(0)
    };
    let strength = |cpu: &CpuFacts| (cpu.capacity.unwrap_or(0), cpu.max_khz.unwrap_or(0));
    let mut order: Vec<&CpuFacts> = cpus.iter().collect();
    order.sort_by_key(|cpu| (sibling_rank(cpu), std::cmp::Reverse(strength(cpu)), cpu.cpu));
    let mut picked: Vec<u32> = order.iter().take(n_threads).map(|cpu| cpu.cpu).collect();
    picked.sort_unstable();
    picked
}

/// Sampling of a plan line, for people.
pub fn describe_sampling(sampling: Sampling) -> String {
    format!(
        "{} to {} samples, {:.1} s",
        sampling.min_samples,
        sampling.max_samples,
        sampling.budget_ms as f64 / 1000.0
    )
}

#[cfg(test)]
mod tests {
    use bench_protocol::{CacheFacts, MemoryFacts};

    use super::*;

    fn rk3588() -> Vec<CpuFacts> {
        (0..8)
            .map(|cpu| CpuFacts {
                cpu,
                capacity: Some(if cpu < 4 { 530 } else { 1024 }),
                core_siblings: vec![cpu],
                ..CpuFacts::default()
            })
            .collect()
    }

    #[test]
    fn takes_the_strong_cores_first() {
        assert_eq!(pick_cpus(&rk3588(), 1), [4]);
        assert_eq!(pick_cpus(&rk3588(), 4), [4, 5, 6, 7]);
        assert_eq!(pick_cpus(&rk3588(), 5), [0, 4, 5, 6, 7]);
    }

    #[test]
    fn takes_one_hardware_thread_of_each_core_first() {
        let cpus: Vec<CpuFacts> = (0..4)
            .map(|cpu| CpuFacts {
                cpu,
                core_siblings: vec![cpu % 2, cpu % 2 + 2],
                ..CpuFacts::default()
            })
            .collect();
        assert_eq!(pick_cpus(&cpus, 2), [0, 1]);
        assert_eq!(pick_cpus(&cpus, 3), [0, 1, 2]);
    }

    #[test]
    fn sizes_dram_by_the_last_caches_and_the_memory() {
        let cache = |level, size_bytes, shared_cpus| CacheFacts {
            level,
            kind: "Unified".into(),
            size_bytes,
            shared_cpus,
        };
        let facts = |caches, available_bytes| Facts {
            caches,
            memory: MemoryFacts {
                available_bytes,
                ..MemoryFacts::default()
            },
            ..Facts::default()
        };
        let two_slices = vec![
            cache(2, 1 << 20, vec![0]),
            cache(3, 64 << 20, vec![0]),
            cache(3, 64 << 20, vec![1]),
        ];
        assert_eq!(
            dram_working_set_bytes(&facts(two_slices.clone(), Some(16 << 30))),
            512 << 20
        );
        assert_eq!(
            dram_working_set_bytes(&facts(two_slices, Some(1 << 30))),
            256 << 20
        );
        assert_eq!(
            dram_working_set_bytes(&facts(Vec::new(), None)),
            MIN_DRAM_BYTES
        );
    }
}
