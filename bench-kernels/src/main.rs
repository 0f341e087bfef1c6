//! The program that runs on a board.
//!
//! One static binary per architecture; nothing is installed on the board. It reads a request on standard input and
//! answers with JSON lines on standard output, and speaks to people on standard error. It sends nanoseconds and the
//! work of one iteration; it computes no rate and no ratio.

mod affinity;
mod background;
mod environment;
mod external;
mod facts;
#[cfg(test)]
mod fuzz;
mod kernels;
mod memory;
mod numeric;
mod pool;
#[cfg(test)]
mod properties;
mod run;
mod self_test;
mod simd;
mod sink;
mod state;
mod store;
mod supervise;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bench_protocol::{EXIT_BUSY, Hello, Message, Note, PROTOCOL_VERSION, RunRequest};
use sha2::{Digest, Sha256};

use crate::sink::Sink;
use crate::store::Store;

const USAGE: &str =
    "usage: bench-kernels facts | list | self-test | self-hash | run | supervise | collect | forget |
       bench-kernels restore

  facts       what this board is, as JSON lines
  list        the kernels and the instruction-set variants this CPU runs, as JSON
  self-test   compare every variant this CPU runs with the scalar reference
  self-hash   SHA-256 of this program's own file, unless another user could change that
  run         read one request line on standard input and measure it in this process, as JSON lines
  supervise [--store DIR] [-- COMMAND...]
              read one request line on standard input and measure each unit in a process of its own (COMMAND unit
              instead of this program's own, for emulators); lines `beat`, `stop` and `ack` may follow; results are
              also kept in DIR until `ack`
  collect [--store DIR] RUN HOST ATTEMPT LINE
              print the kept results of a request from LINE on, after its supervisor ended
  forget [--store DIR] RUN HOST ATTEMPT
              remove the kept results of a request: the controller has them
  restore [--store DIR]
              put back the settings that a run left changed";

/// Exit status for arguments or a request that cannot be used.
const EXIT_USAGE: u8 = 2;
/// Exit status for a self-test that found a difference.
const EXIT_SELF_TEST: u8 = 3;
/// Exit status of a supervisor that left before every unit ended.
const EXIT_CUT_SHORT: u8 = 7;
/// Exit status for settings that could not be put back.
const EXIT_NOT_RESTORED: u8 = 8;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["facts"] => {
            let mut sink = Sink::new(std::io::stdout());
            sink.send(&hello("", 0));
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
        ["run"] => run_request(),
        ["unit", parent] => run_unit(parent),
        ["supervise", rest @ ..] => supervise(rest),
        ["collect", rest @ ..] => collect(rest),
        ["forget", rest @ ..] => forget(rest),
        ["restore", rest @ ..] => restore(rest),
        _ => fail(USAGE),
    }
}

/// Measures in this process: for work on kernels, without what a board left alone needs.
fn run_request() -> ExitCode {
    let request = match read_request() {
        Ok(request) => request,
        Err(message) => return fail(&message),
    };
    let mut sink = Sink::new(std::io::stdout());
    sink.send(&hello(&request.run_id, 0));
    run::run(&request, &mut sink);
    ExitCode::SUCCESS
}

fn read_request() -> Result<RunRequest, String> {
    let line = read_line(&mut std::io::stdin().lock())
        .map_err(|error| format!("cannot read the request: {error}"))?;
    let request: RunRequest = serde_json::from_str(&line)
        .map_err(|error| format!("the request is not valid: {error}"))?;
    match request.protocol == PROTOCOL_VERSION {
        true => Ok(request),
        false => Err(format!(
            "the request speaks protocol {}, this program {PROTOCOL_VERSION}: deploy the program of the same version",
            request.protocol
        )),
    }
}

/// Measures one unit for the supervisor that started this process.
fn run_unit(parent: &str) -> ExitCode {
    let Ok(parent) = parent.parse() else {
        return fail(USAGE);
    };
    supervise::process::end_with_parent(parent);
    // When memory runs out the kernel shall take this process, not the board's services.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let unit = read_line(&mut std::io::stdin().lock()).map_err(|error| error.to_string());
    let unit = unit.and_then(|line| serde_json::from_str(&line).map_err(|error| error.to_string()));
    match unit {
        Ok(unit) => run::one(&unit, &mut Sink::new(std::io::stdout()), &mut 0),
        Err(error) => return fail(&format!("the unit is not valid: {error}")),
    }
    ExitCode::SUCCESS
}

/// Where results and the journal are kept.
struct StorePlace {
    path: PathBuf,
    /// Whether it is where this program lies, too.
    holds_program: bool,
}

impl StorePlace {
    /// Opens it with `open`, after a look at this program: units are started from its file.
    fn open(&self, open: impl FnOnce(&Path) -> std::io::Result<Store>) -> std::io::Result<Store> {
        if self.holds_program {
            store::expect_own_program(&own_path())?;
        }
        open(&self.path)
    }

    /// As [`StorePlace::open`]; `None` where there is no such folder, which therefore keeps nothing.
    fn open_if_there(&self) -> Result<Option<Store>, String> {
        match self.open(Store::open) {
            Ok(store) => Ok(Some(store)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unusable_store(&error)),
        }
    }
}

fn unusable_store(error: &std::io::Error) -> String {
    format!("results cannot be kept on this board: {error}")
}

/// `--store DIR`, or the folder of this program, and the other arguments.
fn store_and_rest<'a>(args: &'a [&'a str]) -> (StorePlace, &'a [&'a str]) {
    let (path, rest, holds_program) = match args {
        ["--store", store, rest @ ..] => (PathBuf::from(store), rest, false),
        rest => (program_folder(), rest, true),
    };
    let place = StorePlace {
        path,
        holds_program,
    };
    (place, rest)
}

/// Not through `/proc/self/exe`: under an emulator that is the emulator.
fn own_path() -> PathBuf {
    let name = std::env::args_os()
        .next()
        .map(PathBuf::from)
        .unwrap_or_default();
    // Units run in another folder.
    std::path::absolute(&name).unwrap_or(name)
}

fn program_folder() -> PathBuf {
    own_path()
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

fn supervise(args: &[&str]) -> ExitCode {
    let (place, rest) = store_and_rest(args);
    let mut unit_command: Vec<String> = match rest {
        [] => vec![own_path().display().to_string()],
        ["--", command @ ..] if !command.is_empty() => {
            command.iter().map(|&word| word.into()).collect()
        }
        _ => return fail(USAGE),
    };
    unit_command.push("unit".to_string());
    let request = match read_request() {
        Ok(request) => request,
        Err(message) => return fail(&message),
    };
    let hello = hello(&request.run_id, request.attempt);
    let store = match place.open(Store::create) {
        Ok(store) => store,
        Err(error) => return leave(&hello, unusable_store(&error)),
    };
    let places = supervise::Places {
        store,
        program_folder: program_folder(),
        unit_command,
    };
    match supervise::supervise(&request, &hello, &places) {
        supervise::Outcome::Complete => ExitCode::SUCCESS,
        supervise::Outcome::CutShort => ExitCode::from(EXIT_CUT_SHORT),
        supervise::Outcome::Busy => ExitCode::from(EXIT_BUSY as u8),
    }
}

fn collect(args: &[&str]) -> ExitCode {
    let (place, rest) = store_and_rest(args);
    let [run_id, host, attempt, line] = rest else {
        return fail(USAGE);
    };
    let (Ok(attempt), Ok(line)) = (attempt.parse(), line.parse()) else {
        return fail(USAGE);
    };
    let key = supervise::spool::key(run_id, host, attempt);
    let store = match place.open_if_there() {
        Ok(Some(store)) => store,
        Ok(None) => return ExitCode::SUCCESS,
        Err(message) => return fail(&message),
    };
    match supervise::spool::print(&store, &key, line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("cannot read the kept results: {error}")),
    }
}

fn forget(args: &[&str]) -> ExitCode {
    let (place, rest) = store_and_rest(args);
    let [run_id, host, attempt] = rest else {
        return fail(USAGE);
    };
    let Ok(attempt) = attempt.parse() else {
        return fail(USAGE);
    };
    let key = supervise::spool::key(run_id, host, attempt);
    let store = match place.open_if_there() {
        Ok(Some(store)) => store,
        Ok(None) => return ExitCode::SUCCESS,
        Err(message) => return fail(&message),
    };
    match store.remove(&supervise::spool::file_name(&key)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("cannot remove the kept results: {error}")),
    }
}

fn restore(args: &[&str]) -> ExitCode {
    /// A run that is about to end may do so.
    const WAIT: Duration = Duration::from_secs(5);
    let (place, []) = store_and_rest(args) else {
        return fail(USAGE);
    };
    let hello = hello("", 0);
    let store = match place.open_if_there() {
        Ok(Some(store)) => store,
        Ok(None) => {
            Sink::new(std::io::stdout()).send(&hello);
            return ExitCode::SUCCESS;
        }
        Err(reason) => return leave(&hello, reason),
    };
    let mut sink = Sink::new(std::io::stdout());
    sink.send(&hello);
    match supervise::restore(store, WAIT, |message| sink.send(&message)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_NOT_RESTORED),
        Err(text) => {
            sink.send(&Message::Left(Note { text }));
            ExitCode::from(EXIT_BUSY as u8)
        }
    }
}

/// Says why nothing is done on this board: to the controller, which gives the host up with that reason.
fn leave(hello: &Message, text: String) -> ExitCode {
    let mut sink = Sink::new(std::io::stdout());
    sink.send(hello);
    sink.send(&Message::Left(Note { text }));
    ExitCode::from(EXIT_BUSY as u8)
}

/// Reads one line without taking more than it: what follows belongs to the supervisor.
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

fn hello(run_id: &str, attempt: u32) -> Message {
    Message::Hello(Hello {
        protocol: PROTOCOL_VERSION,
        program: concat!("bench-kernels ", env!("CARGO_PKG_VERSION")).to_string(),
        arch: std::env::consts::ARCH.to_string(),
        run_id: run_id.to_string(),
        attempt,
    })
}

/// Only of a file that no other user can change: the hash vouches for what is run afterwards.
fn own_hash() -> std::io::Result<String> {
    store::expect_own_program(&own_path())?;
    let digest = Sha256::digest(std::fs::read(own_path())?);
    Ok(base16ct::lower::encode_string(&digest))
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(EXIT_USAGE)
}
