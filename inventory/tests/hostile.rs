//! Files that nobody wrote in good faith: a clear message each, never a panic.

use std::fs;
use std::path::Path;

use bench_inventory::{LoadError, load};
use proptest::prelude::*;

/// Loads an inventory that holds this one file, and renders what is wrong with it.
fn mistakes(file: &str, bytes: &[u8]) -> Option<LoadError> {
    let folder = tempfile::tempdir().expect("a temporary folder can be written and read");
    fs::write(folder.path().join("fleet.yaml"), "hosts: {}\n")
        .expect("a temporary folder can be written and read");
    let path = folder.path().join(file);
    fs::create_dir_all(
        path.parent()
            .expect("a temporary folder can be written and read"),
    )
    .expect("a temporary folder can be written and read");
    fs::write(path, bytes).expect("a temporary folder can be written and read");
    let error = load(folder.path(), None).err()?;
    assert!(!error.diagnostics.is_empty());
    assert!(error.render(true).len() >= error.to_string().len());
    Some(error)
}

fn check(bytes: &[u8], expect: &str) {
    let error = mistakes("boards/x.yaml", bytes).expect("the file is no board");
    let title = &error.diagnostics[0].title;
    assert!(title.starts_with(expect), "{title:?} is not {expect:?}");
    assert_eq!(error.diagnostics.len(), 1, "{error}");
}

#[test]
fn what_is_no_yaml_says_so() {
    check(b"", "the file is empty");
    check(b"\n\n# nothing\n", "the file is empty");
    check(b"\xff\xfe\x00", "the file is not UTF-16 text");
    check(b"a: \xff", "the file is not UTF-8 text: byte 3");
    check(
        b"\x7fELF\x02\x01\x01\0\0",
        "the file is not UTF-8 text: line 1 holds a zero byte",
    );
    check(b"name:\n\tx: 1\n", "no valid YAML");
    check(b"name: [1, 2\n", "no valid YAML");
    check(b"just words\n", "the file must be a map");
    check("[".repeat(100_000).as_bytes(), "no valid YAML");
    check("{a: ".repeat(50_000).as_bytes(), "no valid YAML");
    check(
        &vec![b'a'; 300_000],
        "the file cannot be read: it has more than 262144 bytes",
    );
    check(b"a: &a [x]\nb: *a\n", "YAML anchors and aliases");
    check(b"a: !!python/object:os.system x\n", "YAML tags");
    check(b"a: 1\n---\nb: 2\n", "the file holds a second document");
}

#[test]
fn a_billion_laughs_stop_at_the_first_anchor() {
    let mut text = "a: &a [lol]\n".to_owned();
    for level in b'b'..=b'z' {
        let (level, below) = (level as char, (level - 1) as char);
        text += &format!("{level}: &{level} [*{below}, *{below}, *{below}]\n");
    }
    check(text.as_bytes(), "YAML anchors and aliases");
}

#[test]
fn thousands_of_mistakes_are_not_all_shown() {
    let text: String = (0..20_000).map(|n| format!("k{n}: 1\n")).collect();
    let error = mistakes("boards/x.yaml", text.as_bytes()).unwrap();
    assert_eq!(error.diagnostics.len(), 51);
    assert!(
        error.diagnostics[50].title.ends_with("more mistakes"),
        "{error}"
    );
}

#[test]
fn a_folder_named_like_a_file_says_so() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("boards/x.yaml")).unwrap();
    fs::create_dir(folder.path().join("fleet.yaml")).unwrap();
    let error = load(folder.path(), None).unwrap_err();
    let titles: Vec<&str> = error.diagnostics.iter().map(|d| d.title.as_str()).collect();
    assert_eq!(
        titles,
        ["the file cannot be read: it is a folder, not a regular file"; 2]
    );
}

/// A shipped file with a piece cut out and another text put in its place.
fn mutated() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let shipped = [
        "boards/rock-5b.yaml",
        "models/phi-3.5-mini.yaml",
        "suites/quick.yaml",
        "fleet.yaml",
    ];
    let piece = prop_oneof![
        "[ -~\n\t]{0,6}",
        "\\PC{0,3}",
        prop::sample::select(vec![
            "&a ", "*a", "!!x ", ": ", "- ", "\n---\n", "\"", "'", "{", "[", "|\n", ">\n", "? ",
            "\u{feff}", "\u{85}", "\r", "\0"
        ])
        .prop_map(str::to_owned),
    ];
    (
        prop::sample::select(shipped.to_vec()),
        any::<prop::sample::Index>(),
        0usize..40,
        piece,
    )
        .prop_map(|(file, start, n_cut, piece)| {
            let mut bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
                .expect("a temporary folder can be written and read");
            let start = start.index(bytes.len());
            let end = (start + n_cut).min(bytes.len());
            bytes.splice(start..end, piece.into_bytes());
            (file, bytes)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_file_never_panics((file, bytes) in mutated()) {
        mistakes(file, &bytes);
    }

    #[test]
    fn any_text_never_panics(text in "\\PC{0,40}(\n[ -~]{0,20}){0,4}") {
        mistakes("suites/x.yaml", text.as_bytes());
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        mistakes("models/x.yaml", &bytes);
    }
}
