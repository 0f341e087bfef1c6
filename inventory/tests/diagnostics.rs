//! What people see when a data file is wrong: every kind of mistake, as it is printed.

mod files;

use std::fs;

use bench_inventory::load;
use files::{board, model, suite};

/// Loads an inventory of these files and compares everything that is printed.
fn check(files: &[(&str, String)], expect: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder can be written and read");
    fs::write(folder.path().join("fleet.yaml"), "hosts: {}\n")
        .expect("a temporary folder can be written and read");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(
            path.parent()
                .expect("a temporary folder can be written and read"),
        )
        .expect("a temporary folder can be written and read");
        fs::write(path, text).expect("a temporary folder can be written and read");
    }
    let printed = match load(folder.path(), None) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let printed = printed.replace(&folder.path().display().to_string(), "inventory");
    assert!(
        printed == expect,
        "printed:\n{printed}\n\nexpected:\n{expect}"
    );
}

#[test]
fn files_without_a_mistake_load() {
    let fleet = "hosts:\n  desk:\n    board: rock\n    transport: local\n";
    check(
        &[
            ("boards/rock.yaml", board()),
            ("models/qwen.yaml", model()),
            ("suites/s.yaml", suite()),
            ("fleet.yaml", fleet.to_owned()),
        ],
        "",
    );
}

#[test]
fn an_unknown_key_names_the_nearest() {
    check(
        &[("boards/rock.yaml", board().replace("bus-bits", "bus-bitts"))],
        r#"error: unknown key `bus-bitts` in `memories[0]`
 --> inventory/boards/rock.yaml:9:5
  |
9 |     bus-bitts: 64
  |     ^^^^^^^^^
  |
  = help: did you mean `bus-bits`? keys here: `bus-bits`, `capacities`, `clock-mhz`, `kind`, `mt-per-s`, `name`, `processors`, `quoted`, `source`, `transfers-per-clock`, `usable`"#,
    );
}

#[test]
fn a_wrong_type_says_what_is_there() {
    check(
        &[(
            "boards/rock.yaml",
            board()
                .replace("bus-bits: 64", "bus-bits: 64 bit")
                .replace("4224", "\"4224\""),
        )],
        r#"error: `memories[0].mt-per-s` must be a number
 --> inventory/boards/rock.yaml:8:15
  |
8 |     mt-per-s: "4224"
  |               ^^^^^^ this is text, because of the quotes
  |
  = help: write a number in digits, without quotes and without a unit

error: `memories[0].bus-bits` must be a whole number
 --> inventory/boards/rock.yaml:9:15
  |
9 |     bus-bits: 64 bit
  |               ^^^^^^ this is text
  |
  = help: write a whole number in digits, without quotes and without a unit"#,
    );
}

#[test]
fn a_missing_key_says_what_it_is_for() {
    check(
        &[(
            "boards/rock.yaml",
            board().replace("    kind: LPDDR4X\n", ""),
        )],
        r#"error: `memories[0]` lacks the key `kind`
 --> inventory/boards/rock.yaml:6:5
  |
6 |   - name: system
  |     ^^^^
  |
  = help: add `kind`: For instance `LPDDR4X`"#,
    );
}

#[test]
fn a_duplicate_key_shows_both_places() {
    check(
        &[(
            "boards/rock.yaml",
            board().replace("soc: RK3588\n", "soc: RK3588\nname: Other\n"),
        )],
        r#"error: key `name` stands twice
 --> inventory/boards/rock.yaml:3:1
  |
1 | name: Rock
  | ---- first here
2 | soc: RK3588
3 | name: Other
  | ^^^^ again here
  |
  = help: remove one of the two, or give it a name of its own"#,
    );
}

#[test]
fn a_duplicate_host_shows_both_places() {
    check(
        &[(
            "fleet.yaml",
            "hosts:\n  desk:\n    transport: local\n  desk:\n    transport: ssh\n    ssh: rock\n"
                .to_owned(),
        )],
        r#"error: `desk` stands twice in `hosts`
 --> inventory/fleet.yaml:4:3
  |
2 |   desk:
  |   ---- first here
3 |     transport: local
4 |   desk:
  |   ^^^^ again here
  |
  = help: remove one of the two, or give it a name of its own"#,
    );
}

#[test]
fn an_unknown_board_names_the_nearest() {
    check(
        &[
            ("boards/rock.yaml", board()),
            (
                "fleet.yaml",
                "hosts:\n  desk:\n    board: rok\n    transport: local\n".to_owned(),
            ),
        ],
        r#"error: unknown board `rok`
 --> inventory/fleet.yaml:3:12
  |
3 |     board: rok
  |            ^^^
  |
  = help: did you mean `rock`? known: `rock`"#,
    );
}

#[test]
fn an_impossible_value_states_the_possible_ones() {
    check(
        &[(
            "boards/rock.yaml",
            board().replace("bus-bits: 64", "bus-bits: 0"),
        )],
        r#"error: 0 is impossible for `memories[0].bus-bits`
 --> inventory/boards/rock.yaml:9:15
  |
9 |     bus-bits: 0
  |               ^
  |
  = help: possible: 8 to 65536 (Width of all channels together, bits)"#,
    );
}

#[test]
fn a_clock_that_disagrees_shows_both_figures() {
    check(
        &[(
            "boards/rock.yaml",
            board().replace(
                "    bus-bits",
                "    clock-mhz: 2400\n    transfers-per-clock: 2\n    bus-bits",
            ),
        )],
        r#"error: `mt-per-s` is 4224, but `clock-mhz` x `transfers-per-clock` is 4800
 --> inventory/boards/rock.yaml:8:15
  |
8 |     mt-per-s: 4224
  |               ^^^^ MT/s stated here
9 |     clock-mhz: 2400
  |                ---- 4800 MT/s follow from here
  |
  = help: keep the figure that the source states and correct or remove the other"#,
    );
}

#[test]
fn a_number_without_a_source_does_not_load() {
    check(
        &[(
            "boards/rock.yaml",
            board()
                .replace("    source: boot log\n", "")
                .replace("source: vendor page", "source: ''"),
        )],
        r#"error: `memories[0]` states numbers without a source
 --> inventory/boards/rock.yaml:6:5
  |
6 |   - name: system
  |     ^^^^
  |
  = help: add `source:` with the data sheet, log or page the numbers come from

error: `memories[0].capacities.source` names no source
  --> inventory/boards/rock.yaml:10:39
   |
10 |     capacities: {gib: [4, 8], source: ''}
   |                                       ^^
   |
   = help: name the data sheet, log or page the numbers come from"#,
    );
}

#[test]
fn an_unknown_word_lists_the_choices() {
    check(
        &[(
            "boards/rock.yaml",
            board()
                .replace("aarch64", "aarch46")
                .replace("[cpu]", "[cpu, tpu]"),
        )],
        r#"error: `aarch46` is no value for `arch`
 --> inventory/boards/rock.yaml:3:7
  |
3 | arch: aarch46
  |       ^^^^^^^
  |
  = help: did you mean `aarch64`? choices: `aarch64`, `x86_64`

error: `tpu` is no value for `memories[0].processors[1]`
  --> inventory/boards/rock.yaml:12:23
   |
12 |     processors: [cpu, tpu]
   |                       ^^^
   |
   = help: did you mean `cpu`? choices: `cpu`, `gpu`, `npu`"#,
    );
}

#[test]
fn a_key_without_a_value_is_marked() {
    check(
        &[(
            "boards/rock.yaml",
            board().replace("kind: LPDDR4X", "kind:"),
        )],
        r#"error: `memories[0].kind` has no value
 --> inventory/boards/rock.yaml:7:5
  |
7 |     kind:
  |     ^^^^
  |
  = help: write text after the colon"#,
    );
}

#[test]
fn a_clock_alone_is_not_enough() {
    check(
        &[(
            "boards/rock.yaml",
            board().replace("mt-per-s: 4224", "clock-mhz: 2112"),
        )],
        r#"error: `clock-mhz` is given without `transfers-per-clock`
 --> inventory/boards/rock.yaml:8:16
  |
8 |     clock-mhz: 2112
  |                ^^^^
  |
  = help: add `transfers-per-clock`: 2 for DDR and LPDDR, 8 for GDDR6 against its command clock"#,
    );
}

#[test]
fn hosts_are_checked_against_their_transport() {
    check(&[("fleet.yaml", "hosts:\n  -desk:\n    transport: ssh\n  shelf:\n    transport: local\n    port: 22\n  emulated:\n    transport: qemu-user\n  both:\n    transport: ssh\n    ssh: -oProxyCommand=x\n    address: 192.0.2.1\n".to_owned())], r#"error: host name `-desk` cannot be a folder name
 --> inventory/fleet.yaml:2:3
  |
2 |   -desk:
  |   ^^^^^
  |
  = help: use up to 64 letters, digits, `.`, `_` and `-`, and start with a letter or digit

error: `hosts.-desk` does not say where the machine is
 --> inventory/fleet.yaml:2:3
  |
2 |   -desk:
  |   ^^^^^
  |
  = help: add `ssh: <Host alias of ~/.ssh/config>` or `address: <name or IP>`

error: `port` has no meaning for transport `local`
 --> inventory/fleet.yaml:6:5
  |
5 |     transport: local
  |                ----- because of this
6 |     port: 22
  |     ^^^^
  |
  = help: remove it, or set `transport: ssh`

error: `hosts.emulated` does not say what to emulate
 --> inventory/fleet.yaml:7:3
  |
7 |   emulated:
  |   ^^^^^^^^
  |
  = help: add `arch: aarch64` or `arch: x86_64`

error: `-oProxyCommand=x` is no value for `ssh`
  --> inventory/fleet.yaml:11:10
   |
11 |     ssh: -oProxyCommand=x
   |          ^^^^^^^^^^^^^^^^
   |
   = help: write one word that does not start with `-`

error: `ssh` and `address` both name the machine
  --> inventory/fleet.yaml:12:5
   |
11 |     ssh: -oProxyCommand=x
   |     --- and here
12 |     address: 192.0.2.1
   |     ^^^^^^^
   |
   = help: keep `ssh` for a Host alias of the SSH configuration, or `address` for a bare address"#);
}

#[test]
fn suites_are_checked_against_the_catalogue() {
    check(
        &[
            ("models/qwen.yaml", model()),
            (
                "suites/s.yaml",
                suite()
                    .replace("model: qwen", "model: qwem")
                    .replace("[1, half]", "[0, hlaf]"),
            ),
        ],
        r#"error: unknown model `qwem`
 --> inventory/suites/s.yaml:4:17
  |
4 |   decode-model: qwem
  |                 ^^^^
  |
  = help: did you mean `qwen`? known: `qwen`

error: `units[0].threads[0]` must be a whole number from 1, `half`, `all`, `each` or `best`
 --> inventory/suites/s.yaml:8:15
  |
8 |     threads: [0, hlaf]
  |               ^ this is a whole number
  |
  = help: write a whole number from 1, `half`, `all`, `each` or `best`

error: `units[0].threads[1]` must be a whole number from 1, `half`, `all`, `each` or `best`
 --> inventory/suites/s.yaml:8:18
  |
8 |     threads: [0, hlaf]
  |                  ^^^^ this is text
  |
  = help: did you mean `half`?

error: unknown model `qwem`
 --> inventory/suites/s.yaml:9:21
  |
9 |     decode: {model: qwem, quant: q4_0, depths: [0]}
  |                     ^^^^
  |
  = help: did you mean `qwen`? known: `qwen`"#,
    );
}

#[test]
fn impossible_heads_show_both_numbers() {
    check(
        &[(
            "models/qwen.yaml",
            model().replace("kv-heads: 2", "kv-heads: 5"),
        )],
        r#"error: 14 query heads cannot share 5 key and value heads
 --> inventory/models/qwen.yaml:7:11
  |
6 | heads: 14
  |        -- query heads
7 | kv-heads: 5
  |           ^
  |
  = help: `heads` is a multiple of `kv-heads`; compare with the model's config.json"#,
    );
}

#[test]
fn mistakes_of_several_files_come_together() {
    check(
        &[
            (
                "boards/rock.yaml",
                board()
                    .replace("bus-bits", "bus-bitts")
                    .replace("name: Rock", "name: 5"),
            ),
            (
                "models/qwen.yaml",
                model()
                    .replace("layers: 24", "layers: many")
                    .replace("hidden: 896\n", "")
                    .replace("ffn: 4864\n", ""),
            ),
            ("suites/s.yaml", "description: [\n".to_owned()),
            (
                "fleet.yaml",
                "hosts:\n  desk:\n    board: rock\n    transport: telnet\n".to_owned(),
            ),
        ],
        r#"error: `name` must be text
 --> inventory/boards/rock.yaml:1:7
  |
1 | name: 5
  |       ^ this is a whole number
  |
  = help: put it in double quotes to make it text

error: unknown key `bus-bitts` in `memories[0]`
 --> inventory/boards/rock.yaml:9:5
  |
9 |     bus-bitts: 64
  |     ^^^^^^^^^
  |
  = help: did you mean `bus-bits`? keys here: `bus-bits`, `capacities`, `clock-mhz`, `kind`, `mt-per-s`, `name`, `processors`, `quoted`, `source`, `transfers-per-clock`, `usable`

error: the file lacks the keys `hidden`, `ffn`
 --> inventory/models/qwen.yaml:1:1
  |
1 | name: Qwen
  | ^^^^
  |
  = help: add them; the JSON Schema of the file kind says what each means

error: `layers` must be a whole number
 --> inventory/models/qwen.yaml:3:9
  |
3 | layers: many
  |         ^^^^ this is text
  |
  = help: write a whole number in digits, without quotes and without a unit

error: no valid YAML: unclosed bracket '['
 --> inventory/suites/s.yaml:1:14
  |
1 | description: [
  |              ^
  |
  = help: check the indentation and the quotes of this line and of the one before

error: `telnet` is no value for `hosts.desk.transport`
 --> inventory/fleet.yaml:4:16
  |
4 |     transport: telnet
  |                ^^^^^^
  |
  = help: choices: `local`, `ssh`, `qemu-user`, `replay`"#,
    );
}

#[test]
fn shapes_are_forced_where_a_kernel_has_several() {
    let forced = |kernel: &str, shapes: &str| {
        let threads = format!("{kernel}\n    shapes: {shapes}\n    threads");
        suite().replacen("decode\n    threads", &threads, 1)
    };
    check(
        &[
            ("models/qwen.yaml", model()),
            ("suites/s.yaml", forced("latency", "[\"a b\"]")),
        ],
        r#"error: kernel `latency` has one shape only
 --> inventory/suites/s.yaml:8:13
  |
8 |     shapes: ["a b"]
  |             ^^^^^^^
  |
  = help: remove it

error: `a b` cannot be the name of a shape
 --> inventory/suites/s.yaml:8:13
  |
8 |     shapes: ["a b"]
  |             ^^^^^^^
  |
  = help: give names as the results of a run have them, for instance `v256x8-far`"#,
    );
}

#[test]
fn a_tab_is_named_as_the_cause() {
    check(
        &[("boards/rock.yaml", board().replace("    kind", "\tkind"))],
        r#"error: no valid YAML: while scanning a plain scalar, found a tab
 --> inventory/boards/rock.yaml:6:11
  |
6 |   - name: system
  |           ^
  |
  = help: indent with spaces: YAML forbids tabs"#,
    );
}

#[test]
fn wrong_file_names_are_reported() {
    check(
        &[
            ("boards/rock.yml", board()),
            ("boards/Rock 5.yaml", board()),
        ],
        r#"error: the file name is no id
--> inventory/boards/Rock 5.yaml
 = help: name it with lower-case letters, digits, `.`, `_` and `-`, starting with a letter or digit

error: the file would be ignored
--> inventory/boards/rock.yml
 = help: rename it to `.yaml`"#,
    );
}
