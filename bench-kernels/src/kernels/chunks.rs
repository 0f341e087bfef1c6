//! Which thread multiplies which rows.
//!
//! Every thread begins with the rows that lie in its own region, which it touched first. They are cut into chunks that
//! it takes by a counter, and a thread that has no chunks left takes those of the others: a slow core holds nobody up
//! for longer than a chunk. What is computed does not depend on who computes it.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Choice;
use crate::simd::Isa;

/// Most chunks of one thread's rows of a matrix.
const MAX_CHUNKS: usize = 32;

/// Counters of the chunks that are taken: of this phase, and of the next.
///
/// A phase lies between two barriers. While it runs, every thread sets its own counter of the other set to zero: no
/// thread takes from the phase before any more, none from the next one yet. So no barrier is needed for that.
pub struct WorkQueue {
    sets: [Vec<Ticket>; 2],
}

/// The next chunk of one thread's rows, in cache lines of its own: two, for CPUs that fetch pairs.
#[derive(Default)]
#[repr(align(128))]
struct Ticket(AtomicUsize);

impl WorkQueue {
    /// Counters for that many threads.
    pub fn new(n_threads: usize) -> WorkQueue {
        let set = || (0..n_threads).map(|_| Ticket::default()).collect();
        WorkQueue {
            sets: [set(), set()],
        }
    }

    /// Calls `work(owner_idx, chunk_idx)` for chunks until none is left. All threads call it, once in every phase, with
    /// the same number of the phase; together they do every chunk of every owner once.
    pub fn share(
        &self,
        phase_idx: usize,
        thread_idx: usize,
        n_chunks: impl Fn(usize) -> usize,
        mut work: impl FnMut(usize, usize),
    ) {
        let tickets = &self.sets[phase_idx % 2];
        // Relaxed: the barrier at the end of the phase orders this before the next phase.
        self.sets[(phase_idx + 1) % 2][thread_idx]
            .0
            .store(0, Ordering::Relaxed);
        let owners = (thread_idx..tickets.len()).chain(0..thread_idx);
        for owner_idx in owners {
            let (ticket, n_chunks) = (&tickets[owner_idx].0, n_chunks(owner_idx));
            // Looked at before it is counted up: most often the owner has finished, and its line stays where it is.
            while ticket.load(Ordering::Relaxed) < n_chunks {
                let chunk_idx = ticket.fetch_add(1, Ordering::Relaxed);
                if chunk_idx < n_chunks {
                    work(owner_idx, chunk_idx);
                }
            }
        }
    }
}

/// Chunks of the groups of rows that one thread holds: none smaller than `chunk_bytes`, unless there is one only.
pub fn n_chunks(n_groups: usize, group_bytes: usize, chunk_bytes: usize) -> usize {
    let n_bytes = n_groups * group_bytes;
    (n_bytes / chunk_bytes).clamp(1, MAX_CHUNKS).min(n_groups)
}

/// What a product from memory can run in.
#[derive(Clone, Copy)]
pub struct ProductShape {
    /// How far ahead it asks for the weights: index in [`Isa::product_names`].
    pub product_idx: usize,
    /// Least bytes of weights in a chunk that threads share out.
    pub chunk_bytes: usize,
}

/// Chunks of several and of some dozen microseconds of one core: neither is slowed down by the counter.
const CHUNK_BYTES: [usize; 2] = [64 << 10, 256 << 10];

/// The shapes of a variant's products with their names, the usual one first, and the one that runs.
pub struct ProductShapes {
    pub all: Vec<(String, ProductShape)>,
    taken_idx: usize,
}

impl ProductShapes {
    /// Those of a variant; the usual one runs.
    pub fn new(isa: &Isa, n_threads: usize) -> ProductShapes {
        ProductShapes {
            all: product_shapes(isa, n_threads),
            taken_idx: 0,
        }
    }

    /// The one that runs.
    pub fn taken(&self) -> ProductShape {
        self.all[self.taken_idx].1
    }

    /// Takes another from now on.
    pub fn take(&mut self, shape_idx: usize) {
        self.taken_idx = shape_idx;
    }

    /// These shapes as a choice of a kernel.
    pub fn choice(&self, about: &'static str) -> Choice {
        Choice {
            about,
            names: self.all.iter().map(|(name, _)| name.clone()).collect(),
            taken_idx: self.taken_idx,
        }
    }
}

/// `far`, or `far-c64` with chunks in KiB where several threads share them.
fn product_shapes(isa: &Isa, n_threads: usize) -> Vec<(String, ProductShape)> {
    let sizes = match n_threads {
        1 => &CHUNK_BYTES[..1],
        _ => &CHUNK_BYTES,
    };
    let shape = |product_idx, ahead: &str, chunk_bytes| {
        let name = match n_threads {
            1 => ahead.to_string(),
            _ => format!("{ahead}-c{}", chunk_bytes >> 10),
        };
        let shape = ProductShape {
            product_idx,
            chunk_bytes,
        };
        (name, shape)
    };
    let by_ahead = isa.product_names().enumerate();
    by_ahead
        .flat_map(|(idx, ahead)| sizes.iter().map(move |size| shape(idx, ahead, *size)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::affinity;
    use crate::pool::Pool;

    #[test]
    fn every_chunk_is_done_once_in_every_phase() {
        let cpus = affinity::allowed_cpus();
        let pool = Pool::new(&[cpus[0], cpus[cpus.len() - 1], cpus[0]]).unwrap();
        let tickets = WorkQueue::new(3);
        let n_chunks = |owner_idx: usize| [5, 0, 17][owner_idx];
        let done = Mutex::new(Vec::new());
        pool.run(&|thread_idx| {
            for phase_idx in 0..7 {
                tickets.share(phase_idx, thread_idx, n_chunks, |owner_idx, chunk_idx| {
                    done.lock().unwrap().push((phase_idx, owner_idx, chunk_idx));
                });
                pool.barrier().wait();
            }
        });
        let mut done = done.into_inner().unwrap();
        done.sort_unstable();
        let phase = |idx: usize| (0..3).map(move |owner| (idx, owner));
        let expected: Vec<_> = (0..7)
            .flat_map(phase)
            .flat_map(|(idx, owner)| (0..n_chunks(owner)).map(move |chunk| (idx, owner, chunk)))
            .collect();
        assert_eq!(done, expected);
    }

    #[test]
    fn a_thread_that_has_finished_takes_the_chunks_of_others() {
        let tickets = WorkQueue::new(2);
        let mut done = Vec::new();
        // Thread 1 never comes: all of its chunks are left to thread 0.
        tickets.share(
            0,
            0,
            |_| 3,
            |owner_idx, chunk_idx| done.push((owner_idx, chunk_idx)),
        );
        assert_eq!(done, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    }
}
