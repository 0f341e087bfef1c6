use std::path::Path;

use super::*;
use crate::label::Label;

fn class(core: &str, memory_kind: &str) -> Class {
    Class {
        processor: "cpu".into(),
        family: "Arm".into(),
        core: core.into(),
        memory_kind: memory_kind.into(),
    }
}

fn machine(name: &str, class: Class, shares: &[f64]) -> Machine {
    Machine {
        name: name.into(),
        silicon: None,
        class,
        gb_per_s: 100.0,
        label: Label::Imported,
        rows: (shares.iter())
            .map(|share| Observation {
                what: "model".into(),
                share: *share,
                source: "somebody".into(),
            })
            .collect(),
    }
}

fn four() -> Vec<Machine> {
    [0.4, 0.5, 0.6, 0.7]
        .iter()
        .enumerate()
        .map(|(i, share)| {
            machine(
                &format!("m{i}"),
                class("A76", "LPDDR4X"),
                &[share * 0.98, share * 1.02],
            )
        })
        .collect()
}

#[test]
fn narrowest_class_with_three_machines_is_taken() {
    let mut machines = four();
    machines.push(machine("far", class("Zen 5", "DDR5"), &[0.9]));
    let of = |core: &str, kind: &str| predict(&class(core, kind), "new", 100.0, &machines).unwrap();
    assert_eq!(
        of("A76", "LPDDR4X").class.to_string(),
        "Arm CPUs with A76 and LPDDR4X"
    );
    assert_eq!(of("A76", "DDR4").class.to_string(), "Arm CPUs with A76");
    assert_eq!(
        of("A72", "LPDDR4X").class.to_string(),
        "Arm CPUs with LPDDR4X"
    );
    assert_eq!(
        of("A72", "LPDDR5").class.to_string(),
        "Arm CPUs with LPDDR of any kind"
    );
    assert_eq!(of("Zen 5", "DDR5").class.to_string(), "all Arm CPUs");
    assert_eq!(of("Zen 5", "DDR5").n_machines, 5);
    let gpu = Class {
        processor: "gpu".into(),
        ..class("Ampere", "GDDR6")
    };
    assert_eq!(
        predict(&gpu, "new", 100.0, &machines),
        None,
        "CPUs say nothing of GPUs"
    );
}

#[test]
fn interval_follows_the_formula() {
    // One row each, so rows of one machine tell nothing and every spread is one between machines.
    let machines: Vec<Machine> = [0.25, 0.5, 1.0]
        .iter()
        .enumerate()
        .map(|(i, share)| machine(&format!("m{i}"), class("A76", "DDR4"), &[*share]))
        .collect();
    let got = predict(&class("A76", "DDR4"), "new", 100.0, &machines).unwrap();
    // Logs are -2 ln 2, -ln 2, 0: mean -ln 2, variance (ln 2)^2; t of 2 degrees is 1.886, in closed form.
    let reach = 0.8 / 0.18f64.sqrt() * (2f64.ln().powi(2) * (1.0 + 1.0 / 3.0)).sqrt();
    assert!((got.middle - 0.5).abs() < 1e-12);
    assert!((got.low - 0.5 * (-reach).exp()).abs() < 1e-9);
    assert_eq!(got.high, 1.0, "nothing goes beyond the memory wall");
}

#[test]
fn own_figures_pull_and_narrow() {
    let mut machines = four();
    let target = class("A76", "LPDDR4X");
    let before = predict(&target, "new", 100.0, &machines).unwrap();
    machines.push(machine("new", target.clone(), &[0.3, 0.31, 0.305]));
    let after = predict(&target, "new", 100.0, &machines).unwrap();
    assert_eq!((before.n_own_rows, after.n_own_rows), (0, 3));
    assert!((after.middle - 0.305).abs() < 0.01, "{after:?}");
    assert!(after.high - after.low < 0.5 * (before.high - before.low));
}

#[test]
fn processors_of_one_board_are_left_out_apart() {
    let mut machines = four();
    for machine in four() {
        let class = Class {
            processor: "gpu".into(),
            ..machine.class.clone()
        };
        // The same boards, whose GPUs reach more than any of their CPUs.
        let rows = (machine.rows.iter())
            .map(|row| Observation {
                share: 0.9,
                ..row.clone()
            })
            .collect();
        machines.push(Machine {
            class,
            rows,
            ..machine
        });
    }
    let together = calibration(&machines).unwrap();
    let cpus = calibration(&four()).unwrap();
    assert_eq!(together.n_machines, 2 * cpus.n_machines);
    assert_eq!(together.n_rows, 2 * cpus.n_rows);
    // Rows that never vary are predicted to the digit, up to rounding.
    assert!(together.n_inside >= cpus.n_inside);
}

#[test]
fn housings_of_one_board_are_one_machine() {
    let mut machines = four();
    for machine in &mut machines[..3] {
        machine.silicon = Some("pi".into());
    }
    assert_eq!(
        predict(&class("A76", "LPDDR4X"), "new", 100.0, &machines),
        None,
        "two machines only"
    );
}

#[test]
fn one_machine_alone_scatters_as_all_do() {
    let machines = four();
    assert_eq!(from_rows(&[], "cpu", &machines), None);
    assert_eq!(
        from_rows(&[0.9], "gpu", &machines),
        None,
        "nothing tells the scatter"
    );
    let one = from_rows(&[0.8], "cpu", &machines).unwrap();
    let three = from_rows(&[0.8, 0.81, 0.79], "cpu", &machines).unwrap();
    assert!((one.middle - 0.8).abs() < 1e-12 && one.low < 0.8 && 0.8 < one.high);
    assert!(three.high - three.low < one.high - one.low);
}

/// The stated level is what the method reaches on data made by its own model: 80 % of new rows inside.
#[test]
fn intervals_hold_what_they_promise() {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut normal = move || {
        // Sum of twelve uniforms less six: variance 1, close enough to normal within two deviations.
        (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
    };
    let (mut inside, mut all) = (0, 0);
    for _ in 0..2000 {
        let mut make = |name: String| {
            let own = -1.2 + 0.2 * normal();
            let shares: Vec<f64> = (0..3).map(|_| (own + 0.1 * normal()).exp()).collect();
            machine(&name, class("A76", "LPDDR4X"), &shares)
        };
        let machines: Vec<Machine> = (0..6).map(|i| make(format!("m{i}"))).collect();
        let new = make("new".into());
        let got = predict(&new.class, "new", 100.0, &machines).unwrap();
        inside += usize::from((got.low..=got.high).contains(&new.rows[0].share));
        all += 1;
    }
    let coverage = inside as f64 / all as f64;
    assert!((0.76..0.86).contains(&coverage), "{coverage}");
}

#[test]
fn catalogue_predicts_its_own_machines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../inventory");
    let inventory =
        bench_inventory::load_catalogue(&root).unwrap_or_else(|error| panic!("{error}"));
    let machines = machines(&inventory);
    let calibration = calibration(&machines).unwrap();
    assert!(calibration.n_machines >= 10, "{calibration:?}");
    // The level lies in the interval of what was seen: the published data do not contradict it.
    assert!(
        calibration.coverage_low <= LEVEL && LEVEL <= calibration.coverage_high,
        "{}",
        calibration.sentence()
    );
    for board in inventory.boards.values() {
        for memory in &board.memories {
            for processor in &memory.processors {
                let class = Class::of_board(board, memory, processor);
                let silicon = board.silicon_of(memory);
                let gb_per_s = memory.theoretical_gb_per_s();
                let got = predict(&class, &silicon, gb_per_s, &machines);
                // Nobody's rates are known of these families, and those of others say nothing of them.
                let is_unknown = ["Mali", "VideoCore", "RKNPU"].contains(&&*class.family);
                assert_eq!(got.is_none(), is_unknown, "{} {processor}", board.id);
                if let Some(got) = got {
                    assert!(0.0 < got.low && got.low < got.middle && got.middle < got.high);
                    println!("{} {processor}: {got:?}", board.id);
                }
            }
        }
    }
    println!("{}", calibration.sentence());
}

#[test]
fn a_family_is_never_left() {
    let mut machines = four();
    for machine in &mut machines {
        machine.class.processor = "gpu".into();
        machine.class.family = "Apple".into();
    }
    let mut mali = class("Mali-G610", "LPDDR4X");
    mali.processor = "gpu".into();
    mali.family = "Mali".into();
    assert_eq!(predict(&mali, "new", 100.0, &machines), None);
    mali.family = "Apple".into();
    assert!(predict(&mali, "new", 100.0, &machines).is_some());
}

/// With the same cores and more bandwidth a machine of which less is known is not expected to be slower.
#[test]
fn more_bandwidth_is_never_expected_to_read_less() {
    let target = class("A76", "LPDDR4X");
    let mut machines = four();
    let mut known = machine("pi", target.clone(), &[0.66, 0.67, 0.68, 0.66]);
    known.gb_per_s = 17.0;
    for machine in &mut machines {
        machine.class.core = "A72".into();
        machine.gb_per_s = 100.0;
        for row in &mut machine.rows {
            row.share /= 2.0;
        }
    }
    machines.push(known);
    let of_pi = predict(&target, "pi", 17.0, &machines).unwrap();
    let of_new = predict(&class("A76", "LPDDR5"), "new", 34.0, &machines).unwrap();
    assert!(of_new.low * 34.0 >= of_pi.low * 17.0 * 0.999, "{of_new:?}");
    assert!(of_new.low <= of_new.middle && of_new.middle <= of_new.high);
    assert_eq!(of_new.at_least.as_deref(), Some("pi"));
}
