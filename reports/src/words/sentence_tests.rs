//! Sentences that no fixture brings about: one example of each form, as its module writes it.

use super::*;

/// As a template sets it: code between backticks, `[[` and `]]` around names from outside.
fn html(text: &str) -> String {
    let mut out = String::from("<p>");
    for (i, part) in text.split('`').enumerate() {
        let part = crate::svg::escape(part);
        let part = part
            .replace("[[", &NAME_MARKS[0].to_string())
            .replace("]]", &NAME_MARKS[1].to_string());
        match i % 2 {
            0 => out += &part,
            _ => out += &format!("<code>{part}</code>"),
        }
    }
    out + "</p>"
}

fn check_all(sentences: &[&str]) {
    let words = Words::new(Language::Spanish);
    for sentence in sentences {
        words.page(&html(sentence), None);
    }
    let missing: Vec<String> = words.missing().into_iter().collect();
    assert!(
        missing.is_empty(),
        "{} texts have no Spanish:\n> {}\n< ",
        missing.len(),
        missing.join("\n< \n> ")
    );
}

#[test]
fn findings() {
    check_all(&[
        "No host was measured in this run: everything below is theory.",
        "Every host ran under an emulator, whose times mean nothing: everything below is theory.",
        "No host gave a usable measurement of its memory bandwidth: every bound below is theory.",
        "`rock` ([[ROCK 5B]]) reaches 71 % of its memory bandwidth: it reads 24.1 GB/s of 33.8 GB/s in theory.",
        "`rock` reads 24.1 GB/s; how much of its memory bandwidth that is cannot be judged, because its theory is unknown.",
        "`rock` ([[ROCK 5B]]) reads 24.1 GB/s; how much of its memory bandwidth that is cannot be judged, because its theory is unknown.",
        "2 hosts were measured; `rock` reads most, 24.1 GB/s. How much of their memory bandwidth that is cannot be judged, because their theory is unknown.",
        "12 hosts were measured; `rock` ([[ROCK 5B]]) reads most, 24.1 GB/s. How much of their memory bandwidth that is cannot be judged, because their theory is unknown.",
        "`rock` ([[ROCK 5B]]) reaches 71 % of its memory bandwidth; `desk` reads most of all hosts, 24.1 GB/s.",
        "`rock` reaches 71 % of its memory bandwidth; `desk` ([[ROCK 5B]]) reads most of all hosts, 24.1 GB/s.",
        "The hosts reach between 41 % (`rock`) and 83 % (`desk`) of their memory bandwidth; `desk` reads most, 40 GB/s.",
        "[[Qwen2.5 1.5B]] in q4_0 is bounded at 28.1 tokens/s there; it fits the free RAM.",
        "[[Qwen2.5 1.5B]] in Q4_K_M is bounded at 28.1 tokens/s there, and makes 24 tokens/s as measured; it does not fit the free RAM.",
        "[[Qwen2.5 1.5B]] in Q4_K_M is bounded at 28.1 tokens/s there, and 14 to 22 tokens/s are predicted; whether it fits is unknown.",
        "[[Qwen2.5 1.5B]] in Q4_K_M is bounded at 28.1 tokens/s there, and 14 to 22 tokens/s are predicted; it fits the free RAM.",
        "[[Qwen2.5 1.5B]] in Q4_K_M is bounded at 8.1 tokens/s on `rock` and at 28.1 tokens/s on `desk`; it fits the free RAM of 2 of 3 hosts.",
        "By theory alone, the fastest memory of the 31 boards in the catalogue is that of [[Jetson]]: 204.8 GB/s bound [[Qwen2.5 1.5B]] in Q4_K_M at 200 tokens/s, and it fits there.",
        "By theory alone, the fastest memory of the 1 board in the catalogue is that of [[Jetson]]: 204.8 GB/s bound [[Qwen2.5 1.5B]] in Q4_K_M at 200 tokens/s, and it does not fit there.",
        "By theory alone, the fastest memory of the 31 boards in the catalogue is that of [[Jetson]]: 204.8 GB/s bound [[Qwen2.5 1.5B]] in Q4_K_M at 200 tokens/s, and it does not fit there.",
        "Whether the memory or the kernel limits token generation is open: no host decoded a model.",
        "Memory limits token generation as far as known: the kernel's own limit was not measured.",
        "Memory limits token generation as far as known: the kernel's own limit was not measured. The best, on `rock`, makes 86 % of the tokens that its measured limits allow.",
        "Memory, not the kernel, limits token generation in the one case that was measured.",
        "Memory, not the kernel, limits token generation in all 8 measured cases. For 2 of them the kernel's own limit was not measured. The best, on `rock`, makes 86 % of the tokens that its measured limits allow.",
        "The kernel, not the memory, limits token generation in the one case that was measured. The best, on `rock`, makes 86 % of the tokens that its measured limits allow.",
        "The kernel, not the memory, limits token generation in all 3 measured cases.",
        "Memory, not the kernel, limits token generation in the one case that was measured. It makes 86 % of the tokens that its measured limits allow.",
        "The kernel, not the memory, limits token generation in 1 of 8 measured cases: `rock` ([[qwen2.5-1.5b q2_k]]).",
        "The kernel, not the memory, limits token generation in 2 of 8 measured cases: `rock` ([[qwen2.5-1.5b q2_k]] and [[qwen2.5-1.5b q3_k_m]]).",
        "The kernel, not the memory, limits token generation in 5 of 8 measured cases: `a` ([[m q2_k]], [[n q2_k]], [[o q2_k]] and 2 more), `b` ([[m q2_k]]), `c` ([[m q2_k]]) and 1 more host. For 2 of them the kernel's own limit was not measured.",
        "The kernel, not the memory, limits token generation in 5 of 8 measured cases: `a` ([[m q2_k]]), `b` ([[m q2_k]]), `c` ([[m q2_k]]) and 12 more hosts.",
    ]);
}

#[test]
fn what_a_host_did() {
    check_all(&[
        "was skipped: [[no time]].",
        "was not reached (stage: connect): [[gave up]].",
        "did not finish (stage: measure): [[gave up]].",
        "was interrupted: no reason was recorded.",
        "was interrupted (stage: collect): no reason was recorded.",
        "ran under an emulator: 1 unit gave the right output. Its times mean nothing and are compared with nothing.",
        "ran under an emulator: 12 units gave the right output. Its times mean nothing and are compared with nothing. Noted: [[swapped]].",
        "ran under an emulator: 1 output is right, 2 wrong. Its times mean nothing and are compared with nothing.",
        "ran under an emulator: 4 outputs are right, 2 wrong. Its times mean nothing and are compared with nothing.",
        "reads 24.1 GB/s with 4 threads: 71 % of the theoretical 33.8 GB/s.",
        "([[ROCK 5B]]) reads 24.1 GB/s with 1 thread: 71 % of the theoretical 33.8 GB/s.",
        "reads 24.1 GB/s with 4 threads. Its theoretical bandwidth is unknown: the host names no board and told no facts; add `memory:` (`mt-per-s`, `bus-bits`, `source`) or a `board:` to host `rock` in the fleet file.",
        "Until then it read 24.1 GB/s with 4 threads: 71 % of the theoretical 33.8 GB/s.",
        "Until then it read 24.1 GB/s with 1 thread. Its theoretical bandwidth is unknown: an emulator has no memory bus of its own.",
        "has no usable measurement of its read bandwidth: see its page for the reasons. 1 unit is invalid and not used.",
        "Decoding qwen2.5-1.5b in q4_0 at depth 0 with 4 threads it makes 24 tokens/s, 86 % of what its measured limits allow.",
        "[[Qwen2.5 1.5B]] in Q4_K_M is bounded at 28.1 tokens/s there (38 tokens/s by theory).",
        "2 of 4, with 3 of the plan's 12 hosts",
        "600 s for each host",
        "2026-01-31T22:15:04Z, interrupted",
    ]);
}

#[test]
fn theory_of_a_host() {
    check_all(&[
        "the catalogue names no memory of the CPU for board `rock`; add `memory:` (`mt-per-s`, `bus-bits`, `source`) or a `board:` to host `rock` in the fleet file",
        "board `rock` is not in this run's catalogue; add `memory:` (`mt-per-s`, `bus-bits`, `source`) or a `board:` to host `rock` in the fleet file",
        "the host names no board, and its firmware tells nothing (no SMBIOS table on this board); add `memory:` (`mt-per-s`, `bus-bits`, `source`) or a `board:` to host `rock` in the fleet file",
        "the host names no board, and its firmware tells no memory speed; add `memory:` (`mt-per-s`, `bus-bits`, `source`) or a `board:` to host `rock` in the fleet file",
        "the DRAM clock read 528 MHz while the board was idle, and its governor `dmc_ondemand` lets it move; the data sheet's clock is used",
        "the DRAM clock read 528 MHz while the board was idle, and no governor holds it; the data sheet's clock is used",
        "uses the observed DRAM clock, 528 MHz, which is below the data sheet's: that one would give 33.8 GB/s",
        "uses the highest DRAM clock that may be chosen, 528 MHz, which is below the data sheet's: that one would give 33.8 GB/s",
        "observed DRAM clock, 528 MHz (`/sys/x`); bus width: [[boot log]]",
        "highest DRAM clock that may be chosen, 528 MHz (`/sys/x`); bus width: [[boot log]]",
        "a virtual machine ([[KVM]]): the firmware's table is the hypervisor's word; counts a module whose slot names no channel as a channel of its own; with two modules per channel the figure is twice too high; state `memory:` in the fleet file to be exact",
        "counts each of the 4 modules whose slots name no channel as a channel of its own; with two modules per channel the figure is twice too high; state `memory:` in the fleet file to be exact",
    ]);
}

#[test]
fn verdicts() {
    check_all(&[
        "an emulator ran it: the output was checked, the time means nothing",
        "a sample took 0 ns: the board's clock is too coarse for it",
        "the unit ended without a sample",
        "skipped without a reason",
        "failed without a reason",
        "the stream ended before the first sample of this unit",
        "the stream ended before this unit",
        "samples without a checked output: the record that the unit got ready is missing",
        "the kernel's output differs from the reference: error 1.20e-3, allowed 1.00e-5",
        "101 % of its bound cannot be; likely causes, first the likeliest: the working set is not much larger than the caches, the read measurement was disturbed, so the bound is too low, part of the working set stayed in a cache, the kernel counts bytes it does not move",
        "101 % of its bound cannot be; likely causes, first the likeliest: the clock was higher than while the peak was measured, the kernel counts operations it does not do",
        "101 % of its bound cannot be; likely causes, first the likeliest: the DRAM clock was raised after it was read, the memory's entry (`mt-per-s`, `bus-bits`) is not what is fitted, the kernel counts bytes it does not move",
        "only 12 % of theory; likely causes, first the likeliest: the board told no facts to look at",
        "only 12 % of theory; likely causes, first the likeliest: 1 of 8 CPUs used, and few cores rarely fill the bus, the DRAM ran at 204 MHz, below its highest clock, the cpufreq governor is `powersave`, a virtual machine shares the bus with its neighbours, other programs ran (load 3.2), fewer channels are populated than the board has",
        "samples spread by 11 % around the median: something else ran, or the clock changed",
        "the working set fits the caches: this may not be the memory's rate",
        "the stream ended in the middle of this unit: fewer samples than asked for",
        "the unit did not end well: no reason given",
        "the board was throttled: its CPUs counted 1 throttling for heat; cool it, or use the supply its maker names",
        "the board was throttled: its CPUs counted 2 throttlings for heat; cool it, or use the supply its maker names",
        "the board was throttled: its firmware held the clock back when the unit ended; cool it, or use the supply its maker names",
        "the board was throttled: its firmware held the clock back for a part of the time; cool it, or use the supply its maker names",
        "the CPU quota of its container or service stopped it 69 times meanwhile; measure without a quota, or with fewer threads",
        "the board was throttled: its kernel held clocks back for heat when the unit ended; cool it, or use the supply its maker names",
        "the board swapped meanwhile (257 pages): part of this is the speed of its disk; free memory or take a smaller model",
        "other programs took 40 % of the CPUs meanwhile; stop them, or see `prepare` in the fleet file",
        "CPU 4 fell to 1.61 GHz, its highest clock is 2.35 GHz: set its governor to `performance`, and look at its temperature",
        "the memory ran at 1.56 GHz, its highest clock is 2.11 GHz: set `dram-governor: performance` under `prepare` in the fleet file",
    ]);
}

#[test]
fn the_state_of_a_host() {
    check_all(&[
        "a virtual machine (KVM): neighbours share the memory bus, so figures drift",
        "governor `ondemand` on CPUs 0-1: short samples may run before the clock has risen",
        "the DRAM is held at 528 MHz, its highest clock is 2.11 GHz",
        "the hottest zone is at 81.5 °C before anything runs",
        "let it cool down, or improve its cooling",
        "the supply voltage is too low now, the clock is capped now, the firmware throttles now and the soft temperature limit is reached now (flags 0xf)",
        "the supply voltage was too low since boot and the firmware throttled since boot (flags 0x50000)",
        "the clock was capped since boot (flags 0x20000)",
        "the soft temperature limit was reached since boot (flags 0x80000)",
        "the firmware reports throttling (flags 0x100)",
        "use the supply that the board's maker names, cool the board, then reboot it",
        "other programs run: load 1.75 over the last minute",
        "stop what is not needed (`top` shows what runs), or wait a minute if it has ended",
        "512 MiB of swap are in use: pages may come from disk",
        "free memory, then `sudo swapoff -a && sudo swapon -a`",
        "only 3 GiB of 8 GiB of RAM are available",
        "whether the firmware throttles is not known: neither `get_throttled` nor the mailbox `/dev/vcio` can be read",
        "use the kernel of Raspberry Pi OS, or let the user read `/dev/vcio` (group `video`)",
        "a quota lets a container or service use 1.5 of 3 CPUs at a time: threads beyond it are stopped",
        "measure outside the container, or without `--cpus`, `CPUQuota=` or a limit of CPUs",
        "a container or service may use 2 GiB of 8 GiB of RAM",
        "measure outside the container, or without its limit of memory",
        "stop services that hold memory: larger models fit, and the bus is theirs alone",
        "transparent huge pages are off: walking through memory costs page-table look-ups",
    ]);
}

#[test]
fn decisions_and_remedies() {
    check_all(&[
        "no model reaches that pace",
        "no model fits",
        "no prediction: token rates of fewer than 3 machines with Mali GPUs are known, and those of other families say nothing of them",
        "quantise to q3_k_m instead of q4_0",
        "+12 % tokens/s if bytes alone decide, 120 MB less RAM; perplexity +0.5 % over F16 instead of +0.2 % ([[Llama]]: [[source]])",
        "+12 % tokens/s if bytes alone decide, 120 MB less RAM; its loss of quality is not published in the catalogue",
        "store keys and values as q8_0 instead of f16",
        "+12 % tokens/s at the end of the context if bytes alone decide, 120 MB less RAM",
        "halve the context to 2048 tokens",
        "stop services and settle the clocks",
        "not known from data sheets: measure a host of this board with `--compare-environment`",
        "prepare the board as the fleet file says",
        "+8 % tokens/s (median of 1 unit measured before and after)",
        "+8 % tokens/s (median of 3 units measured before and after)",
        "not known: give the host `prepare` and measure with `--compare-environment`",
        "keep other programs off the memory bus",
        "0.4 tokens/s for each GB/s that others stop reading",
        "free 1.2 GB of RAM",
        "[[Qwen2.5 7B]] in q4_0 would fit, and is likely fast enough",
        "take board jetson-orin (cpu)",
        "14 to 22 tokens/s (predicted); 249 US dollars on 2025-11-23",
        "14 tokens/s (measured); price not in the catalogue",
        "95 % interval of the median of 1 sample (`decode`)",
        "95 % interval of the median of 9 samples (`decode`)",
        "80 % interval from 12 figures of this very machine (shares of its own best read), scattering as those of other machines do",
        "80 % interval from 1 figure of this very machine (shares of its own best read), scattering as those of other machines do",
        "80 % interval from 12 machines: CPUs with [[Cortex-A76]] and [[LPDDR4X]]",
        "80 % interval from 12 machines and 3 figures of the same chip and memory: Apple GPUs with [[LPDDR]] of any kind",
        "80 % interval from 1 machine and 1 figure of the same chip and memory: all Arm CPUs",
        "80 % interval from 12 machines: all GPUs",
        "80 % interval from 12 machines: all NPUs",
        "80 % interval from 12 machines: RKNPU NPUs with [[RK3588]]",
        "80 % interval from 12 machines: CPUs with unknown cores",
        "Check of the predictions: left out one by one, 1 of 2 figures on 1 machine lay in the interval predicted from the others; that is 50 % where 80 % are meant (95 % interval 1 % to 99 %); where other figures of a machine are known, 3 of 4 did",
        "capacity less 1.5 GB for the system (assumed)",
        "RAM free on host `rock` before it was measured",
        "fits from 8 GiB",
        "fit unknown",
        "does not fit",
        "memory: controller, DRAM, fabric",
        "cores and instruction set",
        "implementation: attention, norms, threads waiting",
        "memory, in theory",
        "memory, as far as known",
        "kernel (the cores)",
        "unknown",
    ]);
}

#[test]
fn sections_of_a_host() {
    check_all(&[
        "The cache is faster from position 32 on, the first that was measured; at position 512 it saves a factor of 12.",
        "The cache is faster from about position 32 on.",
        "Recomputing was never slower at the positions measured.",
        "From F16 to q4_0 a token moves 3.5 times fewer bytes and comes 3.1 times faster. Every step gains what its bytes promise, within 5 %.",
        "From F16 to q4_0 a token moves 3.5 times fewer bytes and comes 3.1 times faster. Less than the bytes promise, by more than 5 %: [[q4_0]], [[q3_k_m]] and [[q2_k]]; there the cores, not the memory, set the pace.",
        "Each GB/s that others read costs 0.4 tokens/s. At most they read 8 GB/s (alone they reach 12 GB/s); the speed was 7.1 tokens/s then and 10 tokens/s on a quiet bus.",
        "What others read costs nothing beyond the scatter of these figures. At most they read 8 GB/s; the speed was 7.1 tokens/s then and 10 tokens/s on a quiet bus.",
        "24 tokens/s at first, 22 tokens/s in the second half of 10 min: 92 % is kept. This board does not tell the clock and the temperature.",
        "24 tokens/s at first, 22 tokens/s in the second half of 180 s: 92 % is kept. This board does not tell the temperature.",
        "A load from memory that has to wait for the one before takes 140 ns (1 GiB of memory, random order).",
        "The 95 % interval of that read over 3 rounds is 18.1 to 21.7 GB/s, so the bound is 4.1 to 5 tokens/s.",
        "The 95 % interval of that read over 3 rounds is 18.1 to 21.7 GB/s.",
        "1 line of the stream is not a message",
        "3 lines of the stream are not messages",
        "Limited by the number of threads: 1 thread reads only 9 GB/s",
        "Limited by something unknown: the read bandwidth was not measured",
        "extrapolated: 4 of 28 layers held and used again",
        "1 more remark like these",
        "5 more remarks like these",
        "run by this run, under the same supervision as every unit: ok",
        "run by this run, under the same supervision as every unit: suspect, samples spread by 11 % around the median: something else ran, or the clock changed",
        "not held against theory: neither its board nor its host tells a memory; give the host a `board:` or `memory:` in the fleet file",
        "not held against theory: neither its board nor its host tells a memory; import it with `--board` or `--host`",
        "`host.json` cannot be read: [[denied]]",
        "its folder cannot be read: [[denied]]",
        "`hosts/x` is a symbolic link and is left out",
        "`hosts/x` is a pipe and is left out",
        "`stream.jsonl` has more than 128 MiB: what follows is not read",
        "`host.json` is that of another host, `x`",
        "the run names 12\u{2009}000 hosts: only the first 10\u{2009}000 are read",
        "1 host is of `manifest.json` left out, `..` for instance: such a name cannot be that of a folder",
        "2 hosts are of `manifest.json` left out, `..` for instance: such a name cannot be that of a folder",
        "1 other attempt of this host lie in `attempts/`: the runs that were merged measured it more than once",
        "2 other attempts of this host lie in `attempts/`: the runs that were merged measured it more than once",
        "unit `read` was begun again; 3 samples of the attempt before are kept in `stream.jsonl` and enter no figure",
        "of the output of unit `llama` 2 of 7 parts are missing: it is not used",
        "the board program speaks version 3 of the protocol, this program version 4",
        "what unit `llama` printed is no result of llama-bench: [[line 3]]",
        "`units.csv` is missing",
        "`units.csv` was changed after the run",
        "`units.csv` came after the run",
        "a graphics processor took part, and its memory is not compared",
        "a token reads some of the experts only",
        "a token reads a part of the model only",
        "likely a mixture of experts, of which a token reads a part: its architecture is not known here",
        "not compared: so small a block may lie in a cache",
    ]);
}

#[test]
fn remarks_about_files_of_other_programs() {
    check_all(&[
        "CSV holds no samples: mean and deviation are those that llama-bench computed",
        "the table holds no samples and rounds: mean and deviation to 0.01, sizes to 0.01 of their unit",
        "3 rows of a table left out: the text holds the same results in another form",
        "line 12: the text ends in the middle of a row; the row is left out, and those before it are whole",
        "line 12: the line has 4 fields, and the header names 35; the row is left out, and those before it are whole",
        "sysbench does not print whether it went through the block in order or at random",
        "row 3: `stddev_ns` is 1250, but the samples give 1400; the samples count (llama-bench squares nanoseconds in 64 bits, which overflow)",
        "the text ends without the result of STREAM's own check",
        "`Copy`: rate and shortest time contradict each other by 12 %; a changed STREAM printed them",
        "1 rate of the framebuffer left out: it is not cached, and may be the memory of another device",
        "4 rates of the framebuffer left out: it is not cached, and may be the memory of another device",
        "left out, since their names do not say which bytes they count: `a`",
        "left out, since their names do not say which bytes they count: `a`, `b`",
    ]);
}

#[test]
fn comparisons() {
    check_all(&[
        "No unit of one side can be compared with one of the other.",
        "No difference is shown in any of 1 unit.",
        "In 3 of 8 units no difference is shown. 5 units differ between these two runs, which one round on each side cannot confirm.",
        "In 3 of 5 units no difference is shown. 1 unit differs between these two runs, which one round on each side cannot confirm. 1 unit is not judged: something disturbed them.",
        "No difference is shown in any of 8 units. 2 units are not judged: something disturbed them.",
        "not judged, since side B was disturbed: other programs took 41 % of the CPUs meanwhile",
        "1 disturbed run is left out: other programs took 41 % of the CPUs meanwhile",
        "3 disturbed runs are left out: other programs took 41 % of the CPUs meanwhile",
        "not judged, since side A was disturbed: CPU 4 fell to 1.61 GHz, its highest clock is 2.26 GHz",
        "not judged, since side A was disturbed: the memory ran at 1.56 GHz, its highest clock is 2.11 GHz",
        "suspect on A: only 34 % of theory",
        "suspect on B: samples spread by 11 % around the median",
        "suspect on B: its rounds lie 63 % apart",
        "shape: `v128x8-far, v128x8` on A, `ldnp` on B",
        "choice of the shape: forced on A, raced on B",
        "choice of the shape: raced on A, forced on B",
        "suspect on A: the working set fits the caches",
        "30 samples of 3 rounds",
        "+3.2 %, not confirmed",
        "+3.2 %, not judged",
        "Of 8 units B is faster in 3 and slower in 2; in 3 no difference is shown.",
        "its runs count different things",
        "layers held in memory: 4 of 28 on A, all on B",
        "bytes of an iteration: 4 MB on A, 8 MB on B",
        "suspect on A: the working set fits the caches: this may not be the memory's rate",
        "The picture shows the 40 largest differences, the table all 312.",
    ]);
}

#[test]
fn the_history() {
    check_all(&[
        "The history holds 1 run from 2025-11-23 to 2025-11-23 of 1 host; emulated ones are left out.",
        "The history holds 70 runs from 2025-11-23 to 2026-01-31 of 12 hosts; emulated ones are left out.",
        "Every host gave valid data in the newest run.",
        "Three nights confirm a step of 5.4 % in half of 12 lines, and one of 18 % in all of them.",
        "Three nights confirm a step of 5.4 % in the only line.",
        "1 host is without valid data in the newest run: `rock`.",
        "2 hosts are without valid data in the newest run: `rock` and `desk`.",
        "9 hosts are without valid data in the newest run; the table of hosts names them.",
        "1 change is confirmed in all, 0 of the last 14 days.",
        "0 changes are confirmed in all, 0 of the last 14 days.",
        "1 run from 2025-11-23 to 2025-11-23, 1 with valid data.",
        "The last valid run is `2025-11-23T02-17-00Z`, this run's day.",
        "The last valid run is `2025-11-23T02-17-00Z`, 1 day ago.",
        "The last valid run is `2025-11-23T02-17-00Z`, 12 days ago, 1 run since without valid data.",
        "No run gave valid data.",
        "1 of 1 run with this host gave valid data.",
        "The last confirmed change: 2025-12-05, [[copy]], 4 threads: 13.0 GB/s to 10.4 GB/s, -20 % (Linux [[5.10]] → [[6.1]]; board program [[12ab]] (revision [[34cd]]) → [[56ef]] (revision [[78ab]])).",
        "The last confirmed change: 2025-12-05, [[copy]], 4 threads: 13.0 GB/s to 10.4 GB/s, -20 %.",
        "2025-12-05, [[copy]], 4 threads: 13.0 GB/s to 10.4 GB/s, -20 % (power mode none → [[MAXN]])",
        "2025-12-05, [[read]], 2 chains, small pages ([[standard]]), 1 thread: 140 ns to 150 ns, +7.1 % (swap [[1 GiB]] → none; state of the host [[12ab]] → [[34cd]])",
        "measured as found → prepared",
        "measured prepared → as found",
        "variant [[neon]] → [[neon_dotprod]]",
        "board program [[12ab]] → [[34cd]]",
        "unreachable: [[gave up]]",
        "interrupted, nothing was measured",
        "ok, but no figure is valid: 1 unit is invalid",
        "unknown, nothing was measured",
        "this run",
        "1 day and 1 run ago",
        "12 days and 3 runs ago",
        "no valid run",
        "confirmed",
        "one night only, the newest",
        "2 nights, not confirmed yet",
        "one night only",
        "2 nights only",
        "× 0.80 (-20 %)",
        "GB/s, 4 threads",
        "tokens/s, less is better",
        "[[read]], 1 chain, 1 thread: no valid figure, 3 figures not to be believed.",
        "[[read]], 4 threads: 9.1 GB/s to 9.4 GB/s, last 9.2 GB/s on 2025-12-12.",
        "[[read]]: 9.1 GB/s to 9.4 GB/s, last 9.2 GB/s on 2025-12-12, 1 figure not to be believed. The environment did not change.",
        "The environment changed 1 time.",
        "run `2025-11-23` of the history is left out: [[no parquet]]; where its run directory is still there, `cargo xtask history --add 2025-11-23` writes it anew",
        "2025-11-23 (1 run)",
        "2025-11-23 to 2025-11-30 (8 runs)",
        "Generating tokens, part 1 of 2, tokens/s; 12 older nights are in the picture only",
        "12 older rows are left out.",
        "12 older changes are left out here; the pages of the hosts have them.",
        "12.3 (suspect)",
        "12.3 (not measured)",
    ]);
}

#[test]
fn mistakes_of_ours_and_of_boards() {
    check_all(&[
        "This section could not be written because of a mistake in memwall; please report it.",
        "its samples took longer together than the unit had time: the board's clock or its program is wrong",
        "a sample counts more bytes or operations than any machine does: the board's program is wrong",
    ]);
}

/// Threads share pages out as they come: what was said before must not change what is said.
#[test]
fn what_is_said_does_not_depend_on_what_was_said_before() {
    let sentences: Vec<&str> = (SPANISH.lines())
        .filter_map(|line| line.strip_prefix("> "))
        .filter(|line| !line.contains(['{', '<']))
        .collect();
    assert!(sentences.len() > 100);
    let used = Words::new(Language::Spanish);
    for depth in (0..=MAX_DEPTH).rev() {
        for sentence in &sentences {
            let alone = Words::new(Language::Spanish).known(sentence, &[], depth);
            assert_eq!(
                used.known(sentence, &[], depth),
                alone,
                "{sentence}, depth {depth}"
            );
        }
    }
}
