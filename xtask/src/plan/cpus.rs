//! On which CPUs a unit's threads run.

use bench_inventory::{ClusterChoice, SuiteUnit, ThreadCount};
use bench_protocol::CpuFacts;

/// Cores whose highest clocks differ by less than this share are equal: the favoured cores of one die do.
const SAME_CLOCK: f64 = 0.1;

/// Boards with at most this many CPUs get every thread count, others steps that grow.
const EVERY_COUNT_UP_TO: usize = 8;

/// The threads of one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Its part of the unit's name.
    pub name: String,
    /// One pinned thread each.
    pub cpus: Vec<u32>,
    /// Sets to choose from, when the board searches.
    pub candidates: Vec<Vec<u32>>,
}

/// The placements that a suite unit asks for, equal ones once. A CPU quota leaves no more threads than it lets run at a
/// time, unless a number is asked for.
pub fn placements(
    unit: &SuiteUnit,
    cpus: &[CpuFacts],
    quota_millis: Option<u64>,
) -> Vec<Placement> {
    let max_threads = quota_millis.map_or(usize::MAX, |millis| {
        usize::try_from(millis / 1000).map_or(usize::MAX, |n| n.max(1))
    });
    let groups: Vec<(String, Vec<&CpuFacts>)> = match unit.clusters {
        ClusterChoice::All => vec![(String::new(), cpus.iter().collect())],
        ClusterChoice::Each => match clusters(cpus) {
            clusters if clusters.len() < 2 => Vec::new(),
            clusters => (clusters.into_iter().enumerate())
                .map(|(idx, cluster)| (format!("cluster{idx}-"), cluster))
                .collect(),
        },
    };
    let mut placements: Vec<Placement> = Vec::new();
    for (prefix, group) in &groups {
        for count in &unit.threads {
            for placement in of_count(*count, prefix, group, max_threads) {
                if !placements.iter().any(|other| other.name == placement.name) {
                    placements.push(placement);
                }
            }
        }
    }
    placements
}

fn of_count(
    count: ThreadCount,
    prefix: &str,
    group: &[&CpuFacts],
    max_threads: usize,
) -> Vec<Placement> {
    let n_cpus = group.len().min(max_threads);
    let fixed = |n_threads: usize| Placement {
        name: format!("{prefix}t{n_threads}"),
        cpus: pick_cpus(group, n_threads),
        candidates: Vec::new(),
    };
    match count {
        ThreadCount::Count(n) if n.get() as usize > group.len() => Vec::new(),
        ThreadCount::Count(n) => vec![fixed(n.get() as usize)],
        ThreadCount::Half => vec![fixed((n_cpus / 2).max(1))],
        ThreadCount::All => vec![fixed(n_cpus)],
        ThreadCount::Each => each_count(n_cpus).into_iter().map(fixed).collect(),
        ThreadCount::Best => vec![Placement {
            name: format!("{prefix}best"),
            cpus: pick_cpus(group, n_cpus),
            candidates: candidates(group, max_threads),
        }],
    }
}

/// 1, 2, 3 ... on small boards; 1, 2, 3, 4, 6, 8, 12, 16 ... and all on large ones.
fn each_count(n_cpus: usize) -> Vec<usize> {
    if n_cpus <= EVERY_COUNT_UP_TO {
        return (1..=n_cpus).collect();
    }
    let mut counts = vec![1];
    let mut power = 2;
    while power < n_cpus {
        counts.push(power);
        counts.push(power / 2 * 3);
        power *= 2;
    }
    counts.retain(|count| *count < n_cpus);
    counts.push(n_cpus);
    counts
}

/// One, half and all CPUs of every cluster and of the whole board.
fn candidates(group: &[&CpuFacts], max_threads: usize) -> Vec<Vec<u32>> {
    let owned: Vec<CpuFacts> = group.iter().map(|cpu| (*cpu).clone()).collect();
    let mut groups = clusters(&owned);
    groups.push(owned.iter().collect());
    let mut candidates: Vec<Vec<u32>> = Vec::new();
    for group in groups {
        for n_threads in [1, group.len().div_ceil(2), group.len()] {
            let cpus = pick_cpus(&group, n_threads.min(max_threads));
            if !candidates.contains(&cpus) {
                candidates.push(cpus);
            }
        }
    }
    candidates
}

/// Groups of equal cores, the strongest first. By `cpu_capacity` where the kernel tells it, else by the highest clock.
fn clusters(cpus: &[CpuFacts]) -> Vec<Vec<&CpuFacts>> {
    let mut clusters: Vec<Vec<&CpuFacts>> = Vec::new();
    for cpu in cpus {
        match clusters
            .iter_mut()
            .find(|cluster| are_equal(cluster[0], cpu))
        {
            Some(cluster) => cluster.push(cpu),
            None => clusters.push(vec![cpu]),
        }
    }
    clusters.sort_by_key(|cluster| std::cmp::Reverse(strength(cluster[0])));
    clusters
}

fn are_equal(a: &CpuFacts, b: &CpuFacts) -> bool {
    match (a.capacity, b.capacity, a.max_khz, b.max_khz) {
        (Some(a), Some(b), ..) => a == b,
        (_, _, Some(a), Some(b)) => {
            let (a, b) = (a as f64, b as f64);
            (a - b).abs() <= SAME_CLOCK * a.max(b)
        }
        _ => true,
    }
}

fn strength(cpu: &CpuFacts) -> (u32, u64) {
    (cpu.capacity.unwrap_or(0), cpu.max_khz.unwrap_or(0))
}

/// The strongest cores first, one hardware thread of each before the second of any.
fn pick_cpus(cpus: &[&CpuFacts], n_threads: usize) -> Vec<u32> {
    let sibling_rank = |cpu: &CpuFacts| {
        cpu.core_siblings
            .iter()
            .position(|sibling| *sibling == cpu.cpu)
            .unwrap_or(0)
    };
    let mut order = cpus.to_vec();
    order.sort_by_key(|cpu| (sibling_rank(cpu), std::cmp::Reverse(strength(cpu)), cpu.cpu));
    let mut picked: Vec<u32> = order.iter().take(n_threads).map(|cpu| cpu.cpu).collect();
    picked.sort_unstable();
    picked
}

#[cfg(test)]
mod tests {
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

    fn picked(cpus: &[CpuFacts], n_threads: usize) -> Vec<u32> {
        pick_cpus(&cpus.iter().collect::<Vec<_>>(), n_threads)
    }

    #[test]
    fn takes_the_strong_cores_first() {
        assert_eq!(picked(&rk3588(), 1), [4]);
        assert_eq!(picked(&rk3588(), 4), [4, 5, 6, 7]);
        assert_eq!(picked(&rk3588(), 5), [0, 4, 5, 6, 7]);
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
        assert_eq!(picked(&cpus, 2), [0, 1]);
        assert_eq!(picked(&cpus, 3), [0, 1, 2]);
    }

    #[test]
    fn groups_cores_by_capacity_and_else_by_clock() {
        let numbers = |cpus: &[CpuFacts]| -> Vec<Vec<u32>> {
            let of = |cluster: Vec<&CpuFacts>| cluster.iter().map(|cpu| cpu.cpu).collect();
            clusters(cpus).into_iter().map(of).collect()
        };
        assert_eq!(numbers(&rk3588()), [vec![4, 5, 6, 7], vec![0, 1, 2, 3]]);
        let clocked = |khz: &[u64]| -> Vec<CpuFacts> {
            (khz.iter().enumerate())
                .map(|(cpu, khz)| CpuFacts {
                    cpu: cpu as u32,
                    max_khz: Some(*khz),
                    ..CpuFacts::default()
                })
                .collect()
        };
        // Two favoured cores of a laptop are no cluster of their own, its efficient cores are.
        let laptop = clocked(&[4_900_000, 5_000_000, 3_700_000, 3_700_000]);
        assert_eq!(numbers(&laptop), [vec![0, 1], vec![2, 3]]);
        assert_eq!(
            numbers(&[CpuFacts::default(), CpuFacts::default()]).len(),
            1
        );
    }

    #[test]
    fn counts_grow_on_large_boards() {
        assert_eq!(each_count(4), [1, 2, 3, 4]);
        assert_eq!(each_count(16), [1, 2, 3, 4, 6, 8, 12, 16]);
        assert_eq!(each_count(10), [1, 2, 3, 4, 6, 8, 10]);
    }

    #[test]
    fn a_quota_leaves_no_more_threads_than_it_lets_run() {
        let cpus = rk3588();
        let group: Vec<&CpuFacts> = cpus.iter().collect();
        let threads = |count, max_threads| -> Vec<usize> {
            let placements = of_count(count, "", &group, max_threads);
            placements.iter().map(|it| it.cpus.len()).collect()
        };
        assert_eq!(threads(ThreadCount::All, usize::MAX), [8]);
        assert_eq!(threads(ThreadCount::All, 2), [2]);
        assert_eq!(threads(ThreadCount::Half, 2), [1]);
        assert_eq!(threads(ThreadCount::Each, 2), [1, 2]);
        let best = of_count(ThreadCount::Best, "", &group, 1);
        assert!(best[0].candidates.iter().all(|cpus| cpus.len() == 1));
        // A number that was asked for is measured, and the quota shows in its verdict.
        let four = std::num::NonZeroU32::new(4).unwrap();
        assert_eq!(threads(ThreadCount::Count(four), 2), [4]);
    }

    #[test]
    fn searches_within_clusters_and_across() {
        let cpus = rk3588();
        let sets = candidates(&cpus.iter().collect::<Vec<_>>(), usize::MAX);
        let lengths: Vec<usize> = sets.iter().map(Vec::len).collect();
        // The strong cluster, the weak one, and all; half of all is the strong cluster again.
        assert_eq!(lengths, [1, 2, 4, 1, 2, 4, 8]);
    }
}
