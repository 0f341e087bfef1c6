//! The data files that ship with the project.

use std::fs;
use std::path::Path;

use bench_inventory::{
    Inventory, Quant, ReferenceLoad, Transport, files, load, load_catalogue, schema,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn catalogue() -> Inventory {
    load(root(), None).unwrap_or_else(|error| panic!("{error}"))
}

/// Ids that results and other people's scripts refer to; more files may come, none of these may go.
#[test]
fn stable_ids_stay() {
    let inventory = catalogue();
    for board in [
        "jetson-orin-nano",
        "jetson-orin-nano-super",
        "laptop-rtx-4050",
        "orange-pi-5",
        "orange-pi-5-max",
        "raspberry-pi-4",
        "raspberry-pi-5",
        "rock-5-itx",
        "rock-5b",
    ] {
        assert!(inventory.boards.contains_key(board), "{board}");
    }
    for model in [
        "gemma-2-2b",
        "llama-3.1-8b",
        "llama-3.2-1b",
        "llama-3.2-3b",
        "phi-3.5-mini",
        "qwen2.5-0.5b",
        "qwen2.5-1.5b",
        "qwen2.5-3b",
        "qwen2.5-7b",
        "tinyllama-1.1b",
    ] {
        assert!(inventory.models.contains_key(model), "{model}");
    }
    for suite in ["full", "quick", "smoke", "standard"] {
        assert!(inventory.suites.contains_key(suite), "{suite}");
    }
    assert_eq!(load_catalogue(root()), Ok(inventory));
}

#[test]
fn boards_have_their_theoretical_bandwidth() {
    let inventory = catalogue();
    for (board, expect) in [
        ("rock-5b", 33.79),
        ("rock-5-itx", 38.40),
        ("orange-pi-5-max", 38.40),
        ("orange-pi-5", 33.79),
        ("jetson-orin-nano", 68.26),
        ("jetson-orin-nano-super", 102.37),
        ("raspberry-pi-4", 12.80),
        ("raspberry-pi-5", 17.07),
        ("laptop-rtx-4050", 192.0),
    ] {
        let got = inventory.boards[board].memories[0].theoretical_gb_per_s();
        assert!((got - expect).abs() < 0.005, "{board}: {got}, not {expect}");
    }
}

#[test]
fn the_default_fleet_needs_no_board() {
    let hosts = catalogue().fleet.hosts;
    assert_eq!(hosts[0].name, "this-machine");
    assert_eq!(hosts[0].transport, Transport::Local);
    assert_eq!(hosts[1].name, "aarch64-emulated");
    assert_eq!(
        hosts[1].transport,
        Transport::QemuUser {
            arch: "aarch64".into(),
            cpu: Some("max".into())
        }
    );
    assert_eq!(hosts.len(), 2);
}

#[test]
fn every_file_names_its_schema() {
    let files = files(root(), None);
    assert!(!files.is_empty());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let reference = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# yaml-language-server: $schema="))
            .unwrap_or_else(|| panic!("{} names no schema", file.display()));
        assert!(
            file.parent().unwrap().join(reference).is_file(),
            "{}: {reference} does not exist",
            file.display()
        );
    }
}

/// Set `MEMWALL_BLESS=1` to rewrite the schemas.
#[test]
fn schemas_on_disk_are_those_of_the_types() {
    for (name, schema) in schema::all() {
        let path = root().join("schemas").join(name);
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("MEMWALL_BLESS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let on_disk = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            on_disk == text,
            "{} is out of date; run MEMWALL_BLESS=1 cargo test -p bench-inventory",
            path.display()
        );
    }
}

#[test]
fn references_stay_below_theory_and_have_sources() {
    let inventory = catalogue();
    assert!(inventory.references.len() >= 18);
    for reference in inventory.references.values() {
        let theory = reference.memory.theoretical_gb_per_s();
        for row in &reference.decodes {
            let bytes = match &row.load {
                ReferenceLoad::Catalogue { model, quant } => {
                    inventory.models[model].read_bytes_per_token(*quant)
                }
                ReferenceLoad::Other {
                    read_bytes_per_token,
                    ..
                } => *read_bytes_per_token,
            };
            let share = row.tokens_per_s * bytes as f64 / 1e9 / theory;
            assert!(
                (0.05..1.0).contains(&share),
                "{}: {row:?} is {share} of theory",
                reference.id
            );
        }
    }
}

#[test]
fn quality_gets_worse_with_fewer_bits() {
    let inventory = catalogue();
    let quality = &inventory.quality["llama-3-8b"];
    let loss = |quant| quality.loss(quant).unwrap();
    // Both perplexities are published: 6.4071 and 9.7516 against 6.2332.
    assert!((loss(Quant::Q4KM) - 0.02791).abs() < 1e-4);
    assert!((loss(Quant::Q2K) - 0.56447).abs() < 1e-4);
    for quant in Quant::ALL {
        assert!(loss(quant) >= 0.0, "{}", quant.id());
    }
    let order = [
        Quant::F16,
        Quant::Q8_0,
        Quant::Q6K,
        Quant::Q5KM,
        Quant::Q4KM,
        Quant::Q3KM,
        Quant::Q3KS,
        Quant::Q2K,
    ];
    assert!(order.is_sorted_by(|a, b| loss(*a) < loss(*b)));
}
