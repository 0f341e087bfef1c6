use super::*;
use crate::fleet::{Host, SshTarget, Transport};

const FLEET: &str = "\
hosts:
  shelf:
    board: rock
    transport: ssh
    address: 192.0.2.10
    port: 2222
    user: bench
    identity-file: ~/.ssh/bench
    known-hosts: known_hosts
    config-file: ssh_config
    tags: [arm]
    emulated: true
  desk:
    transport: local
    memory:
      name: system
      kind: DDR5
      clock-mhz: 2800
      transfers-per-clock: 2
      bus-bits: 128
      source: module label
      capacities: {gib: [16, 32], source: module label}
      usable: {gb: 30.5, source: free}
      processors: [cpu, gpu]
";

fn folder(fleet: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(FLEET_FILE), fleet).unwrap();
    folder
}

#[test]
fn hosts_keep_the_order_of_the_file_and_every_key() {
    let folder = folder(FLEET);
    let fleet = load_catalogue(folder.path()).unwrap().fleet;
    assert_eq!(
        fleet.hosts[0],
        Host {
            name: "shelf".into(),
            board: Some("rock".into()),
            transport: Transport::Ssh(SshTarget {
                destination: "192.0.2.10".into(),
                is_alias: false,
                port: Some(2222),
                user: Some("bench".into()),
                identity_file: Some("~/.ssh/bench".into()),
                known_hosts: Some("known_hosts".into()),
                config_file: Some("ssh_config".into()),
            }),
            tags: vec!["arm".into()],
            prepare: Default::default(),
            emulated: true,
            memory: None,
        }
    );
    let memory = fleet.hosts[1].memory.as_ref().unwrap();
    assert_eq!(memory.mt_per_s, 5600.0);
    assert_eq!(memory.theoretical_gb_per_s(), 89.6);
    assert_eq!(memory.capacities_bytes.value, [16 << 30, 32 << 30]);
    assert_eq!(memory.usable_bytes.as_ref().unwrap().value, 30_500_000_000);
}

#[test]
fn a_partial_copy_loads_but_a_partial_inventory_does_not() {
    let folder = folder(FLEET);
    assert!(load_catalogue(folder.path()).is_ok());
    let error = load(folder.path(), None).unwrap_err();
    assert_eq!(error.diagnostics.len(), 1);
    assert_eq!(error.diagnostics[0].title, "unknown board `rock`");

    fs::remove_file(folder.path().join(FLEET_FILE)).unwrap();
    let empty = load_catalogue(folder.path()).unwrap();
    assert_eq!(empty.fleet, Fleet { hosts: Vec::new() });
    let error = load(folder.path(), None).unwrap_err();
    assert_eq!((error.diagnostics.len(), error.diagnostics[0].line), (1, 0));
}

#[test]
fn a_broken_file_does_not_take_the_others_with_it() {
    let folder = folder(FLEET);
    let models = folder.path().join("models");
    fs::create_dir(&models).unwrap();
    let good =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/qwen2.5-0.5b.yaml"))
            .unwrap();
    fs::write(models.join("good.yaml"), &good).unwrap();
    // Whole enough for the checks, but its heads contradict each other: not even that may get through.
    fs::write(
        models.join("bad.yaml"),
        good.replace("kv-heads: 2", "kv-heads: 5"),
    )
    .unwrap();
    fs::write(models.join("worse.yaml"), "name: [").unwrap();
    let (inventory, diagnostics) = load_catalogue_lossy(folder.path());
    assert_eq!(inventory.models.keys().collect::<Vec<_>>(), ["good"]);
    assert_eq!(inventory.fleet.hosts.len(), 2);
    let files: Vec<_> = (diagnostics.iter())
        .map(|diagnostic| diagnostic.file.file_name().unwrap())
        .collect();
    assert_eq!(files, ["bad.yaml", "worse.yaml"]);
    assert_eq!(
        load_catalogue(folder.path()).unwrap_err().diagnostics,
        diagnostics
    );
}

#[test]
fn another_fleet_file_replaces_the_default() {
    let folder = folder("hosts: {}\n");
    let mine = folder.path().join("mine.yaml");
    fs::write(&mine, "hosts:\n  a:\n    transport: local\n").unwrap();
    let inventory = load(folder.path(), Some(&mine)).unwrap();
    assert_eq!(inventory.fleet.hosts.len(), 1);
    assert_eq!(files(folder.path(), Some(&mine)), [mine]);
    let default = folder.path().join(FLEET_FILE);
    assert_eq!(files(folder.path(), None), [default]);
}

#[test]
fn both_yaml_readers_see_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in files(root, None) {
        let text = fs::read_to_string(&file).unwrap();
        let (node, _) = tree::parse(&text);
        let whole: serde_json::Value = yaml::from_text(&text).unwrap();
        assert_eq!(yaml::from_node(&node.unwrap()), Some(whole), "{file:?}");
    }
}
