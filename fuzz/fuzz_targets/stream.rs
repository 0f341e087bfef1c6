//! A host's files with anything in them: they are read, analysed and put into frames, whatever the board sent.

#![no_main]

use bench_analysis::measured;
use bench_run_dir::{HostFiles, RunData, RunManifest, read_host_files};
use libfuzzer_sys::fuzz_target;

// The first line is the request, the second the record, the rest the stream.
fuzz_target!(|data: &[u8]| {
    for line in String::from_utf8_lossy(data).lines() {
        let _ = bench_protocol::parse_line(line);
    }
    let mut parts = data.splitn(3, |byte| *byte == b'\n').map(<[u8]>::to_vec);
    let files = HostFiles {
        request: parts.next(),
        record: parts.next(),
        left_out: None,
        previous: None,
        stream: parts.next(),
    };
    let manifest = RunManifest::default();
    let host = read_host_files("fuzz", &files, &manifest);
    let run = RunData {
        manifest,
        hosts: vec![host],
        ..RunData::default()
    };
    let analysis = measured::analyse(&run);
    assert_eq!(analysis.hosts.len(), 1);
});
