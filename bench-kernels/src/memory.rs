//! Memory for working sets: page-aligned, untouched, backed by huge pages where they are wanted and the kernel agrees.

pub mod chains;

use std::cell::UnsafeCell;
use std::io;
use std::ops::Range;
use std::ptr::NonNull;

use bench_protocol::Pages;

/// A huge page of x86_64 and of aarch64 with 4 KiB pages.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Miri maps plain memory only.
const MAP_FLAGS: libc::c_int = match cfg!(miri) {
    true => libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
    false => libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
};

/// An anonymous mapping, zero-filled and not yet backed by pages: the thread that touches a page first gets it.
pub struct Region {
    mapping: NonNull<u8>,
    mapping_bytes: usize,
    start: NonNull<u8>,
    len_bytes: usize,
}

// SAFETY: the mapping belongs to this value alone; it is reachable only through borrows of it.
unsafe impl Send for Region {}
// SAFETY: as above; `&Region` gives read-only access only.
unsafe impl Sync for Region {}

impl Region {
    /// Maps `len_bytes`, aligned to 2 MiB, and asks for huge pages.
    ///
    /// # Errors
    /// When the length is zero or the kernel has no such address space.
    pub fn new(len_bytes: usize) -> io::Result<Region> {
        Region::with_pages(len_bytes, Pages::Huge)
    }

    /// Maps `len_bytes`, aligned to 2 MiB, and asks for pages of that kind.
    ///
    /// Huge pages are asked for up to the next 2 MiB, so that small sets get one, too: which lines of a small set meet
    /// in one set of a physically indexed cache is chance otherwise.
    ///
    /// # Errors
    /// When the length is zero or the kernel has no such address space.
    pub fn with_pages(len_bytes: usize, pages: Pages) -> io::Result<Region> {
        let advised_bytes = len_bytes
            .checked_next_multiple_of(HUGE_PAGE_BYTES)
            .filter(|_| len_bytes > 0)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let mapping_bytes = advised_bytes
            .checked_add(HUGE_PAGE_BYTES)
            .ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice touches nothing that exists.
        let mapping = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                mapping_bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                MAP_FLAGS,
                -1,
                0,
            )
        };
        if mapping == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let mapping = NonNull::new(mapping.cast::<u8>())
            .ok_or_else(|| io::Error::other("mapped at address 0"))?;
        let padding = mapping.as_ptr().align_offset(HUGE_PAGE_BYTES);
        // SAFETY: `padding` is below the 2 MiB by which the mapping is longer than `advised_bytes`.
        let start = unsafe { mapping.add(padding) };
        let advice = match pages {
            Pages::Huge => libc::MADV_HUGEPAGE,
            Pages::Small => libc::MADV_NOHUGEPAGE,
        };
        // Miri does not know this call.
        if !cfg!(miri) {
            // SAFETY: the range lies inside the mapping; advice changes no content. A refusal only costs speed, and the
            // share of huge pages that came of it is reported with the unit.
            unsafe { libc::madvise(start.as_ptr().cast(), advised_bytes, advice) };
        }
        Ok(Region {
            mapping,
            mapping_bytes,
            start,
            len_bytes,
        })
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the range is mapped, readable and initialised by the kernel, and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len_bytes) }
    }

    /// The bytes, for writing.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len_bytes) }
    }

    /// Bytes.
    pub fn len_bytes(&self) -> usize {
        self.len_bytes
    }

    /// The content as 64-bit words; a rest shorter than a word is left out.
    pub fn words_mut(&mut self) -> &mut [u64] {
        // SAFETY: the start is aligned to 2 MiB, every bit pattern is a `u64`, and `&mut self` makes it exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.len_bytes / 8) }
    }

    /// The content as 16-bit words; an odd last byte is left out.
    pub fn halves_mut(&mut self) -> &mut [u16] {
        // SAFETY: the start is aligned to 2 MiB, every bit pattern is a `u16`, and `&mut self` makes it exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.len_bytes / 2) }
    }

    /// The content as doubles; a rest shorter than a double is left out.
    pub fn doubles_mut(&mut self) -> &mut [f64] {
        // SAFETY: the start is aligned to 2 MiB, every bit pattern is an `f64`, and `&mut self` makes it exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.len_bytes / 8) }
    }

    /// The content as floats; a rest shorter than a float is left out.
    pub fn floats_mut(&mut self) -> &mut [f32] {
        // SAFETY: the start is aligned to 2 MiB, every bit pattern is an `f32`, and `&mut self` makes it exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.len_bytes / 4) }
    }

    /// Bytes of this mapping that the kernel backs with huge pages; `None` where it does not tell.
    pub fn huge_page_bytes(&self) -> Option<u64> {
        let maps = std::fs::read_to_string("/proc/self/smaps").ok()?;
        let wanted = self.start.as_ptr() as u64;
        let mut inside = false;
        let mut sum = None;
        for line in maps.lines() {
            if let Some((start, end)) = line.split(' ').next().and_then(parse_range) {
                // madvise splits the mapping: every part that overlaps ours counts.
                inside = start < wanted + self.len_bytes as u64 && end > wanted;
            } else if inside && let Some(rest) = line.strip_prefix("AnonHugePages:") {
                let kib: u64 = rest.trim().trim_end_matches(" kB").trim().parse().ok()?;
                sum = Some(sum.unwrap_or(0) + kib * 1024);
            }
        }
        // The last huge page may be longer than what is used of it.
        sum.map(|bytes| bytes.min(self.len_bytes as u64))
    }
}

fn parse_range(text: &str) -> Option<(u64, u64)> {
    let (start, end) = text.split_once('-')?;
    Some((
        u64::from_str_radix(start, 16).ok()?,
        u64::from_str_radix(end, 16).ok()?,
    ))
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: exactly the range that `new` mapped; no borrow of it outlives `self`.
        unsafe { libc::munmap(self.mapping.as_ptr().cast(), self.mapping_bytes) };
    }
}

/// A vector of numbers that threads write in parts and read in full, in phases separated by barriers.
pub struct PhaseBuffer<T = f32>(Box<[UnsafeCell<T>]>);

// SAFETY: all access goes through the unsafe functions below, whose callers keep readers and writers apart.
unsafe impl<T: Send + Sync> Sync for PhaseBuffer<T> {}

impl<T: Copy + Default> PhaseBuffer<T> {
    /// `len` zeroes.
    pub fn new(len: usize) -> PhaseBuffer<T> {
        PhaseBuffer((0..len).map(|_| UnsafeCell::new(T::default())).collect())
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The whole content.
    ///
    /// # Safety
    /// - No thread writes any part of it until the borrow ends.
    /// - A barrier lies between the last write and this call.
    pub unsafe fn read(&self) -> &[T] {
        // SAFETY: `UnsafeCell<T>` has the layout of `T`; the caller excludes writers.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len()) }
    }

    /// A part of it, for writing.
    ///
    /// # Safety
    /// - Nothing else reads or writes this range until the borrow ends: no other thread, and this one through no other
    ///   borrow.
    /// - A barrier lies between the last access of another thread and this call.
    ///
    /// # Panics
    /// When the range does not lie inside.
    #[expect(
        clippy::mut_from_ref,
        reason = "the caller promises exclusive access to the range"
    )]
    pub unsafe fn write(&self, range: Range<usize>) -> &mut [T] {
        let cells = &self.0[range];
        // SAFETY: `UnsafeCell<T>` has the layout of `T`; the caller excludes every other access to the range.
        unsafe { std::slice::from_raw_parts_mut(cells.as_ptr() as *mut T, cells.len()) }
    }
}

/// Splits `n` items into `n_parts` contiguous ranges whose sizes differ by at most one.
pub fn split_evenly(n: usize, n_parts: usize, part_idx: usize) -> Range<usize> {
    n * part_idx / n_parts..n * (part_idx + 1) / n_parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_is_aligned_zeroed_and_writable() {
        let mut region = Region::new(3 << 20).unwrap();
        assert_eq!(region.bytes().as_ptr() as usize % HUGE_PAGE_BYTES, 0);
        assert!(region.bytes().iter().all(|&byte| byte == 0));
        region.words_mut()[5] = 7;
        assert_eq!(region.bytes()[40], 7);
        assert!(Region::new(0).is_err());
        assert!(Region::new(usize::MAX / 2).is_err());
    }

    #[test]
    fn small_pages_are_small_and_the_count_of_huge_ones_stays_inside() {
        let check = |pages: Pages, len_bytes: usize| {
            let mut region = Region::with_pages(len_bytes, pages).unwrap();
            region.bytes_mut().fill(1);
            region.huge_page_bytes()
        };
        assert_eq!(check(Pages::Small, 8 << 20).unwrap_or(0), 0);
        assert!(check(Pages::Huge, 5000).unwrap_or(0) <= 5000);
    }

    #[test]
    fn split_covers_everything_once() {
        for n in [0, 1, 7, 64, 1001] {
            for n_parts in 1..9 {
                let mut next = 0;
                for part_idx in 0..n_parts {
                    let range = split_evenly(n, n_parts, part_idx);
                    assert_eq!(range.start, next);
                    next = range.end;
                }
                assert_eq!(next, n);
            }
        }
    }
}
