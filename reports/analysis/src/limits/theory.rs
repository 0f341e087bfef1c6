//! Theoretical bandwidth of a host's system memory, and where the figure comes from.
//!
//! Order of trust: what the fleet file states for this host, the board's data sheet, the firmware's own table.
//! Refuses to guess: a host that nothing is known about has no theoretical bandwidth, and the reason says what to add.

mod smbios;

use bench_inventory::{Board, Inventory, Memory, mt_per_s_to_gb_per_s};
use bench_protocol::{DramClock, Facts};

use bench_locales::Figure::{ClockHz, GbPerS};
use bench_locales::{Message, message};
use bench_run_dir::HostRecord;
use bench_run_dir::format;

/// Observed clocks within this share of the catalogue's are the same clock, rounded differently.
const SAME_CLOCK: f64 = 0.99;

/// Theoretical bandwidth of one memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Theory {
    /// GB/s (10^9 bytes per second).
    pub gb_per_s: f64,
    /// Kind of memory, for instance `LPDDR4X`; empty where it is not known.
    pub kind: String,
    /// How it was computed, in one line: `4224 MT/s x 64 bit / 8`.
    pub formula: String,
    /// Where the inputs come from.
    pub source: Message,
    /// What the reader must know beside it, for instance that the observed clock replaces the data sheet's.
    pub note: Option<Message>,
}

impl Theory {
    /// Theory of a memory as its data sheet describes it.
    pub fn of_memory(memory: &Memory) -> Theory {
        Theory {
            gb_per_s: memory.theoretical_gb_per_s(),
            kind: memory.kind.clone(),
            formula: formula(&memory.kind, memory.mt_per_s, memory.bus_bits),
            source: Message::quoted(&memory.source),
            note: None,
        }
    }
}

/// Catalogue id of a host's board: from its record, else from the fleet file of that day.
pub fn board_id<'a>(record: &'a HostRecord, inventory: &'a Inventory) -> Option<&'a str> {
    let in_fleet = || {
        let hosts = &inventory.fleet.hosts;
        hosts
            .iter()
            .find(|host| host.name == record.host)?
            .board
            .as_deref()
    };
    record.board.as_deref().or_else(in_fleet)
}

/// The board of a host, when the catalogue of that day has it.
pub fn board_of<'a>(record: &HostRecord, inventory: &'a Inventory) -> Option<&'a Board> {
    let id = board_id(record, inventory)?;
    inventory.boards.get(id)
}

/// Theoretical bandwidth of a host's system memory.
///
/// # Errors
/// A sentence that says why it is unknown and what to add, when neither the inventory nor the firmware tells.
pub fn of_host(
    record: &HostRecord,
    facts: Option<&Facts>,
    inventory: &Inventory,
) -> Result<Theory, Message> {
    if record.emulated {
        return Err(message!("theory-emulator"));
    }
    if let Some(memory) = stated_memory(record, inventory) {
        return Ok(with_observed_clock(
            memory,
            facts.and_then(|facts| facts.dram_clock.as_ref()),
        ));
    }
    if let Some(theory) = facts.and_then(smbios::theory) {
        return Ok(theory);
    }
    Err(unknown_reason(record, facts, inventory))
}

/// The memory that the CPU computes from: a graphics memory says nothing about kernels that run on CPU cores.
fn stated_memory<'a>(record: &HostRecord, inventory: &'a Inventory) -> Option<&'a Memory> {
    let hosts = &inventory.fleet.hosts;
    let in_fleet = hosts.iter().find(|host| host.name == record.host);
    let of_cpu = |memory: &&Memory| memory.processors.iter().any(|processor| processor == "cpu");
    (in_fleet.and_then(|host| host.memory.as_ref()))
        .or_else(|| board_of(record, inventory)?.memories.iter().find(of_cpu))
}

fn unknown_reason(record: &HostRecord, facts: Option<&Facts>, inventory: &Inventory) -> Message {
    let why = match (board_id(record, inventory), facts) {
        (Some(board), _) if board_of(record, inventory).is_some() => {
            message!("theory-no-cpu-memory", board = format::foreign(board))
        }
        (Some(board), _) => message!("theory-unknown-board", board = format::foreign(board)),
        (None, None) => message!("theory-no-board-no-facts"),
        (None, Some(facts)) => match &facts.smbios_note {
            Some(note) => message!("theory-firmware-note", note = format::foreign(note)),
            None => message!("theory-firmware-silent"),
        },
    };
    let remedy = message!("theory-remedy", host = format::foreign(&record.host));
    message!("clauses", first = why, rest = remedy)
}

/// Transfers per second follow the clock twice (double data rate), and the clock is state: what the kernel shows wins
/// over the data sheet when it is lower.
///
/// The clock was read while the board was idle, so the figure itself counts only where a governor holds it. Anything
/// else moves with the load, also without a governor (the EMC of a Jetson scales by itself): there the highest clock
/// that may be chosen counts.
fn with_observed_clock(memory: &Memory, clock: Option<&DramClock>) -> Theory {
    let mut theory = Theory::of_memory(memory);
    let Some(clock) = clock else { return theory };
    let is_held = is_clock_held(clock);
    let counted_hz = match (is_held, clock.max_hz) {
        (true, _) => clock.current_hz,
        (false, Some(max_hz)) => max_hz,
        (false, None) => {
            let read = ClockHz(clock.current_hz);
            theory.note = Some(match &clock.governor {
                Some(governor) => message!(
                    "theory-clock-moves",
                    clock = read,
                    governor = format::foreign(governor),
                ),
                None => message!("theory-clock-not-held", clock = read),
            });
            return theory;
        }
    };
    let observed_mt_per_s = counted_hz as f64 * 2.0 / 1e6;
    if observed_mt_per_s >= memory.mt_per_s * SAME_CLOCK || counted_hz == 0 {
        return theory;
    }
    let observed = match is_held {
        true => message!("theory-clock-observed", clock = ClockHz(counted_hz)),
        false => message!("theory-clock-highest", clock = ClockHz(counted_hz)),
    };
    theory.gb_per_s = mt_per_s_to_gb_per_s(observed_mt_per_s, memory.bus_bits);
    theory.formula = formula(&memory.kind, observed_mt_per_s, memory.bus_bits);
    theory.source = message!(
        "theory-source-observed",
        clock = &observed,
        path = format::foreign(&clock.path),
        source = &memory.source,
    );
    theory.note = Some(message!(
        "theory-note-observed",
        clock = observed,
        rate = GbPerS(memory.theoretical_gb_per_s()),
    ));
    theory
}

/// Whether the clock stays where it was read: only these governors do not look at the load.
///
/// Source: the Linux kernel's devfreq governors (drivers/devfreq/governor_*.c).
pub fn is_clock_held(clock: &DramClock) -> bool {
    matches!(
        clock.governor.as_deref(),
        Some("performance" | "powersave" | "userspace")
    )
}

fn formula(kind: &str, mt_per_s: f64, bus_bits: u32) -> String {
    format!("{kind} {mt_per_s:.0} MT/s x {bus_bits} bit / 8")
        .trim_start()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bench_inventory::Sourced;

    use super::*;

    fn rock() -> Memory {
        Memory {
            name: "system".into(),
            kind: "LPDDR4X".into(),
            mt_per_s: 4224.0,
            bus_bits: 64,
            source: "boot log".into(),
            capacities_bytes: Sourced {
                value: vec![1 << 34],
                source: "vendor".into(),
            },
            usable_bytes: None,
            processors: vec!["cpu".into()],
            quoted: Vec::new(),
        }
    }

    fn clock(current_hz: u64, governor: Option<&str>) -> DramClock {
        DramClock {
            path: "/sys/class/devfreq/dmc/cur_freq".into(),
            current_hz,
            max_hz: Some(2_112_000_000),
            governor: governor.map(str::to_owned),
        }
    }

    fn host(board: Option<&str>) -> HostRecord {
        HostRecord {
            host: "desk".into(),
            board: board.map(str::to_owned),
            transport: "local".into(),
            emulated: false,
            status: bench_run_dir::HostStatus::Ok,
            stage: None,
            reason: None,
            stderr_tail: Vec::new(),
            n_garbage_lines: 0,
            complete: true,
            artifact_sha256: None,
            stage_s: BTreeMap::new(),
            unrestored: Vec::new(),
        }
    }

    fn inventory(memories: Vec<Memory>, in_fleet: Option<Memory>) -> Inventory {
        let board = Board {
            id: "rock-5b".into(),
            name: "Rock".into(),
            soc: "RK3588".into(),
            silicon: "RK3588".into(),
            arch: "aarch64".into(),
            clusters: Vec::new(),
            accelerators: Vec::new(),
            memories,
            source: "vendor".into(),
            published: Vec::new(),
            latencies: Vec::new(),
            prices: Vec::new(),
        };
        let desk = bench_inventory::Host {
            name: "desk".into(),
            board: Some("rock-5b".into()),
            transport: bench_inventory::Transport::Local,
            tags: Vec::new(),
            prepare: Default::default(),
            emulated: false,
            memory: in_fleet,
        };
        Inventory {
            boards: BTreeMap::from([("rock-5b".into(), board)]),
            models: BTreeMap::new(),
            suites: BTreeMap::new(),
            references: BTreeMap::new(),
            quality: BTreeMap::new(),
            fleet: bench_inventory::Fleet { hosts: vec![desk] },
        }
    }

    #[test]
    fn fleet_file_wins_over_the_board_and_the_board_over_the_firmware() {
        let stated = Memory {
            mt_per_s: 4000.0,
            ..rock()
        };
        let facts = Facts {
            smbios_memory: vec![smbios::tests::device("", "DIMM 0")],
            ..Facts::default()
        };
        let theory = |inventory: &Inventory| {
            of_host(&host(None), Some(&facts), inventory)
                .unwrap()
                .gb_per_s
        };
        assert_eq!(theory(&inventory(vec![rock()], Some(stated))), 32.0);
        assert_eq!(theory(&inventory(vec![rock()], None)), 33.792);
        assert_eq!(theory(&Inventory::default()), 38.4);
    }

    #[test]
    fn graphics_memory_does_not_bound_the_cpu() {
        let vram = Memory {
            name: "vram".into(),
            processors: vec!["gpu".into()],
            ..rock()
        };
        let why = of_host(&host(None), None, &inventory(vec![vram], None))
            .unwrap_err()
            .to_string();
        assert!(
            why.contains("no memory of the CPU") && why.contains("add `memory:`"),
            "{why}"
        );
    }

    #[test]
    fn unknown_theory_says_what_to_add() {
        let why = of_host(&host(Some("no-such")), None, &Inventory::default())
            .unwrap_err()
            .to_string();
        assert!(
            why.contains("`no-such` is not in the catalogue of this run"),
            "{why}"
        );
        assert!(why.contains("to host `desk` in the fleet file"), "{why}");
    }

    #[test]
    fn data_sheet_clock_counts_when_nothing_is_observed() {
        assert_eq!(with_observed_clock(&rock(), None).gb_per_s, 33.792);
        assert_eq!(
            with_observed_clock(&rock(), Some(&clock(2_112_000_000, None))).note,
            None
        );
    }

    #[test]
    fn lower_observed_clock_replaces_the_data_sheet() {
        let theory = with_observed_clock(&rock(), Some(&clock(528_000_000, Some("userspace"))));
        assert_eq!(theory.gb_per_s, 8.448);
        assert!(theory.note.unwrap().to_string().contains("528 MHz"));
    }

    #[test]
    fn idle_clock_without_a_governor_does_not_count() {
        // The EMC of a Jetson shows its clock in debugfs and scales by itself.
        let mut emc = clock(204_000_000, None);
        assert_eq!(with_observed_clock(&rock(), Some(&emc)).gb_per_s, 33.792);
        emc.max_hz = Some(1_600_000_000);
        let capped = with_observed_clock(&rock(), Some(&emc));
        assert_eq!(capped.gb_per_s, 25.6);
        assert!(
            capped
                .note
                .unwrap()
                .to_string()
                .contains("highest DRAM clock")
        );
        emc.max_hz = None;
        let unknown = with_observed_clock(&rock(), Some(&emc));
        assert_eq!(unknown.gb_per_s, 33.792);
        assert!(
            unknown
                .note
                .unwrap()
                .to_string()
                .contains("not held by a governor")
        );
    }

    #[test]
    fn unheard_of_governor_is_taken_to_scale() {
        let theory = with_observed_clock(&rock(), Some(&clock(528_000_000, Some("tegra_wmark"))));
        assert_eq!(theory.gb_per_s, 33.792);
        let held = with_observed_clock(&rock(), Some(&clock(528_000_000, Some("powersave"))));
        assert_eq!(held.gb_per_s, 8.448);
    }

    #[test]
    fn idle_clock_of_a_scaling_governor_does_not_count() {
        let theory = with_observed_clock(&rock(), Some(&clock(528_000_000, Some("dmc_ondemand"))));
        assert_eq!(theory.gb_per_s, 33.792);
    }
}
