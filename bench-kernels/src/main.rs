//! The program that runs on a board.
//!
//! One static binary per architecture; nothing is installed on the board. It reads a request on standard input and
//! answers with JSON lines on standard output, and speaks to people on standard error. It sends nanoseconds and the
//! work of one iteration; it computes no rate and no ratio.

mod affinity;
mod background;
mod facts;
mod kernels;
mod memory;
mod numeric;
mod pool;
#[cfg(test)]
mod properties;
mod run;
mod self_test;
mod simd;

use std::io::{Read, Write};
use std::process::ExitCode;

use bench_protocol::{Hello, Message, PROTOCOL_VERSION};
use sha2::{Digest, Sha256};

const USAGE: &str =
    "usage: bench-kernels facts | list | self-test | self-hash | run [--watch-stdin]

  facts       what this board is, as JSON lines
  list        the kernels and the instruction-set variants this CPU runs, as JSON
  self-test   compare every variant this CPU runs with the scalar reference
  self-hash   SHA-256 of this program's own file
  run         read one request line on standard input and measure it, as JSON lines;
              with --watch-stdin the program ends when standard input closes";

/// Exit status for arguments or a request that cannot be used.
const EXIT_USAGE: u8 = 2;
/// Exit status for a self-test that found a difference.
const EXIT_SELF_TEST: u8 = 3;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["facts"] => {
            let mut sink = run::Sink::new(std::io::stdout());
            sink.send(&hello(""));
            sink.send(&Message::Facts(Box::new(facts::collect())));
            ExitCode::SUCCESS
        }
        ["list"] => {
            println!("{}", kernels::list_json());
            ExitCode::SUCCESS
        }
        ["self-test"] => match self_test::run(&mut std::io::stdout()) {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::from(EXIT_SELF_TEST),
        },
        ["self-hash"] => match own_hash() {
            Ok(hash) => {
                println!("{hash}");
                ExitCode::SUCCESS
            }
            Err(error) => fail(&format!("cannot read this program's own file: {error}")),
        },
        ["run"] => run_request(false),
        ["run", "--watch-stdin"] => run_request(true),
        _ => fail(USAGE),
    }
}

fn run_request(watch_stdin: bool) -> ExitCode {
    let line = match read_line(&mut std::io::stdin().lock()) {
        Ok(line) => line,
        Err(error) => return fail(&format!("cannot read the request: {error}")),
    };
    let request: bench_protocol::RunRequest = match serde_json::from_str(&line) {
        Ok(request) => request,
        Err(error) => return fail(&format!("the request is not valid: {error}")),
    };
    if request.protocol != PROTOCOL_VERSION {
        return fail(&format!(
            "the request speaks protocol {}, this program {PROTOCOL_VERSION}: deploy the program of the same version",
            request.protocol
        ));
    }
    if watch_stdin {
        std::thread::spawn(end_with_stdin);
    }
    let mut sink = run::Sink::new(std::io::stdout());
    sink.send(&hello(&request.run_id));
    run::run(&request, &mut sink);
    ExitCode::SUCCESS
}

/// Reads one line without taking more than it: what follows belongs to [`end_with_stdin`].
fn read_line(input: &mut impl Read) -> std::io::Result<String> {
    /// Far above any real request (a 32-layer model has about 300 tensors, 60 kB); a larger one is a mistake.
    const MAX_REQUEST_BYTES: usize = 16 << 20;
    let mut line = Vec::new();
    let mut byte = [0u8; 1];
    while input.read(&mut byte)? == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
        if line.len() > MAX_REQUEST_BYTES {
            return Err(std::io::Error::other("the request is longer than 16 MiB"));
        }
    }
    String::from_utf8(line).map_err(std::io::Error::other)
}

/// Ends the program when the controller goes away.
///
/// A dropped connection kills nothing on the far side; the closed standard input is the only sign that arrives.
fn end_with_stdin() {
    let mut buffer = [0u8; 64];
    while matches!(std::io::stdin().read(&mut buffer), Ok(n) if n > 0) {}
    let _ = writeln!(
        std::io::stderr(),
        "standard input closed: the controller is gone, ending"
    );
    std::process::exit(4);
}

fn hello(run_id: &str) -> Message {
    Message::Hello(Hello {
        protocol: PROTOCOL_VERSION,
        program: concat!("bench-kernels ", env!("CARGO_PKG_VERSION")).to_string(),
        arch: std::env::consts::ARCH.to_string(),
        run_id: run_id.to_string(),
    })
}

fn own_hash() -> std::io::Result<String> {
    // Not `/proc/self/exe`: under an emulator that is the emulator.
    let path = std::env::args_os()
        .next()
        .ok_or_else(|| std::io::Error::other("no program name"))?;
    let digest = Sha256::digest(std::fs::read(path)?);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(EXIT_USAGE)
}
