//! A run of many hosts.

use std::path::Path;

use crate::fixture;

/// Writes a run directory with so many measured hosts, of three kinds of boards.
pub fn many_hosts(dir: &Path, n_hosts: usize) {
    let host = |i: usize| {
        let mut host = fixture::rock();
        let board = ["rock-5b", "rock-5-itx", "orange-pi-5"][i % 3];
        host.record.host = format!("host-{i:02}");
        host.record.board = Some(board.to_owned());
        host
    };
    fixture::write_run(dir, &(0..n_hosts).map(host).collect::<Vec<fixture::Host>>());
}
