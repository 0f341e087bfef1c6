//! Which board of the catalogue a machine is, by what it tells about itself.

use std::collections::BTreeSet;

use bench_inventory::{Board, Inventory};
use bench_locales::Figure::BinaryBytes;
use bench_locales::{Message, message};
use bench_protocol::Facts;

/// Words that make another product of a name: a `5 Plus` is no `5`.
const VARIANT_WORDS: [&str; 12] = [
    "plus", "max", "pro", "ultra", "lite", "zero", "compute", "module", "nx", "agx", "super",
    "mini",
];

/// Share of a board's RAM that Linux shows at least; firmware, graphics and the kernel keep the rest.
const MIN_SHOWN: f64 = 0.8;

/// What is proposed, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// Id of the board.
    pub board: Option<String>,
    /// What speaks for it, or why there is none.
    pub reasons: Vec<Message>,
}

/// The board that the machine's names and memory fit best.
pub fn propose(facts: &Facts, inventory: &Inventory) -> Proposal {
    let names = [&facts.device_tree_model, &facts.cpu_model];
    let names: Vec<&str> = names.into_iter().flatten().map(String::as_str).collect();
    if names.is_empty() {
        return none(message!("add-no-name"));
    }
    let told = names.join(", ");
    let words = words(&told);
    let model = facts.device_tree_model.as_deref().unwrap_or_default();
    // The revision of a board is a number, and does not make it another one.
    let model = model.split(" Rev ").next().unwrap_or_default();
    let numbers: BTreeSet<String> = (self::words(model).into_iter())
        .filter(|word| word.contains(|c: char| c.is_ascii_digit()))
        .collect();
    let same_arch = inventory
        .boards
        .values()
        .filter(|board| board.arch == facts.arch);
    let mut matches: Vec<(usize, &Board)> = same_arch
        .filter_map(|board| Some((score(board, &words, &numbers)?, board)))
        .collect();
    matches.sort_by_key(|(score, board)| (std::cmp::Reverse(*score), &board.id));
    let Some((_, board)) = matches.first() else {
        return none(message!("add-unknown-name", name = told));
    };
    let mut reasons = vec![message!("add-name", name = told)];
    match ram(board, facts) {
        Ok(reason) => reasons.extend(reason),
        Err(reason) => return none(reason),
    }
    let n_cores: u32 = board.clusters.iter().map(|cluster| cluster.n_cores).sum();
    let n_cpus = facts.cpus.len();
    if n_cores > 0 && n_cpus as u32 > n_cores {
        return none(message!(
            "add-more-cpus",
            board = &board.id,
            n = n_cpus,
            n_board = n_cores,
        ));
    }
    if n_cores > 0 {
        reasons.push(message!("add-cpus", n = n_cpus, n_board = n_cores));
    }
    Proposal {
        board: Some(board.id.clone()),
        reasons,
    }
}

fn none(reason: Message) -> Proposal {
    Proposal {
        board: None,
        reasons: vec![reason],
    }
}

/// Number of words of the board's id or name, if the machine has all of them and no word of another variant. `numbers` are
/// the words of its model that have a digit, of which the board must know all.
fn score(board: &Board, told: &BTreeSet<String>, numbers: &BTreeSet<String>) -> Option<usize> {
    // What stands in brackets is a setting or a size, which no device tree tells.
    let name = board.name.split('(').next().unwrap_or_default();
    let known: BTreeSet<String> = words(&board.id).union(&words(name)).cloned().collect();
    let is_another = |word: &str| told.contains(word) && !known.contains(word);
    // Some models name their chip, too.
    let chip = words(&board.soc);
    let mut unknown = numbers
        .iter()
        .filter(|it| !known.contains(*it) && !chip.contains(*it));
    if VARIANT_WORDS.into_iter().any(is_another) || unknown.next().is_some() {
        return None;
    }
    let fits = |own: BTreeSet<String>| own.is_subset(told).then_some(own.len());
    fits(words(&board.id)).max(fits(words(name)))
}

/// Whether some size of the board explains the RAM that the machine shows.
fn ram(board: &Board, facts: &Facts) -> Result<Option<Message>, Message> {
    let (Some(memory), Some(total_bytes)) = (board.memories.first(), facts.memory.total_bytes)
    else {
        return Ok(None);
    };
    let shown = BinaryBytes(total_bytes);
    let sizes = &memory.capacities_bytes.value;
    let size = sizes
        .iter()
        .find(|size| (MIN_SHOWN..=1.0).contains(&(total_bytes as f64 / **size as f64)));
    match size {
        Some(size) => Ok(Some(message!(
            "add-ram",
            shown = shown,
            size = BinaryBytes(*size)
        ))),
        None => Err(message!(
            "add-other-ram",
            board = &board.id,
            shown = shown,
            sizes = (sizes.iter().copied()).map(BinaryBytes).collect::<Vec<_>>(),
        )),
    }
}

/// The words of a name; a `+` is a word of its own, as a `5B+` is no `5B`.
fn words(text: &str) -> BTreeSet<String> {
    text.to_lowercase()
        .replace('+', " plus ")
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_protocol::MemoryFacts;

    fn check(model: &str, n_cpus: u32, gib: f64, expect: Option<&str>) {
        let inventory = bench_inventory::load(&crate::workspace::inventory_dir(), None).unwrap();
        let cpu = |cpu| bench_protocol::CpuFacts {
            cpu,
            ..bench_protocol::CpuFacts::default()
        };
        let facts = Facts {
            arch: "aarch64".into(),
            device_tree_model: Some(model.into()),
            cpus: (0..n_cpus).map(cpu).collect(),
            memory: MemoryFacts {
                total_bytes: Some((gib * f64::from(1u32 << 30)) as u64),
                ..MemoryFacts::default()
            },
            ..Facts::default()
        };
        let proposal = propose(&facts, &inventory);
        assert_eq!(
            proposal.board.as_deref(),
            expect,
            "{model}: {:?}",
            proposal.reasons
        );
        assert!(!proposal.reasons.is_empty());
    }

    #[test]
    fn recognises_boards_by_what_their_device_tree_says() {
        check("Radxa ROCK 5B", 8, 15.6, Some("rock-5b"));
        check("Radxa ROCK 5 Model B", 8, 7.7, Some("rock-5b"));
        check("Radxa ROCK 5 ITX", 8, 31.2, Some("rock-5-itx"));
        check(
            "Raspberry Pi 4 Model B Rev 1.4",
            4,
            3.7,
            Some("raspberry-pi-4"),
        );
        check(
            "Raspberry Pi 5 Model B Rev 1.0",
            4,
            7.9,
            Some("raspberry-pi-5"),
        );
        check("Orange Pi 5 Max", 8, 15.5, Some("orange-pi-5-max"));
        check("Orange Pi 5", 8, 7.7, Some("orange-pi-5"));
        check(
            "NVIDIA Jetson Orin Nano Developer Kit",
            6,
            7.4,
            Some("jetson-orin-nano"),
        );
        let super_mode = "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super";
        check(super_mode, 6, 7.4, Some("jetson-orin-nano-super"));
    }

    #[test]
    fn proposes_nothing_that_does_not_fit() {
        check("Orange Pi 5 Plus", 8, 15.5, None);
        check("Radxa ROCK 5B+", 8, 15.6, None);
        check("Radxa ROCK 5 ITX+", 8, 15.6, None);
        check("Radxa ROCK 5B Plus", 8, 15.6, None);
        check("Raspberry Pi 4 Model B 2 Rev 1.4", 4, 3.7, None);
        check("Raspberry Pi 500 Rev 1.0", 4, 7.9, None);
        check("Raspberry Pi Compute Module 4 Rev 1.0", 4, 3.7, None);
        check("linux,dummy-virt", 2, 1.0, None);
        check("Raspberry Pi 4 Model B Rev 1.4", 4, 15.6, None);
        check("Radxa ROCK 5B", 64, 15.6, None);
    }
}
