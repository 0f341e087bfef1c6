//! Which hosts of a plan a shard measures.
//!
//! Rendezvous hashing: every shard has a weight for every host, and the highest gets it. A host never splits, each
//! controller finds the answer alone, and one more shard takes about 1/N of the hosts and moves no other.

use std::str::FromStr;

use bench_run_dir::Shard;
use sha2::{Digest, Sha256};

/// More shards than a workflow's matrix may have jobs.
const MAX_SHARDS: u32 = Shard::MAX;

/// A shard as it stands on the command line: `I/N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardArg(pub Shard);

/// Words that name no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no shard; write `I/N` with I from 1 to N and N up to {MAX_SHARDS}, for instance `1/3`"
)]
pub struct NoShard(String);

impl FromStr for ShardArg {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<ShardArg, NoShard> {
        let numbers = text
            .split_once('/')
            .and_then(|(index, n_shards)| Some((index.parse().ok()?, n_shards.parse().ok()?)));
        match numbers {
            Some((index, n_shards))
                if (1..=n_shards).contains(&index) && n_shards <= MAX_SHARDS =>
            {
                Ok(ShardArg(Shard { index, n_shards }))
            }
            _ => Err(NoShard(text.to_owned())),
        }
    }
}

/// The shard of `n_shards` that measures a host, from 1.
pub fn shard_of(host: &str, n_shards: u32) -> u32 {
    let weight = |index: &u32| Sha256::digest(format!("{index}\0{host}"));
    (1..=n_shards).max_by_key(weight).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Vec<String> {
        (0..1000).map(|i| format!("board-{i}")).collect()
    }

    #[test]
    fn shards_get_about_the_same_number_of_hosts() {
        let mut n_hosts = [0; 4];
        for host in hosts() {
            n_hosts[shard_of(&host, 4) as usize - 1] += 1;
        }
        assert!(
            n_hosts.iter().all(|n| (200..=300).contains(n)),
            "{n_hosts:?}"
        );
    }

    #[test]
    fn one_more_shard_moves_hosts_to_itself_only() {
        let mut n_moved = 0;
        for host in hosts() {
            let (before, after) = (shard_of(&host, 4), shard_of(&host, 5));
            assert!(before == after || after == 5, "{host}: {before} to {after}");
            n_moved += usize::from(before != after);
        }
        assert!((150..=250).contains(&n_moved), "{n_moved} of 1000 moved");
    }

    #[test]
    fn the_assignment_is_the_same_on_every_controller() {
        let shards: Vec<u32> = hosts()
            .iter()
            .take(8)
            .map(|host| shard_of(host, 3))
            .collect();
        assert_eq!(shards, [2, 2, 3, 3, 3, 3, 1, 2]);
    }

    #[test]
    fn says_how_a_shard_is_written() {
        assert_eq!(
            "2/3".parse(),
            Ok(ShardArg(Shard {
                index: 2,
                n_shards: 3
            }))
        );
        for wrong in ["", "1", "0/3", "4/3", "1/0", "-1/3", "1/999", "a/b"] {
            let error = wrong.parse::<ShardArg>().unwrap_err().to_string();
            assert!(error.contains("`1/3`"), "{wrong}: {error}");
        }
    }
}
