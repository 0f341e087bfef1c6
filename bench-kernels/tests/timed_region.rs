//! What the timed region of the linked program calls: no allocation, no memcpy, memset or memmove.
//!
//! The compiler turns plain loops into such calls, and only the linked program shows it. Symbols are kept, the code is
//! that of a board. Direct calls are followed from the functions that are timed; what is called through pointers (the
//! inner loops of the variants, the jobs of the pool) is a start of its own.
//!
//! Builds the release program for every target, so it runs only when it is named: `--test timed_region`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Architecture, Object, ObjectSection, ObjectSymbol, SymbolKind};

const TARGETS: [&str; 2] = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];

/// Parts of the names of functions that are timed or called through pointers while something is.
const STARTS: [&[&str]; 5] = [
    &["Kernel", "7iterate"],
    &["6Decode8generate"],
    &["9TokenStep"],
    &["6chains6Linked7advance"],
    &["bench_kernels4simd"],
];

/// Not timed, although their names match [`STARTS`].
const NOT_TIMED: [&str; 7] = [
    "6detect",
    "3arm7has_sve",
    "4simd8variants",
    "4simd4best",
    "4simd7by_name",
    "4simd3Isa6shapes",
    "4simd3Isa5usual",
];

/// Called when something is wrong, or when a lock is contended or poisoned, which is never in a timed region that goes
/// well: not followed.
const LEAVES: [&str; 13] = [
    "core9panicking",
    "core6option",
    "core6result",
    "core5slice5index",
    "len_mismatch_fail",
    "slice_index",
    "panic",
    "lock_contended",
    "unlock_queue",
    "4wake",
    "sched_yield",
    "abort",
    "syscall",
];

/// What must not be reached.
const FORBIDDEN: [&str; 12] = [
    "memcpy",
    "memset",
    "memmove",
    "memcmp",
    "bcmp",
    "malloc",
    "calloc",
    "realloc",
    "free",
    "posix_memalign",
    "aligned_alloc",
    "mmap",
];

/// Parts of the names of Rust's own allocation functions.
const FORBIDDEN_PARTS: [&str; 4] = ["__rust_alloc", "__rust_realloc", "__rdl_", "alloc5alloc"];

#[test]
fn timed_region_reaches_no_allocation_and_no_memcpy() {
    for target in TARGETS {
        let program = Program::read(&build(target));
        let starts = program.starts();
        // Decode, the streams, GEMV and latency, and some inner loops of each variant.
        assert!(starts.len() > 50, "{target}: only {} starts", starts.len());
        for part in [
            "6Decode8generate",
            "9TokenStep",
            "7iterate",
            "6Linked7advance",
        ] {
            let is_found = starts.iter().any(|at| program.name(*at).contains(part));
            assert!(is_found, "{target}: no function `{part}`");
        }
        let found = program.forbidden_from(&starts);
        assert!(found.is_empty(), "{target}:\n{}", found.join("\n"));
    }
}

#[test]
fn finds_what_is_called() {
    for target in TARGETS {
        let program = Program::read(&build(target));
        // Setting up allocates and copies; if nothing is found there, nothing would be found anywhere.
        let found = program.forbidden_from(&program.named(&["6decode7prepare"]));
        for name in ["malloc", "memcpy"] {
            let is_found = found.iter().any(|way| way.ends_with(name));
            assert!(is_found, "{target}: `prepare` does not reach {name}");
        }
    }
}

/// The release program with its symbols, in a folder of its own: the one that is deployed stays as it is.
fn build(target: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target_dir = root.join("target/with-symbols");
    let status = Command::new(env!("CARGO"))
        .current_dir(&root)
        .args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "bench-kernels",
        ])
        .args([
            "--target",
            target,
            "--config",
            "profile.release.strip=false",
        ])
        .arg("--target-dir")
        .arg(&target_dir)
        .status()
        .expect("cargo runs this test, so it is there");
    assert!(status.success(), "the program for {target} builds");
    target_dir.join(target).join("release/bench-kernels")
}

/// The functions of a program and the direct calls between them.
struct Program {
    /// Every name of a function, by its address.
    names: BTreeMap<u64, Vec<String>>,
    /// Addresses of functions called or jumped to, by the address of the caller.
    calls: BTreeMap<u64, BTreeSet<u64>>,
}

impl Program {
    fn read(path: &Path) -> Program {
        let bytes = std::fs::read(path).expect("cargo has just built it");
        let file = object::File::parse(&*bytes).expect("it is an ELF file");
        let mut names: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for symbol in file.symbols() {
            if symbol.kind() == SymbolKind::Text && symbol.is_definition() {
                let name = symbol.name().unwrap_or_default().to_string();
                names.entry(symbol.address()).or_default().push(name);
            }
        }
        let text = file.section_by_name(".text").expect("it has code");
        let code = text.data().expect("its code is in the file");
        // Where addresses of functions are stored: the linker leaves many calls on x86_64 to go through these.
        let slots: BTreeMap<u64, u64> = file
            .dynamic_relocations()
            .into_iter()
            .flatten()
            .map(|(slot, relocation)| (slot, relocation.addend() as u64))
            .collect();
        let jumps = match file.architecture() {
            Architecture::Aarch64 => aarch64_jumps(code, text.address()),
            _ => x86_64_jumps(code, text.address(), &slots),
        };
        let mut calls: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for (at, to) in jumps {
            let Some((&caller, _)) = names.range(..=at).next_back() else {
                continue;
            };
            if names.contains_key(&to) && to != caller {
                calls.entry(caller).or_default().insert(to);
            }
        }
        Program { names, calls }
    }

    fn name(&self, at: u64) -> &str {
        &self.names[&at][0]
    }

    fn named(&self, parts: &[&str]) -> Vec<u64> {
        let has_all = |name: &String| parts.iter().all(|part| name.contains(part));
        let functions = self.names.iter();
        functions
            .filter(|(_, names)| names.iter().any(has_all))
            .map(|(at, _)| *at)
            .collect()
    }

    fn starts(&self) -> Vec<u64> {
        let all = STARTS.iter().flat_map(|parts| self.named(parts));
        all.filter(|at| !NOT_TIMED.iter().any(|part| self.name(*at).contains(part)))
            .collect()
    }

    /// One line for every forbidden function that is reached: how.
    fn forbidden_from(&self, starts: &[u64]) -> Vec<String> {
        let mut from: BTreeMap<u64, Option<u64>> = starts.iter().map(|at| (*at, None)).collect();
        let mut open: Vec<u64> = starts.to_vec();
        let mut found = Vec::new();
        while let Some(at) = open.pop() {
            if self.names[&at].iter().any(|name| is_forbidden(name)) {
                found.push(self.way_to(at, &from));
                continue;
            }
            if LEAVES.iter().any(|part| self.name(at).contains(part)) {
                continue;
            }
            for &to in self.calls.get(&at).into_iter().flatten() {
                if !from.contains_key(&to) {
                    from.insert(to, Some(at));
                    open.push(to);
                }
            }
        }
        found
    }

    fn way_to(&self, at: u64, from: &BTreeMap<u64, Option<u64>>) -> String {
        let mut way = vec![self.name(at)];
        let mut next = from[&at];
        while let Some(at) = next {
            way.push(self.name(at));
            next = from[&at];
        }
        way.reverse();
        way.join("\n  calls ")
    }
}

fn is_forbidden(name: &str) -> bool {
    FORBIDDEN.contains(&name) || FORBIDDEN_PARTS.iter().any(|part| name.contains(part))
}

/// BL and B, which jump by a signed number of words in their lowest 26 bits.
fn aarch64_jumps(code: &[u8], start: u64) -> Vec<(u64, u64)> {
    let (words, _) = code.as_chunks::<4>();
    let jumps = words
        .iter()
        .zip((start..).step_by(4))
        .filter_map(|(word, at)| {
            let word = u32::from_le_bytes(*word);
            let is_jump = word & 0x7c00_0000 == 0x1400_0000;
            let offset = i64::from((word as i32) << 6 >> 6) * 4;
            is_jump.then_some((at, at.wrapping_add_signed(offset)))
        });
    jumps.collect()
}

/// CALL and JMP to a distance of 32 bits or through a slot, and MOV of a slot's content into a register, through which
/// it may be called. They are looked for at every byte: what is no instruction leads to the start of a function with a
/// chance of one in a million.
fn x86_64_jumps(code: &[u8], start: u64, slots: &BTreeMap<u64, u64>) -> Vec<(u64, u64)> {
    let jumps = code.windows(7).zip(start..).filter_map(|(bytes, at)| {
        let far = |distance: &[u8], n_bytes: u64| {
            let distance = i32::from_le_bytes(distance.try_into().expect("four bytes"));
            (at + n_bytes).wrapping_add_signed(i64::from(distance))
        };
        let to = match bytes {
            [0xe8 | 0xe9, distance @ .., _, _] => Some(far(distance, 5)),
            [0xff, 0x15 | 0x25, distance @ .., _] => slots.get(&far(distance, 6)).copied(),
            // The register is in bits 3 to 5; the others say that the address is relative.
            [0x48 | 0x4c, 0x8b, mode, distance @ ..] if mode & 0xc7 == 0x05 => {
                slots.get(&far(distance, 7)).copied()
            }
            _ => None,
        };
        to.map(|to| (at, to))
    });
    jumps.collect()
}
