//! Threads that read memory while a unit is sampled: what other programs on the same bus would do.
//!
//! They are no part of the unit's pool. Each is pinned to a CPU of its own and reads an array of its own in chunks,
//! which it counts. A rate below the highest is kept by waiting for the clock between chunks, spinning: a sleep would
//! make bursts of what has to be smooth within a millisecond.

use std::hint::{black_box, spin_loop};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bench_protocol::Background;

use crate::affinity;
use crate::kernels::{NotReady, require_memory};
use crate::memory::Region;
use crate::simd::{self, Operation};

/// Bytes between two looks at the clock: a few microseconds of one core's rate.
const CHUNK_BYTES: usize = 64 << 10;

/// How long the readers' rate alone is taken.
const ALONE: Duration = Duration::from_millis(200);

/// Until all readers run at full speed, before their rate alone is taken.
const RUN_UP: Duration = Duration::from_millis(20);

/// A reader that the unit slowed down catches up on at most this much: what it could not read is part of the result.
const MAX_DEBT: Duration = Duration::from_millis(1);

/// What the readers do.
const REST: u32 = 0;
const FULL_SPEED: u32 = 1;
const AIMED_SPEED: u32 = 2;
const END: u32 = 3;

/// Readers that are set up; they end with this value.
pub struct Readers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    alone_bytes_per_s: u64,
}

struct Shared {
    mode: AtomicU32,
    permille: u32,
    readers: Vec<Counters>,
}

/// What one reader and the sampler exchange, in cache lines of its own: two, for CPUs that fetch pairs.
#[derive(Default)]
#[repr(align(128))]
struct Counters {
    bytes_read: AtomicU64,
    alone_bytes_per_s: AtomicU64,
}

/// Readers at work until this value is dropped.
pub struct Reading<'a>(&'a Shared);

impl Readers {
    /// Starts one pinned reader per CPU and takes their rate alone; they rest until [`Readers::read`].
    ///
    /// # Errors
    /// When a CPU is used twice, also by the unit (`unit_cpus`), or not available, or when there is no memory.
    pub fn start(background: &Background, unit_cpus: &[u32]) -> Result<Readers, NotReady> {
        refuse_cpus(&background.cpus, unit_cpus)?;
        require_memory(background.working_set_bytes)?;
        let n_readers = background.cpus.len();
        let n_chunks = (background.working_set_bytes as usize / n_readers / CHUNK_BYTES).max(1);
        let shared = Arc::new(Shared {
            mode: AtomicU32::new(REST),
            permille: background.permille,
            readers: (0..n_readers).map(|_| Counters::default()).collect(),
        });
        // Built before the first thread: on an early return its Drop ends what was started.
        let mut readers = Readers {
            shared: Arc::clone(&shared),
            threads: Vec::new(),
            alone_bytes_per_s: 0,
        };
        let (sender, ready) = channel();
        for (reader_idx, &cpu) in background.cpus.iter().enumerate() {
            let (shared, sender) = (Arc::clone(&shared), sender.clone());
            let thread = std::thread::Builder::new()
                .name(format!("background-{reader_idx}"))
                .spawn(move || match set_up(cpu, n_chunks) {
                    Ok(mut array) => {
                        let _ = sender.send(Ok(()));
                        drop(sender);
                        work(&shared, reader_idx, array.words_mut());
                    }
                    Err(error) => {
                        let _ = sender.send(Err(error));
                    }
                })
                .map_err(|error| failed(&error))?;
            readers.threads.push(thread);
        }
        drop(sender);
        wait_for_all(&ready, n_readers)?;
        readers.alone_bytes_per_s = shared.rates_alone();
        Ok(readers)
    }

    /// Bytes per second that all readers together reached alone.
    pub fn alone_bytes_per_s(&self) -> u64 {
        self.alone_bytes_per_s
    }

    /// Bytes that all readers have read so far.
    pub fn bytes_read(&self) -> u64 {
        self.shared.bytes_read()
    }

    /// Lets the readers read at the rate aimed for, until the returned value is dropped.
    pub fn read(&self) -> Reading<'_> {
        self.shared.mode.store(AIMED_SPEED, Ordering::Release);
        Reading(&self.shared)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.mode.store(REST, Ordering::Release);
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.shared.mode.store(END, Ordering::Release);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn refuse_cpus(cpus: &[u32], unit_cpus: &[u32]) -> Result<(), NotReady> {
    if cpus.is_empty() {
        return Err(failed(&"no CPU is given for them"));
    }
    let allowed = affinity::allowed_cpus();
    for (idx, cpu) in cpus.iter().enumerate() {
        if unit_cpus.contains(cpu) {
            return Err(failed(&format_args!("the unit itself runs on CPU {cpu}")));
        }
        if cpus[..idx].contains(cpu) {
            return Err(failed(&format_args!("CPU {cpu} is given twice")));
        }
        if !allowed.contains(cpu) {
            return Err(failed(&format_args!(
                "CPU {cpu} is not available to this process"
            )));
        }
    }
    Ok(())
}

fn failed(reason: &dyn std::fmt::Display) -> NotReady {
    NotReady::Failed(format!("cannot start the background readers: {reason}"))
}

fn wait_for_all(ready: &Receiver<std::io::Result<()>>, n_readers: usize) -> Result<(), NotReady> {
    for _ in 0..n_readers {
        match ready.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(failed(&error)),
            Err(_) => return Err(failed(&"one of them ended")),
        }
    }
    Ok(())
}

/// Pins the calling thread and gives it an array whose pages it has touched.
fn set_up(cpu: u32, n_chunks: usize) -> std::io::Result<Region> {
    affinity::pin_to(&[cpu])?;
    let mut array = Region::new(n_chunks * CHUNK_BYTES)?;
    let fill = simd::best().usual(Operation::Write);
    fill.write(array.words_mut(), 1);
    Ok(array)
}

impl Shared {
    fn bytes_read(&self) -> u64 {
        let counters = self.readers.iter();
        counters
            .map(|counters| counters.bytes_read.load(Ordering::Relaxed))
            .sum()
    }

    /// Runs all readers at full speed for a moment; returns their rate together, bytes per second.
    fn rates_alone(&self) -> u64 {
        let bytes_read = || -> Vec<u64> {
            let counters = self.readers.iter();
            counters
                .map(|counters| counters.bytes_read.load(Ordering::Relaxed))
                .collect()
        };
        self.mode.store(FULL_SPEED, Ordering::Release);
        std::thread::sleep(RUN_UP);
        let (start, before) = (Instant::now(), bytes_read());
        std::thread::sleep(ALONE);
        let (elapsed, after) = (start.elapsed(), bytes_read());
        self.mode.store(REST, Ordering::Release);
        let rates = before.iter().zip(after).zip(&self.readers);
        rates
            .map(|((before, after), counters)| {
                let rate = ((after - before) as f64 / elapsed.as_secs_f64()) as u64;
                counters.alone_bytes_per_s.store(rate, Ordering::Relaxed);
                rate
            })
            .sum()
    }
}

/// One reader, until it is told to end.
fn work(shared: &Shared, reader_idx: usize, array: &[u64]) {
    let read = simd::best().usual(Operation::Read);
    let counters = &shared.readers[reader_idx];
    let mut chunks = array.chunks_exact(CHUNK_BYTES / 8).cycle();
    let mut read_chunk = || {
        if let Some(chunk) = chunks.next() {
            black_box(read.read(chunk));
        }
        counters
            .bytes_read
            .fetch_add(CHUNK_BYTES as u64, Ordering::Relaxed);
    };
    loop {
        match shared.mode.load(Ordering::Acquire) {
            END => return,
            FULL_SPEED => read_chunk(),
            AIMED_SPEED => {
                let rate = counters.alone_bytes_per_s.load(Ordering::Relaxed);
                match chunk_time(rate, shared.permille) {
                    Pace::Nothing => spin_loop(),
                    Pace::FullSpeed => read_chunk(),
                    Pace::Every(interval) => read_paced(shared, interval, &mut read_chunk),
                }
            }
            // Nothing is measured now: whoever sets up the unit may need this CPU.
            _ => std::thread::yield_now(),
        }
    }
}

/// Reads a chunk every `interval` for as long as that is aimed for.
fn read_paced(shared: &Shared, interval: Duration, read_chunk: &mut impl FnMut()) {
    let is_wanted = || shared.mode.load(Ordering::Acquire) == AIMED_SPEED;
    let mut due = Instant::now();
    while is_wanted() {
        let now = Instant::now();
        if now < due {
            spin_loop();
            continue;
        }
        read_chunk();
        due = next_due(due, now, interval);
    }
}

/// When the chunk after the one that was due at `due` and began at `now` is due.
fn next_due(due: Instant, now: Instant, interval: Duration) -> Instant {
    now.checked_sub(MAX_DEBT)
        .map_or(due, |oldest| due.max(oldest))
        + interval
}

/// How often a reader reads a chunk.
#[derive(Debug, PartialEq)]
enum Pace {
    Nothing,
    Every(Duration),
    FullSpeed,
}

fn chunk_time(alone_bytes_per_s: u64, permille: u32) -> Pace {
    match permille {
        0 => Pace::Nothing,
        1000.. => Pace::FullSpeed,
        _ => {
            let bytes_per_s = alone_bytes_per_s.max(1) as f64 * f64::from(permille) / 1000.0;
            Pace::Every(Duration::from_secs_f64(CHUNK_BYTES as f64 / bytes_per_s))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn background(cpus: Vec<u32>, permille: u32) -> Background {
        Background {
            cpus,
            working_set_bytes: 1 << 20,
            permille,
        }
    }

    fn wait_for_bytes(readers: &Readers, n_bytes: u64) {
        let goal = readers.bytes_read() + n_bytes;
        while readers.bytes_read() < goal {
            std::thread::yield_now();
        }
    }

    #[test]
    fn readers_read_while_they_are_asked_to_and_count_it() {
        let cpus = affinity::allowed_cpus();
        for permille in [500, 1000] {
            let readers = Readers::start(&background(cpus.clone(), permille), &[])
                .ok()
                .unwrap();
            assert!(readers.alone_bytes_per_s() > 0);
            let reading = readers.read();
            wait_for_bytes(&readers, 2 << 20);
            drop(reading);
            let _again = readers.read();
            wait_for_bytes(&readers, 1 << 20);
        }
    }

    #[test]
    fn readers_that_aim_for_nothing_read_nothing() {
        let cpu = affinity::allowed_cpus()[0];
        let readers = Readers::start(&background(vec![cpu], 0), &[]).ok().unwrap();
        let shared = Arc::clone(&readers.shared);
        let before = readers.bytes_read();
        let reading = readers.read();
        (0..1000).for_each(|_| std::thread::yield_now());
        drop(reading);
        drop(readers);
        // One chunk that was begun at full speed may have been counted meanwhile.
        assert!(shared.bytes_read() - before <= CHUNK_BYTES as u64);
    }

    #[test]
    fn keeps_the_pace_and_forgives_old_debts() {
        assert_eq!(chunk_time(1 << 30, 0), Pace::Nothing);
        assert_eq!(chunk_time(1 << 30, 1000), Pace::FullSpeed);
        let every = |micros: u64| Pace::Every(Duration::from_micros(micros));
        assert_eq!(chunk_time(65_536_000_000, 100), every(10));
        assert_eq!(
            chunk_time(65_536_000_000, 999),
            Pace::Every(Duration::from_nanos(1001))
        );
        let now = Instant::now() + Duration::from_secs(1);
        let check = |late: Duration, expect: Duration| {
            let due = next_due(now - late, now, Duration::from_micros(10));
            assert_eq!(
                due,
                now - expect + Duration::from_micros(10),
                "{late:?} late"
            );
        };
        check(Duration::ZERO, Duration::ZERO);
        check(Duration::from_micros(900), Duration::from_micros(900));
        check(Duration::from_millis(5), MAX_DEBT);
    }

    #[test]
    fn refuses_cpus_that_are_not_free() {
        let cpu = affinity::allowed_cpus()[0];
        let check = |cpus: Vec<u32>, unit_cpus: &[u32], expect: &str| {
            let Err(NotReady::Failed(reason)) = Readers::start(&background(cpus, 100), unit_cpus)
            else {
                panic!("{expect}");
            };
            assert!(reason.contains(expect), "{reason}");
        };
        check(vec![cpu], &[cpu], "the unit itself runs on CPU");
        check(vec![cpu, cpu], &[], "twice");
        check(vec![100_000], &[], "not available");
        check(vec![], &[], "no CPU");
    }
}
