//! Run directories from elsewhere: what is good in them is shown, nothing outside of them is read or written, no
//! command waits, and nothing is run that the lab does not know.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{controller, fixture};

/// Words that no report may hold.
const SECRET: &str = "root:*:20228:0:99999";

/// A command that waits for ever shall fail the test, not stop it. No command takes a tenth of this.
const SAFETY_NET: Duration = Duration::from_secs(300);

/// Ends with an exit code and what was said.
fn xtask(dir: &Path, args: &[&str]) -> (Option<i32>, String) {
    let file = |name: &str| fs::File::create(dir.join(name)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("--runs-dir")
        .arg(dir.join("runs"))
        .args(args)
        .env("XDG_CACHE_HOME", dir.join("cache"))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(file("said"))
        .stderr(file("complained"))
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > SAFETY_NET {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("`{args:?}` waits for ever");
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    (status.code(), read("said") + &read("complained"))
}

fn mkfifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// Every file below a folder with its content; links with what they point to.
fn tree(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let content = if kind.is_dir() {
                folders.push(path.clone());
                "folder".to_owned()
            } else if kind.is_file() {
                String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
            } else {
                format!("{kind:?}")
            };
            found.insert(path, content);
        }
    }
    found
}

/// Puts something else in the place of a file or folder.
fn instead(path: &Path, make: impl FnOnce(&Path)) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else if path.exists() {
        fs::remove_file(path).unwrap();
    }
    make(path);
}

/// A run with links, pipes, devices, folders and endless files in its places.
fn odd_run(root: &Path) -> PathBuf {
    let outside = root.join("outside");
    fs::create_dir_all(outside.join("folder")).unwrap();
    fs::create_dir_all(outside.join("host")).unwrap();
    for name in ["secret", "folder/units.csv", "host/stream.jsonl", "profile"] {
        fs::write(outside.join(name), format!("{SECRET}\n")).unwrap();
    }
    let dir = fixture::full_run(&root.join("runs"), "odd");
    let link_to = |place: &str, target: &str| {
        instead(&dir.join(place), |path| {
            symlink(outside.join(target), path).unwrap();
        });
    };
    link_to("hosts/this-machine/stream.jsonl", "secret");
    link_to("hosts/linked", "host");
    link_to("inventory/boards/linked.yaml", "secret");
    link_to("summary.md", "profile");
    link_to("summary.md.json.tmp", "profile");
    link_to("controller.lock", "profile");
    link_to("manifest.json.tmp", "profile");
    link_to("frames", "folder");
    link_to("html", "folder");
    link_to("hosts/pi-window/stream.jsonl", "/dev/zero");
    for pipe in [
        "hosts/emulated-aarch64/stream.jsonl",
        "hosts/rock-prepared/previous.json",
        "inventory/models/pipe.yaml",
        "imports/index.jsonl",
        "summary.es.md",
    ] {
        let path = dir.join(pipe);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        instead(&path, mkfifo);
    }
    instead(&dir.join("hosts/orin-shelf/host.json"), |path| {
        fs::create_dir(path).unwrap();
    });
    let metered = dir.join("hosts/rock-metered/stream.jsonl");
    let metered = fs::OpenOptions::new().append(true).open(metered).unwrap();
    // A terabyte of which the disk has nothing.
    metered.set_len(1 << 40).unwrap();
    let path = dir.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let hosts = manifest["hosts"].as_array_mut().unwrap();
    for name in ["../../../outside/host", "..", "/etc", "", "a\u{0}b"] {
        hosts.push(json!(name));
    }
    fs::write(&path, manifest.to_string()).unwrap();
    dir
}

#[test]
fn nothing_outside_of_a_run_directory_is_read_or_written() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path();
    let odd = odd_run(root);
    fixture::full_run(&root.join("runs"), "good");
    let before = tree(&root.join("outside"));

    let (code, said) = xtask(root, &["report", "odd"]);
    assert_eq!(code, Some(0), "{said}");
    let index = fs::read_to_string(odd.join("html/index.html")).unwrap();
    for words in [
        "5 hosts are",
        "<code>hosts/linked</code> is a symbolic link",
    ] {
        assert!(index.contains(words), "{words:?} is missing");
    }
    for (host, words) in [
        ("rock-desk", "reads 24.1 GB/s with 4 threads: 71 %"),
        ("this-machine", "it is a symbolic link, not a regular file"),
        ("emulated-aarch64", "it is a pipe, not a regular file"),
        ("pi-window", "it is a symbolic link, not a regular file"),
        ("orin-shelf", "it is a folder, not a regular file"),
        ("rock-metered", "has more than 128 MiB"),
    ] {
        let page = odd.join(format!("html/hosts/{host}.html"));
        let page = fs::read_to_string(page).unwrap();
        assert!(page.contains(words), "{host} lacks {words:?}");
    }
    for (path, text) in tree(&odd.join("html"))
        .iter()
        .chain(&tree(&odd.join("frames")))
    {
        assert!(!text.contains(SECRET), "{}", path.display());
    }
    for (place, is_file) in [
        ("summary.md", true),
        ("summary.es.md", true),
        ("frames", false),
    ] {
        let kind = fs::symlink_metadata(odd.join(place)).unwrap().file_type();
        assert!(
            kind.is_file() == is_file && kind.is_dir() != is_file,
            "{place}"
        );
    }

    let (code, said) = xtask(root, &["history", "--add", "odd"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = xtask(root, &["compare", "good:rock-desk", "odd:rock-desk"]);
    assert_eq!(code, Some(0), "{said}");
    let results = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../reports/run-dir/tests/imports/data/mbw-quiet.txt");
    let results = results.display().to_string();
    mkfifo(&root.join("pipe.yaml"));
    for (args, words) in [
        (
            vec!["merge", "runs/odd", "runs/good", "--output", "merged"],
            "no regular file",
        ),
        (vec!["run", "--resume", "odd"], "(a symbolic link)"),
        (
            vec!["import", &results, "--run", "odd"],
            "(a symbolic link)",
        ),
        (vec!["import", "pipe.yaml"], "it is a pipe"),
        (vec!["run", "--plan", "pipe.yaml"], "it is a pipe"),
        (
            vec!["run", "--all-boards", "--suite", "./pipe.yaml"],
            "it is a pipe",
        ),
        (
            vec!["run", "--all-boards", "--gguf", "pipe.yaml"],
            "it is a pipe",
        ),
        (vec!["model", "add", "pipe.yaml"], "it is a pipe"),
        (
            vec!["merge", "/dev", "runs/good", "--output", "merged"],
            "manifest.json",
        ),
    ] {
        let (code, said) = xtask(root, &args);
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
    assert_eq!(tree(&root.join("outside")), before);
    assert!(!root.join("merged").exists());
}

/// A run that ended before its host did.
fn unfinished_run(root: &Path) -> PathBuf {
    let outcome = controller::run(
        root,
        "  here:\n    transport: local\n",
        &["--suite", "smoke"],
    );
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let dir = outcome.run_dir();
    let stream = dir.join("hosts/here/stream.jsonl");
    let text = fs::read_to_string(&stream).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    fs::write(&stream, lines[..lines.len() / 2].concat()).unwrap();
    dir
}

#[test]
fn a_run_that_asks_for_more_than_the_lab_knows_is_not_gone_on_with() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path();
    let dir = unfinished_run(root);
    let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
    let trace = root.join("was-here");
    let resume = |more: &[&str]| {
        let args = ["run", "--fleet", "fleet.yaml", "--resume", name.as_str()];
        xtask(root, &[&args, more].concat())
    };
    let check_refused = |words: &[&str]| {
        let (code, said) = resume(&[]);
        assert_eq!(code, Some(2), "{said}");
        for words in [words, &["--trust-fleet"]].concat() {
            assert!(said.contains(words), "{words:?} is missing: {said}");
        }
        assert!(!trace.exists(), "{said}");
    };

    let fleet = dir.join("inventory/fleet.yaml");
    let own_fleet = fs::read_to_string(&fleet).unwrap();
    let config = root.join("ssh_config");
    fs::write(
        &config,
        format!("Host *\n  ProxyCommand touch {}\n", trace.display()),
    )
    .unwrap();
    let config_file = config.display();
    fs::write(
        &fleet,
        format!("hosts:\n  here:\n    transport: ssh\n    ssh: elsewhere\n    config-file: {config_file}\n"),
    )
    .unwrap();
    check_refused(&[
        "over ssh to `elsewhere`",
        "config-file, which may start any program",
    ]);
    fs::write(&fleet, own_fleet).unwrap();

    let path = dir.join("hosts/here/request.json");
    let own_request = fs::read(&path).unwrap();
    let mut request: Value = serde_json::from_slice(&own_request).unwrap();
    request["prepare"] = json!({"settings": {"/sys/kernel/mm/ksm/run": "1"}});
    fs::write(&path, request.to_string()).unwrap();
    check_refused(&["/sys/kernel/mm/ksm/run"]);

    let mut request: Value = serde_json::from_slice(&own_request).unwrap();
    let units = request["units"].as_array_mut().unwrap();
    let mut unit = units[0].clone();
    unit["unit"] = json!("odd");
    unit["kernel"] = json!("odd");
    unit["job"] = json!({"external": {"program": "touch", "args": [trace], "format": "text"}});
    units.push(unit);
    fs::write(&path, request.to_string()).unwrap();
    check_refused(&["start on host `here`", "touch"]);

    // The same does what it asks for once the user says so.
    let (code, said) = resume(&["--trust-fleet"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(trace.exists(), "{said}");
    let (code, said) = resume(&[]);
    assert_eq!(code, Some(0), "nothing is left to do: {said}");
}
