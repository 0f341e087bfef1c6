//! Chains of dependent loads: cache lines in one random cycle, each holding the address of the next.
//!
//! The order is a uniformly random one among all single cycles, as Sattolo's algorithm makes it, but built in two
//! passes that suit memory (Sanders 1998, Random permutations on distributed, external and hierarchical memory): every
//! line draws a random bucket, and the lines of a bucket are shuffled while they lie in a cache. Nothing of that order
//! is local: the successor of a line lies anywhere in the set, so that neither a stride nor the neighbouring line nor
//! an open page of the DRAM helps.

use std::io;

use bench_protocol::Pages;

use super::Region;
use crate::numeric::split_mix;

/// Places of the cycle, equally far apart, where a chain can begin: the most chains one thread follows.
pub const MAX_CHAINS: usize = 8;

/// Lines of one bucket: their numbers fill half of a small first-level cache.
const BUCKET_LINES: usize = 4096;

/// Lines that hold no addresses yet.
pub struct Chains {
    region: Region,
    line_bytes: usize,
    n_lines: usize,
}

/// One thread's cycle of lines and the places its chains have reached.
///
/// Invariant: every line of the region begins with the address of a line; `marks` and `reached` are lines.
pub struct Linked {
    region: Region,
    line_bytes: usize,
    n_lines: usize,
    /// Lines at the places n/8, 2n/8 .. of the cycle, the first line of it in front.
    marks: [*const u8; MAX_CHAINS],
    reached: [*const u8; MAX_CHAINS],
}

// SAFETY: the pointers lead into `region`, which belongs to this value alone, and are followed for reading only.
unsafe impl Send for Linked {}

impl Chains {
    /// Reserves `n_lines` lines of `line_bytes`, which no thread has touched yet.
    ///
    /// # Errors
    /// When there is no memory, the lines are fewer than the chains or more than 32 bits number, or they are not whole
    /// addresses, at least one.
    pub fn new(n_lines: usize, line_bytes: usize, pages: Pages) -> io::Result<Chains> {
        let holds_addresses = line_bytes > 0 && line_bytes.is_multiple_of(size_of::<*const u8>());
        if n_lines < MAX_CHAINS || u32::try_from(n_lines).is_err() || !holds_addresses {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let n_bytes = n_lines
            .checked_mul(line_bytes)
            .ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Chains {
            region: Region::with_pages(n_bytes, pages)?,
            line_bytes,
            n_lines,
        })
    }

    /// Writes the addresses, from the thread that will follow them.
    pub fn link(mut self, seed: u64) -> Linked {
        let order = random_order(self.n_lines, seed);
        let start = self.region.bytes_mut().as_mut_ptr();
        let at = |place: usize| {
            let line = order[place % order.len()] as usize;
            debug_assert!(line < self.n_lines, "the order names lines that exist");
            // SAFETY: `order` holds numbers below `n_lines`, and the region has as many lines of `line_bytes`.
            unsafe { start.add(line * self.line_bytes) }
        };
        for place in 0..order.len() {
            // SAFETY: lines are whole addresses from the beginning of a page on: each is aligned to one and has room.
            unsafe { at(place).cast::<*const u8>().write(at(place + 1)) };
        }
        let marks: [*const u8; MAX_CHAINS] =
            std::array::from_fn(|idx| at(order.len() * idx / MAX_CHAINS).cast_const());
        Linked {
            region: self.region,
            line_bytes: self.line_bytes,
            n_lines: self.n_lines,
            marks,
            reached: marks,
        }
    }
}

impl Linked {
    /// Bytes of all lines.
    pub fn len_bytes(&self) -> usize {
        self.region.len_bytes()
    }

    /// Bytes that the kernel backs with huge pages, where it tells.
    pub fn huge_page_bytes(&self) -> Option<u64> {
        self.region.huge_page_bytes()
    }

    /// Follows `n_chains` chains for `n_steps` lines each, from where they stopped last.
    ///
    /// # Panics
    /// When there are no or more than [`MAX_CHAINS`] chains.
    pub fn advance(&mut self, n_chains: usize, n_steps: usize) {
        match n_chains {
            1 => self.follow::<1>(n_steps),
            2 => self.follow::<2>(n_steps),
            3 => self.follow::<3>(n_steps),
            4 => self.follow::<4>(n_steps),
            5 => self.follow::<5>(n_steps),
            6 => self.follow::<6>(n_steps),
            7 => self.follow::<7>(n_steps),
            8 => self.follow::<8>(n_steps),
            _ => panic!("a thread follows 1 to {MAX_CHAINS} chains"),
        }
    }

    /// Pseudo-code: `for step { for chain { at[chain] = *at[chain] } }`.
    /// 1. The places live in registers: the only load of a step is the one that is measured.
    /// 2. Eight steps a round, so that the count of the steps costs nothing beside the fastest cache.
    #[inline(never)]
    fn follow<const N: usize>(&mut self, n_steps: usize) {
        let mut at = [std::ptr::null(); N];
        at.copy_from_slice(&self.reached[..N]);
        let step = |at: &mut [*const u8; N]| {
            for at in at {
                // SAFETY: the places reached are lines, and every line begins with the address of a line.
                *at = unsafe { next(*at) };
            }
        };
        for _ in 0..n_steps / 8 {
            for _ in 0..8 {
                step(&mut at);
            }
        }
        for _ in 0..n_steps % 8 {
            step(&mut at);
        }
        self.reached[..N].copy_from_slice(&at);
    }

    /// Whether the lines form one single cycle, and `n_steps` more steps of the chains end where a walk line by line
    /// does. Moves the chains.
    pub fn is_right(&mut self, n_chains: usize, n_steps: usize) -> bool {
        self.is_one_cycle() && {
            let expected = self.reached.map(|from| self.walk(from, n_steps));
            self.advance(n_chains, n_steps);
            self.reached[..n_chains] == expected[..n_chains]
        }
    }

    /// The sections between the marks are walked side by side: one after the other would take seconds in DRAM.
    fn is_one_cycle(&self) -> bool {
        let mut seen = vec![0u64; self.n_lines.div_ceil(64)];
        let mut at = self.marks;
        let start = self.region.bytes().as_ptr() as usize;
        let end_of = |idx: usize| self.n_lines * (idx + 1) / MAX_CHAINS;
        let longest = self.n_lines.div_ceil(MAX_CHAINS);
        for step in 0..longest {
            for (idx, at) in at.iter_mut().enumerate() {
                if step >= end_of(idx) - self.n_lines * idx / MAX_CHAINS {
                    continue;
                }
                let line = (*at as usize - start) / self.line_bytes;
                seen[line / 64] |= 1 << (line % 64);
                *at = self.walk(*at, 1);
            }
        }
        let n_seen: usize = seen.iter().map(|word| word.count_ones() as usize).sum();
        let joins = (0..MAX_CHAINS).all(|idx| at[idx] == self.marks[(idx + 1) % MAX_CHAINS]);
        n_seen == self.n_lines && joins
    }

    /// # Panics
    /// When a line's address leads out of the lines.
    fn walk(&self, from: *const u8, n_steps: usize) -> *const u8 {
        let lines = self.region.bytes().as_ptr_range();
        let mut at = from;
        for _ in 0..n_steps {
            assert!(lines.contains(&at), "a chain left its lines");
            // SAFETY: just checked; lines are aligned to `line_bytes`, so the whole address lies inside.
            at = unsafe { next(at) };
        }
        at
    }
}

/// The address that a line holds.
///
/// # Safety
/// - `line` is valid for reads of an address and aligned to one.
#[inline(always)]
unsafe fn next(line: *const u8) -> *const u8 {
    // SAFETY: the caller's promise.
    unsafe { line.cast::<*const u8>().read() }
}

/// The numbers below `n` in a random order, every order equally likely (as far as the noise goes).
fn random_order(n: usize, seed: u64) -> Vec<u32> {
    let n_buckets = n.div_ceil(BUCKET_LINES);
    let bucket_of = |noise: &mut u64| below(split_mix(noise), n_buckets);
    // Twice the same noise: first to count what falls into each bucket, then to put it there.
    let mut ends = vec![0usize; n_buckets];
    let mut noise = seed;
    for _ in 0..n {
        ends[bucket_of(&mut noise)] += 1;
    }
    let mut total = 0;
    for end in &mut ends {
        total += std::mem::replace(end, total);
    }
    let mut order = vec![0u32; n];
    let mut noise = seed;
    for line in 0..n {
        let place = &mut ends[bucket_of(&mut noise)];
        order[*place] = line as u32;
        *place += 1;
    }
    let mut start = 0;
    for end in ends {
        let bucket = &mut order[start..end];
        for idx in (1..bucket.len()).rev() {
            bucket.swap(idx, below(split_mix(&mut noise), idx + 1));
        }
        start = end;
    }
    order
}

/// Noise scaled to a number below `n` (Lemire 2019, without the rejection: the bias is below n / 2^64).
fn below(noise: u64, n: usize) -> usize {
    ((u128::from(noise) * n as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linked(n_lines: usize) -> Linked {
        let chains = Chains::new(n_lines, 64, Pages::Huge).unwrap();
        chains.link(n_lines as u64)
    }

    #[test]
    fn order_names_every_line_once_and_is_not_local() {
        for n in [1, 2, 100, 5 * BUCKET_LINES + 17] {
            let order = random_order(n, 3);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert!(sorted.iter().copied().eq(0..n as u32), "{n}");
        }
        let order = random_order(4 * BUCKET_LINES, 3);
        let is_near = |pair: &&[u32]| pair[0].abs_diff(pair[1]) < BUCKET_LINES as u32 / 2;
        let n_near = order.windows(2).filter(is_near).count();
        // Two random lines of n are that near with a chance of about 2 x 1/8.
        assert!(n_near < order.len() / 3, "{n_near} of {}", order.len());
        assert_ne!(random_order(100, 1), random_order(100, 2));
    }

    #[test]
    fn chains_go_where_a_plain_walk_goes() {
        for n_lines in [8, 9, 64, 1000] {
            for n_chains in 1..=MAX_CHAINS {
                let mut chains = linked(n_lines);
                assert!(chains.is_right(n_chains, 77), "{n_chains} in {n_lines}");
                assert!(chains.is_right(n_chains, n_lines), "they go on");
            }
        }
    }

    #[test]
    fn finds_a_cycle_that_is_too_short() {
        let mut chains = linked(100);
        let line = chains.marks[1];
        // SAFETY: a line of the region, written through the pointer that its walk uses; nothing else reads it meanwhile.
        unsafe { line.cast_mut().cast::<*const u8>().write(line) };
        assert!(!chains.is_right(1, 10));
    }

    #[test]
    fn refuses_fewer_lines_than_chains() {
        assert!(Chains::new(MAX_CHAINS - 1, 64, Pages::Huge).is_err());
    }

    #[test]
    fn refuses_lines_that_are_not_whole_addresses() {
        let is_taken = |line_bytes| Chains::new(MAX_CHAINS, line_bytes, Pages::Small).is_ok();
        assert!(![0, 4, 12, 65].into_iter().any(is_taken));
        assert!([8, 24, 64].into_iter().all(is_taken));
    }
}
