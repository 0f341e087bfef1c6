//! Streams, written once for all vectors: what differs is the [`Vector`] and the shape of the loop.
//!
//! 1. A shape is how many vectors a step has, which lines are asked for ahead, and how many streams a thread reads at
//!    once. No shape is the fastest everywhere: asking for lines ahead gains 8 to 60 % on a Sapphire Rapids core and
//!    costs 7 to 25 % on a Zen 3 core. So every operation has a small family of shapes ([`Shaped`]), and the board
//!    races them (`run/race.rs`).
//! 2. The first of a family is the one that runs where nothing is raced. Of shapes that are equally fast the first in
//!    the table runs, so that plain loops would come last only where they lose.
//! 3. Words that fill no step are treated vector by vector, then one by one; stores that keep their place
//!    (`write_volatile`) keep the compiler from making a call of memset or memcpy of them.

#[cfg(target_arch = "aarch64")]
pub(super) mod arm;
mod loops;
#[cfg(target_arch = "x86_64")]
pub(super) mod x86;

pub(super) use self::loops::{add, copy, read, scale, triad, write};

/// Words of a cache line.
const LINE_WORDS: usize = 8;

/// Lines are not asked for.
pub(super) const OFF: u8 = 0;
/// Asked for a little ahead, into the first cache.
pub(super) const NEAR: u8 = 1;
/// Asked for into the first cache, and once more far ahead into the second.
pub(super) const FAR: u8 = 2;
/// Asked for with the hint that they are used once.
pub(super) const ONCE: u8 = 3;

/// What is done with arrays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation {
    Read,
    Write,
    Copy,
    Scale,
    Add,
    Triad,
    WriteNt,
    CopyNt,
    TriadNt,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Operation; 9] = [
        Operation::Read,
        Operation::Write,
        Operation::Copy,
        Operation::Scale,
        Operation::Add,
        Operation::Triad,
        Operation::WriteNt,
        Operation::CopyNt,
        Operation::TriadNt,
    ];
}

/// The loop of an operation. Pointers come before the number of elements: what is written, then what is read.
#[derive(Clone, Copy)]
pub(super) enum Run {
    Read(unsafe fn(*const u64, usize) -> u64),
    Write(unsafe fn(*mut u64, usize, u64)),
    Copy(unsafe fn(*mut u64, *const u64, usize)),
    Scale(unsafe fn(*mut f64, *const f64, f64, usize)),
    Add(unsafe fn(*mut f64, *const f64, *const f64, usize)),
    Triad(unsafe fn(*mut f64, *const f64, *const f64, f64, usize)),
}

/// An operation in one shape. Who has one may run it: only [`super::Isa::shapes`] gives them away.
pub struct Shaped {
    pub(super) name: &'static str,
    pub(super) is_there: fn() -> bool,
    pub(super) run: Run,
}

/// One family: every operation in its shapes. An empty list where the variant has no such stores.
pub(super) struct Streams {
    pub(super) read: &'static [Shaped],
    pub(super) write: &'static [Shaped],
    pub(super) copy: &'static [Shaped],
    pub(super) scale: &'static [Shaped],
    pub(super) add: &'static [Shaped],
    pub(super) triad: &'static [Shaped],
    pub(super) write_nt: &'static [Shaped],
    pub(super) copy_nt: &'static [Shaped],
    pub(super) triad_nt: &'static [Shaped],
}

impl Streams {
    /// No shape of anything.
    pub(super) const NONE: Streams = Streams {
        read: &[],
        write: &[],
        copy: &[],
        scale: &[],
        add: &[],
        triad: &[],
        write_nt: &[],
        copy_nt: &[],
        triad_nt: &[],
    };

    pub(super) fn of(&self, operation: Operation) -> &'static [Shaped] {
        match operation {
            Operation::Read => self.read,
            Operation::Write => self.write,
            Operation::Copy => self.copy,
            Operation::Scale => self.scale,
            Operation::Add => self.add,
            Operation::Triad => self.triad,
            Operation::WriteNt => self.write_nt,
            Operation::CopyNt => self.copy_nt,
            Operation::TriadNt => self.triad_nt,
        }
    }
}

impl Shaped {
    /// The stable name, for instance `v512x8-far`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Reads every word and returns their wrapping sum.
    ///
    /// # Panics
    /// As all of these, when the shape is one of another operation.
    pub fn read(&self, words: &[u64]) -> u64 {
        let Run::Read(run) = self.run else {
            unreachable!("`{}` does not read", self.name)
        };
        // SAFETY: only `Isa::shapes` leads here, so the CPU runs it; pointer and length come from one slice.
        unsafe { run(words.as_ptr(), words.len()) }
    }

    /// Writes `value` to every word.
    pub fn write(&self, words: &mut [u64], value: u64) {
        let Run::Write(run) = self.run else {
            unreachable!("`{}` does not write", self.name)
        };
        // SAFETY: as for `read`.
        unsafe { run(words.as_mut_ptr(), words.len(), value) }
    }

    /// Copies `from` to `to`, which is equally long.
    pub fn copy(&self, to: &mut [u64], from: &[u64]) {
        let Run::Copy(run) = self.run else {
            unreachable!("`{}` does not copy", self.name)
        };
        assert_eq!(to.len(), from.len(), "both arrays are equally long");
        // SAFETY: as for `read`; the slices are equally long and do not overlap.
        unsafe { run(to.as_mut_ptr(), from.as_ptr(), to.len()) }
    }

    /// `to[i] = factor * from[i]`; both are equally long.
    pub fn scale(&self, to: &mut [f64], from: &[f64], factor: f64) {
        let Run::Scale(run) = self.run else {
            unreachable!("`{}` does not scale", self.name)
        };
        assert_eq!(to.len(), from.len(), "both arrays are equally long");
        // SAFETY: as for `copy`.
        unsafe { run(to.as_mut_ptr(), from.as_ptr(), factor, to.len()) }
    }

    /// `to[i] = a[i] + b[i]`; all are equally long.
    pub fn add(&self, to: &mut [f64], a: &[f64], b: &[f64]) {
        let Run::Add(run) = self.run else {
            unreachable!("`{}` does not add", self.name)
        };
        assert!(
            to.len() == a.len() && to.len() == b.len(),
            "all arrays are equally long"
        );
        // SAFETY: as for `copy`.
        unsafe { run(to.as_mut_ptr(), a.as_ptr(), b.as_ptr(), to.len()) }
    }

    /// `to[i] = b[i] + factor * c[i]`; all are equally long.
    pub fn triad(&self, to: &mut [f64], b: &[f64], c: &[f64], factor: f64) {
        let Run::Triad(run) = self.run else {
            unreachable!("`{}` does not compute a triad", self.name)
        };
        assert!(
            to.len() == b.len() && to.len() == c.len(),
            "all arrays are equally long"
        );
        // SAFETY: as for `copy`.
        unsafe { run(to.as_mut_ptr(), b.as_ptr(), c.as_ptr(), factor, to.len()) }
    }
}

/// A vector of 64-bit lanes: a register, or as many as one instruction moves.
pub(super) trait Vector: Copy {
    /// Lanes.
    const WORDS: usize;

    /// Registers.
    const REGISTERS: usize = 1;

    /// # Safety
    /// - The CPU has the instructions of the implementor; `at` is valid for reads of one vector.
    unsafe fn load(at: *const u64) -> Self;

    /// # Safety
    /// - The CPU has the instructions of the implementor; `at` is valid for writes of one vector.
    unsafe fn store(self, at: *mut u64);

    /// Stores around the caches.
    ///
    /// # Safety
    /// - As for [`Vector::store`], and `at` is aligned to the vector.
    unsafe fn store_around(self, at: *mut u64);

    /// What makes stores around the caches visible in order.
    ///
    /// # Safety
    /// - The CPU has the instructions of the implementor.
    unsafe fn finish_stores_around();

    /// Asks for the line that will be read: `AHEAD` says which. Any address will do.
    ///
    /// # Safety
    /// - The CPU has the instructions of the implementor.
    unsafe fn ask_to_read<const AHEAD: u8>(at: *const u64);

    /// Asks for the line that will be written.
    ///
    /// # Safety
    /// - As for [`Vector::ask_to_read`].
    unsafe fn ask_to_write<const AHEAD: u8>(at: *const u64);

    /// # Safety
    /// - The CPU has the instructions of the implementor.
    unsafe fn splat(word: u64) -> Self;

    /// Sum of words, wrapping.
    ///
    /// # Safety
    /// - As for [`Vector::splat`].
    unsafe fn add_words(self, other: Self) -> Self;

    /// Sum of doubles.
    ///
    /// # Safety
    /// - As for [`Vector::splat`].
    unsafe fn add(self, other: Self) -> Self;

    /// Product of doubles.
    ///
    /// # Safety
    /// - As for [`Vector::splat`].
    unsafe fn multiply(self, other: Self) -> Self;
}

/// One operation in one shape, compiled for the instruction sets named: `shaped!(Read "v256x8" "avx2" always =
/// read::<V256, 8, OFF, 1>)`.
macro_rules! shaped {
    (Read $name:tt $features:tt $is_there:tt = $($run:tt)*) => {
        shaped!(@ Read $name $features $is_there (from: *const u64, n: usize) -> u64, $($run)*)
    };
    (Write $name:tt $features:tt $is_there:tt = $($run:tt)*) => {
        shaped!(@ Write $name $features $is_there (to: *mut u64, n: usize, value: u64) -> (), $($run)*)
    };
    (Copy $name:tt $features:tt $is_there:tt = $($run:tt)*) => {
        shaped!(@ Copy $name $features $is_there (to: *mut u64, from: *const u64, n: usize) -> (), $($run)*)
    };
    (Scale $name:tt $features:tt $is_there:tt = $($run:tt)*) => {
        shaped!(@ Scale $name $features $is_there
            (to: *mut f64, from: *const f64, factor: f64, n: usize) -> (), $($run)*)
    };
    (Add $name:tt $features:tt $is_there:tt = $($run:tt)*) => {
        shaped!(@ Add $name $features $is_there
            (to: *mut f64, a: *const f64, b: *const f64, n: usize) -> (), $($run)*)
    };
    (Triad $name:tt $features:tt $is_there:tt = $($run:tt)*) => {
        shaped!(@ Triad $name $features $is_there
            (to: *mut f64, b: *const f64, c: *const f64, factor: f64, n: usize) -> (), $($run)*)
    };
    (@ $kind:ident $name:tt $features:tt $is_there:tt ($($arg:ident: $type:ty),*) -> $out:ty, $($run:tt)*) => {{
        /// # Safety
        /// - The CPU has the features named; every pointer is valid for `n` elements, and what is written overlaps
        ///   nothing else.
        #[target_feature(enable = $features)]
        unsafe fn run($($arg: $type),*) -> $out {
            // SAFETY: the caller's promise.
            unsafe { $($run)*($($arg),*) }
        }
        Shaped { name: $name, is_there: $is_there, run: Run::$kind(run) }
    }};
}
pub(super) use shaped;

/// Some shapes of one operation: the end of each name, and what its loop is made with.
macro_rules! shapes {
    ($kind:ident $loop_of:ident $features:tt $vector:ty, $width:tt: $(($suffix:tt $($with:tt),+))*) => {
        &[$(shaped!($kind { concat!($width, $suffix) } $features always = $loop_of::<$vector, $($with),+>)),*]
    };
}
pub(super) use shapes;

/// The shapes of one kind of [`Vector`]: all where it is the widest of a variant, few beside a wider one.
///
/// A name says the bits of a register and how many a step has; `far`, `near` and `once` which lines are asked for
/// ahead to be read, `wfar` and `wnear` to be written; `s2` and `s4` how many streams are read at once.
macro_rules! family {
    (all $features:tt $vector:ty, $width:tt) => {
        Streams {
            read: shapes!(Read read $features $vector, $width:
                ("x8-far" 8, FAR, 1) ("x8" 8, OFF, 1) ("x16" 16, OFF, 1) ("x4" 4, OFF, 1) ("x2" 2, OFF, 1)
                ("x8-near" 8, NEAR, 1) ("x8-once" 8, ONCE, 1)
                ("x8-s2" 8, OFF, 2) ("x8-s4" 8, OFF, 4) ("x8-s2-far" 8, FAR, 2)),
            write: shapes!(Write write $features $vector, $width:
                ("x8-wfar" false, 8, FAR) ("x8" false, 8, OFF) ("x16" false, 16, OFF) ("x4" false, 4, OFF)
                ("x2" false, 2, OFF) ("x8-wnear" false, 8, NEAR)),
            copy: family!(@ all Copy copy $features $vector, $width),
            scale: family!(@ all Scale scale $features $vector, $width),
            add: family!(@ all Add add $features $vector, $width),
            triad: family!(@ all Triad triad $features $vector, $width),
            write_nt: shapes!(Write write $features $vector, $width:
                ("x8" true, 8, OFF) ("x16" true, 16, OFF) ("x4" true, 4, OFF) ("x2" true, 2, OFF)),
            copy_nt: family!(@ around Copy copy $features $vector, $width),
            triad_nt: family!(@ around Triad triad $features $vector, $width),
        }
    };
    (few $features:tt $vector:ty, $width:tt) => {
        Streams {
            read: shapes!(Read read $features $vector, $width:
                ("x8-far" 8, FAR, 1) ("x8" 8, OFF, 1) ("x2" 2, OFF, 1)),
            write: shapes!(Write write $features $vector, $width:
                ("x8-wfar" false, 8, FAR) ("x8" false, 8, OFF) ("x2" false, 2, OFF)),
            copy: family!(@ few Copy copy $features $vector, $width),
            scale: family!(@ few Scale scale $features $vector, $width),
            add: family!(@ few Add add $features $vector, $width),
            triad: family!(@ few Triad triad $features $vector, $width),
            write_nt: shapes!(Write write $features $vector, $width: ("x8" true, 8, OFF)),
            copy_nt: shapes!(Copy copy $features $vector, $width:
                ("x8-far" true, 8, FAR, OFF) ("x8" true, 8, OFF, OFF)),
            triad_nt: shapes!(Triad triad $features $vector, $width:
                ("x8-far" true, 8, FAR, OFF) ("x8" true, 8, OFF, OFF)),
        }
    };
    (@ all $kind:ident $loop_of:ident $features:tt $vector:ty, $width:tt) => {
        shapes!($kind $loop_of $features $vector, $width:
            ("x8-far-wfar" false, 8, FAR, FAR) ("x8" false, 8, OFF, OFF) ("x16" false, 16, OFF, OFF)
            ("x4" false, 4, OFF, OFF) ("x2" false, 2, OFF, OFF) ("x8-wfar" false, 8, OFF, FAR)
            ("x8-far" false, 8, FAR, OFF) ("x8-near-wnear" false, 8, NEAR, NEAR))
    };
    (@ few $kind:ident $loop_of:ident $features:tt $vector:ty, $width:tt) => {
        shapes!($kind $loop_of $features $vector, $width:
            ("x8-far-wfar" false, 8, FAR, FAR) ("x8" false, 8, OFF, OFF) ("x2" false, 2, OFF, OFF))
    };
    (@ around $kind:ident $loop_of:ident $features:tt $vector:ty, $width:tt) => {
        shapes!($kind $loop_of $features $vector, $width:
            ("x8-far" true, 8, FAR, OFF) ("x8" true, 8, OFF, OFF) ("x16" true, 16, OFF, OFF)
            ("x4" true, 4, OFF, OFF) ("x2" true, 2, OFF, OFF) ("x8-near" true, 8, NEAR, OFF))
    };
}
pub(super) use family;

/// For shapes that need nothing beyond their variant.
pub(super) fn always() -> bool {
    true
}
