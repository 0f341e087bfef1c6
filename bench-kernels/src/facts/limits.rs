//! What a container or a service may use of the machine, by its control groups, versions 1 and 2.
//!
//! A limit of any group up the tree holds; which CPUs may be used is in the affinity mask already.

use std::fs;
use std::path::{Path, PathBuf};

use super::{read_number, read_text};

/// Limits from here on are none: version 1 writes the largest number of pages.
const NO_LIMIT_BYTES: u64 = 1 << 60;

/// The groups of this process, each from the innermost one up.
pub struct Limits {
    /// Of the controller of CPU time.
    cpu: Vec<PathBuf>,
    /// Of that of memory.
    memory: Vec<PathBuf>,
}

impl Limits {
    /// Those of this process in the file system under `root`.
    pub fn find(root: &Path) -> Limits {
        let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default();
        let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::of).collect();
        let of = |controller: &str| {
            let of_line = |line: &str| chain(root, line, controller, &mounts);
            groups.lines().filter_map(of_line).flatten().collect()
        };
        Limits {
            cpu: of("cpu"),
            memory: of("memory"),
        }
    }

    /// CPUs that may be used at a time, in thousandths; `None` where there is no quota.
    pub fn cpu_quota_millis(&self) -> Option<u64> {
        let quota = |group: &PathBuf| {
            let (quota, period) = match read_text(group.join("cpu.max")) {
                Some(text) => {
                    let (quota, period) = text.split_once(' ')?;
                    (quota.parse().ok()?, period.trim().parse().ok()?)
                }
                None => (
                    read_number(group.join("cpu.cfs_quota_us"))?,
                    read_number(group.join("cpu.cfs_period_us"))?,
                ),
            };
            quota.checked_mul(1000)?.checked_div(period)
        };
        self.cpu.iter().filter_map(quota).min()
    }

    /// How often a quota has stopped the processes so far; `None` where nothing counts.
    pub fn n_throttled(&self) -> Option<u64> {
        let count = |group: &PathBuf| {
            let text = read_text(group.join("cpu.stat"))?;
            let mut lines = text.lines();
            lines.find_map(|line| {
                line.strip_prefix("nr_throttled ")?
                    .trim()
                    .parse::<u64>()
                    .ok()
            })
        };
        let counts: Vec<u64> = self.cpu.iter().filter_map(count).collect();
        (!counts.is_empty()).then(|| counts.iter().sum())
    }

    /// Memory that may be used, bytes; `None` where there is no limit.
    pub fn memory_bytes(&self) -> Option<u64> {
        self.memory.iter().filter_map(|it| memory_limit(it)).min()
    }

    /// Memory that may still be used, bytes; `None` where there is no limit. What holds files is given back on demand.
    pub fn available_memory_bytes(&self) -> Option<u64> {
        let left = |group: &PathBuf| {
            let limit = memory_limit(group)?;
            let used = read_number(group.join("memory.current"))
                .or_else(|| read_number(group.join("memory.usage_in_bytes")))?;
            let stat = read_text(group.join("memory.stat")).unwrap_or_default();
            let files = stat.lines().find_map(|line| {
                let count = line
                    .strip_prefix("inactive_file ")
                    .or_else(|| line.strip_prefix("total_inactive_file "));
                count?.trim().parse::<u64>().ok()
            });
            Some(limit.saturating_sub(used.saturating_sub(files.unwrap_or(0))))
        };
        self.memory.iter().filter_map(left).min()
    }
}

fn memory_limit(group: &Path) -> Option<u64> {
    let limit = read_number(group.join("memory.max"))
        .or_else(|| read_number(group.join("memory.limit_in_bytes")))?;
    (limit < NO_LIMIT_BYTES).then_some(limit)
}

/// Where groups are shown.
struct Mount {
    /// The group that the mount point shows.
    group: String,
    point: String,
    is_v2: bool,
    /// Controllers of a mount of version 1, among other options.
    options: String,
}

impl Mount {
    /// A line of `mountinfo`: number, parent, device, group, point, options, and after a dash kind, source and options.
    fn of(line: &str) -> Option<Mount> {
        let (before, after) = line.split_once(" - ")?;
        let before: Vec<&str> = before.split(' ').collect();
        let mut after = after.split(' ');
        let kind = after.next()?;
        if !kind.starts_with("cgroup") {
            return None;
        }
        Some(Mount {
            group: (*before.get(3)?).to_owned(),
            point: (*before.get(4)?).to_owned(),
            is_v2: kind == "cgroup2",
            options: after.nth(1).unwrap_or_default().to_owned(),
        })
    }
}

/// The folders of the groups that a line of `/proc/self/cgroup` names, from the innermost one up; `None` where it is of
/// another controller.
fn chain(root: &Path, line: &str, controller: &str, mounts: &[Mount]) -> Option<Vec<PathBuf>> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, path) = (parts.next()?, parts.next()?);
    let is_v2 = controllers.is_empty();
    if !is_v2 && !controllers.split(',').any(|it| it == controller) {
        return None;
    }
    let is_its = |mount: &&Mount| {
        let has = || mount.options.split(',').any(|it| it == controller);
        mount.is_v2 == is_v2 && (is_v2 || has())
    };
    let (group, point) = match mounts.iter().find(is_its) {
        Some(mount) => (mount.group.as_str(), mount.point.as_str()),
        None if is_v2 => ("/", "/sys/fs/cgroup"),
        None => return None,
    };
    let top = root.join(point.trim_start_matches('/'));
    // A container sees its own group as the top, whatever it is called outside.
    let inner = path
        .strip_prefix(group.trim_end_matches('/'))
        .unwrap_or_default();
    let names: Vec<&str> = inner
        .split('/')
        .filter(|name| !matches!(*name, "" | "." | ".."))
        .collect();
    let folder = |n: usize| {
        names[..n]
            .iter()
            .fold(top.clone(), |path, name| path.join(name))
    };
    Some((0..=names.len()).rev().map(folder).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests::root;
    use super::*;

    const V2: (&str, &str) = (
        "proc/self/mountinfo",
        "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n",
    );
    const V1: (&str, &str) = (
        "proc/self/mountinfo",
        "30 23 0:26 /docker/ab /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n\
         31 23 0:27 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
    );

    #[test]
    fn the_narrowest_limit_up_the_tree_holds() {
        let root = root(&[
            V2,
            ("proc/self/cgroup", "0::/kubepods/pod/box\n"),
            ("sys/fs/cgroup/kubepods/pod/box/cpu.max", "max 100000\n"),
            (
                "sys/fs/cgroup/kubepods/pod/box/cpu.stat",
                "usage_usec 5\nnr_periods 9\nnr_throttled 4\n",
            ),
            ("sys/fs/cgroup/kubepods/pod/box/memory.max", "max\n"),
            ("sys/fs/cgroup/kubepods/pod/cpu.max", "150000 100000\n"),
            ("sys/fs/cgroup/kubepods/pod/cpu.stat", "nr_throttled 3\n"),
            ("sys/fs/cgroup/kubepods/pod/memory.max", "1000000\n"),
            ("sys/fs/cgroup/kubepods/pod/memory.current", "700000\n"),
            (
                "sys/fs/cgroup/kubepods/pod/memory.stat",
                "anon 600000\ninactive_file 100000\n",
            ),
            ("sys/fs/cgroup/kubepods/cpu.max", "400000 100000\n"),
        ]);
        let limits = Limits::find(root.path());
        assert_eq!(limits.cpu_quota_millis(), Some(1500));
        assert_eq!(limits.n_throttled(), Some(7));
        assert_eq!(limits.memory_bytes(), Some(1_000_000));
        assert_eq!(limits.available_memory_bytes(), Some(400_000));
    }

    #[test]
    fn version_1_is_read_as_a_container_sees_it() {
        let root = root(&[
            V1,
            (
                "proc/self/cgroup",
                "5:memory:/docker/ab\n3:cpu,cpuacct:/docker/ab\n1:name=systemd:/docker/ab\n0::/\n",
            ),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "20000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            (
                "sys/fs/cgroup/cpu,cpuacct/cpu.stat",
                "nr_periods 71\nnr_throttled 69\nthrottled_time 5\n",
            ),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "5\n"),
        ]);
        let limits = Limits::find(root.path());
        assert_eq!(limits.cpu_quota_millis(), Some(200));
        assert_eq!(limits.n_throttled(), Some(69));
        assert_eq!(
            (limits.memory_bytes(), limits.available_memory_bytes()),
            (None, None)
        );
    }

    #[test]
    fn without_groups_nothing_is_limited() {
        for files in [
            &[][..],
            &[("proc/self/cgroup", "0::/\n")],
            &[("proc/self/cgroup", "x\n4:cpu:/../..\n")],
        ] {
            let root = root(files);
            let limits = Limits::find(root.path());
            assert_eq!(
                (limits.cpu_quota_millis(), limits.n_throttled()),
                (None, None)
            );
            assert_eq!(limits.available_memory_bytes(), None);
        }
        let root = root(&[
            V1,
            ("proc/self/cgroup", "3:cpu,cpuacct:/docker/ab\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        ]);
        assert_eq!(Limits::find(root.path()).cpu_quota_millis(), None);
    }
}
