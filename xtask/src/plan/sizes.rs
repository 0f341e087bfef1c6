//! How large working sets are on a board.

use std::collections::BTreeSet;

use bench_protocol::{CacheFacts, Facts};

/// A working set in DRAM, all arrays together, is at least this many times the last-level caches together: a cache that
/// keeps what it can still misses on three quarters of it.
const CACHES_PER_WORKING_SET: u64 = 4;

/// The smallest working set that counts as DRAM, for boards that do not tell their caches.
const MIN_DRAM_BYTES: u64 = 128 << 20;

/// A working set in DRAM never takes more than this share of the available memory.
const MAX_SHARE_OF_MEMORY: u64 = 4;

/// Smallest and largest working set of a sweep; the largest is capped by the memory too.
const SWEEP_BYTES: (u64, u64) = (4 << 10, 4 << 30);

/// Sizes around the edge of a cache, per cent of it: that is where the curve bends.
const AROUND_AN_EDGE: [u64; 5] = [60, 80, 100, 125, 160];

/// Two sizes nearer to each other than this, per cent, are one point of a curve.
const SAME_POINT: u64 = 8;

/// Four times the last-level caches, within what the memory allows.
pub fn dram_working_set_bytes(facts: &Facts) -> u64 {
    let last_level = data_caches(facts).map(|cache| cache.level).max();
    let last_level_bytes: u64 = data_caches(facts)
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

/// Working sets of a sweep with this many threads, ascending: two per doubling, more around the edge of each cache.
pub fn sweep_bytes(facts: &Facts, n_threads: usize) -> Vec<u64> {
    let most = match facts.memory.available_bytes {
        Some(available) => SWEEP_BYTES.1.min(available / MAX_SHARE_OF_MEMORY),
        None => MIN_DRAM_BYTES,
    };
    let mut sizes = BTreeSet::new();
    for cache in data_caches(facts) {
        // Threads that share a cache fill it together; private ones add up.
        let n_instances = n_threads.div_ceil(cache.shared_cpus.len().max(1)) as u64;
        for percent in AROUND_AN_EDGE {
            let bytes = cache.size_bytes * n_instances / 100 * percent;
            sizes.insert(bytes.next_multiple_of(4096));
        }
    }
    let mut power = SWEEP_BYTES.0;
    while power <= most {
        sizes.insert(power);
        sizes.insert((power / 2 * 3).next_multiple_of(4096));
        power *= 2;
    }
    let mut distinct: Vec<u64> = Vec::new();
    for bytes in sizes {
        let is_new = |last: &u64| bytes * 100 >= last * (100 + SAME_POINT);
        if (SWEEP_BYTES.0..=most).contains(&bytes) && distinct.last().is_none_or(is_new) {
            distinct.push(bytes);
        }
    }
    distinct
}

fn data_caches(facts: &Facts) -> impl Iterator<Item = &CacheFacts> {
    facts
        .caches
        .iter()
        .filter(|cache| cache.kind != "Instruction")
}

#[cfg(test)]
mod tests {
    use bench_protocol::MemoryFacts;

    use super::*;

    fn facts(caches: Vec<CacheFacts>, available_bytes: Option<u64>) -> Facts {
        Facts {
            caches,
            memory: MemoryFacts {
                available_bytes,
                ..MemoryFacts::default()
            },
            ..Facts::default()
        }
    }

    fn cache(level: u32, size_bytes: u64, shared_cpus: Vec<u32>) -> CacheFacts {
        CacheFacts {
            level,
            kind: "Unified".into(),
            size_bytes,
            shared_cpus,
        }
    }

    #[test]
    fn sizes_dram_by_the_last_caches_and_the_memory() {
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

    #[test]
    fn sweeps_from_4_kib_to_4_gib_and_closer_around_the_caches() {
        let caches = vec![cache(1, 32 << 10, vec![0]), cache(2, 1 << 20, vec![0, 1])];
        let sizes = sweep_bytes(&facts(caches, Some(64 << 30)), 2);
        assert_eq!(sizes.first(), Some(&(4 << 10)));
        assert_eq!(sizes.last(), Some(&(4 << 30)));
        assert!(sizes.is_sorted());
        let near = |edge: u64| {
            let around = edge * 6 / 10..=edge * 16 / 10;
            sizes.iter().filter(|bytes| around.contains(bytes)).count()
        };
        // Two threads fill two private caches of 32 KiB, and the shared one together.
        assert!(near(64 << 10) >= 5, "{sizes:?}");
        assert!(near(1 << 20) >= 5, "{sizes:?}");
        assert!(near(32 << 20) <= 4, "{sizes:?}");
    }

    #[test]
    fn a_sweep_never_takes_more_than_a_quarter_of_the_memory() {
        let sizes = sweep_bytes(&facts(Vec::new(), Some(1 << 30)), 1);
        assert_eq!(sizes.last(), Some(&(256 << 20)));
    }
}
