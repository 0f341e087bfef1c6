//! The jobs that a suite unit stands for on a board.

use bench_inventory::{Inventory, Model, Quant, Suite, SuiteUnit, SuiteWork};
use bench_protocol::{DecodeModel, Facts, Job, KvFormat, Pages, Residency};

use super::sizes;

/// Working set per thread that stays in the private caches of every board of the catalogue.
const CACHE_BYTES_PER_THREAD: u64 = 16 << 10;

/// Under an emulator nothing is timed: a few tokens go the same way through the code as many.
const EMULATED_TOKENS: u64 = 4;

/// Why an emulated host does not run an external program.
const EMULATED: &str = "times of an emulated host mean nothing; `on-emulated-hosts: true` in the suite runs it all the same";

/// Smallest working set of an emulated sweep.
const EMULATED_SWEEP_BYTES: u64 = 16 << 10;

/// Each job with its part of the unit's name.
pub fn jobs(
    unit: &SuiteUnit,
    suite: &Suite,
    inventory: &Inventory,
    facts: &Facts,
    emulated: bool,
    cpus: &[u32],
) -> Vec<(String, Job)> {
    let context = Context {
        suite,
        inventory,
        facts,
        emulated,
        n_threads: cpus.len(),
    };
    match &unit.work {
        SuiteWork::Stream {
            residency,
            working_set_bytes,
            pages,
        } => {
            let sizes = context.working_sets(*residency, *working_set_bytes);
            let of_pages = |pages: &Pages| {
                let job = |bytes: &u64| {
                    let name = place(*residency, *bytes) + page_suffix(*pages);
                    let job = Job::Stream {
                        working_set_bytes: *bytes,
                        residency: *residency,
                        pages: *pages,
                    };
                    (name, job)
                };
                sizes.iter().map(job).collect::<Vec<_>>()
            };
            pages.iter().flat_map(of_pages).collect()
        }
        SuiteWork::Latency {
            residency,
            working_set_bytes,
            chains,
            pages,
        } => {
            let mut jobs = Vec::new();
            for pages in pages {
                for n_chains in chains {
                    for bytes in context.working_sets(*residency, *working_set_bytes) {
                        let name = place(*residency, bytes) + page_suffix(*pages);
                        let job = Job::Latency {
                            working_set_bytes: bytes,
                            residency: *residency,
                            n_chains: *n_chains,
                            pages: *pages,
                        };
                        jobs.push((format!("{name}/x{n_chains}"), job));
                    }
                }
            }
            jobs
        }
        SuiteWork::Peak => vec![("registers".to_string(), Job::Peak {})],
        SuiteWork::Gemv {
            residency,
            rows,
            cols,
            working_set_bytes,
        } => {
            let sizes = context.working_sets(*residency, *working_set_bytes);
            let job = |bytes: u64| Job::Gemv {
                rows: *rows,
                cols: *cols,
                working_set_bytes: bytes,
                residency: *residency,
            };
            let job = |bytes: u64| (residency.name().to_string(), job(bytes));
            sizes.into_iter().map(job).collect()
        }
        SuiteWork::Gemm { rows, cols, tokens } => {
            let job = |n_tokens: &u64| {
                let job = Job::Gemm {
                    rows: *rows,
                    cols: *cols,
                    n_tokens: context.tokens(*n_tokens),
                };
                (format!("n{n_tokens}"), job)
            };
            tokens.iter().map(job).collect()
        }
        SuiteWork::Decode { .. } | SuiteWork::Prefill { .. } => model_jobs(&unit.work, &context),
        SuiteWork::External(program) => {
            let mut external = program.for_cpus(cpus);
            external.skip = (emulated && !program.on_emulated_hosts).then(|| EMULATED.to_string());
            vec![(program.label.clone(), Job::External(external))]
        }
    }
}

fn model_jobs(work: &SuiteWork, context: &Context) -> Vec<(String, Job)> {
    let mut jobs = Vec::new();
    match work {
        SuiteWork::Decode {
            model,
            quants,
            depths,
            n_generate,
            kv_formats,
        } => {
            let Some((id, model)) = context.model(model) else {
                return jobs;
            };
            for weights in context.weights(model, quants) {
                for kv_format in kv_formats {
                    for depth in depths {
                        let mut name = format!("{id}/{}/d{depth}", weights.quant);
                        if *n_generate > 1 {
                            name += &format!("-n{n_generate}");
                        }
                        if *kv_format != KvFormat::default() {
                            name += &format!("-kv_{}", kv_format.name());
                        }
                        let job = Job::Decode {
                            model: weights.clone(),
                            depth: *depth,
                            n_generate: context.tokens(*n_generate),
                            kv_format: *kv_format,
                        };
                        jobs.push((name, job));
                    }
                }
            }
        }
        SuiteWork::Prefill {
            model,
            quants,
            prompts,
        } => {
            let Some((id, model)) = context.model(model) else {
                return jobs;
            };
            for weights in context.weights(model, quants) {
                for n_prompt in prompts {
                    let name = format!("{id}/{}/p{n_prompt}", weights.quant);
                    let job = Job::Prefill {
                        model: weights.clone(),
                        n_prompt: context.tokens(*n_prompt),
                    };
                    jobs.push((name, job));
                }
            }
        }
        _ => {}
    }
    jobs
}

struct Context<'a> {
    suite: &'a Suite,
    inventory: &'a Inventory,
    facts: &'a Facts,
    emulated: bool,
    n_threads: usize,
}

impl<'a> Context<'a> {
    fn working_sets(&self, residency: Residency, asked: Option<u64>) -> Vec<u64> {
        let emulated_bytes = self.suite.emulated.working_set_bytes;
        match (self.emulated, residency) {
            (true, Residency::Sweep) => vec![EMULATED_SWEEP_BYTES, emulated_bytes],
            (true, _) => vec![emulated_bytes],
            (false, Residency::Sweep) => sizes::sweep_bytes(self.facts, self.n_threads),
            (false, Residency::Dram) => {
                vec![asked.unwrap_or_else(|| sizes::dram_working_set_bytes(self.facts))]
            }
            (false, Residency::Cache) => {
                vec![asked.unwrap_or(CACHE_BYTES_PER_THREAD * self.n_threads as u64)]
            }
        }
    }

    fn tokens(&self, asked: u64) -> u64 {
        match self.emulated {
            true => asked.min(EMULATED_TOKENS),
            false => asked,
        }
    }

    /// The model of a unit. The inventory does not load when a suite names one that is not there.
    fn model(&self, asked: &'a str) -> Option<(&'a str, &'a Model)> {
        let id = match self.emulated {
            true => &self.suite.emulated.decode_model,
            false => asked,
        };
        Some((id, self.inventory.models.get(id)?))
    }

    /// The tensor lists to measure: that of the model's real file, else those of the quantisations asked for.
    fn weights(&self, model: &Model, quants: &[Quant]) -> Vec<DecodeModel> {
        match model.decode_model_of_file() {
            Some(of_file) => vec![of_file],
            None => quants
                .iter()
                .map(|quant| model.decode_model(*quant))
                .collect(),
        }
    }
}

/// The name of a working set: its residency, and its size where that tells units apart.
fn place(residency: Residency, bytes: u64) -> String {
    match residency {
        Residency::Sweep => format!("sweep-{}KiB", bytes / 1024),
        residency => residency.name().to_string(),
    }
}

fn page_suffix(pages: Pages) -> &'static str {
    match pages {
        Pages::Huge => "",
        Pages::Small => "-small_pages",
    }
}
