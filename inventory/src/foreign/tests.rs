use std::fs;
use std::os::unix::fs::symlink;

use super::*;

struct Outside {
    dir: tempfile::TempDir,
}

impl Outside {
    /// A folder `run` with things that lead out of it, and what lies outside.
    fn new() -> Outside {
        let dir = tempfile::tempdir().unwrap();
        let at = |place: &str| dir.path().join(place);
        fs::create_dir_all(at("run/inner")).unwrap();
        fs::create_dir(at("secret")).unwrap();
        fs::write(at("secret/key"), "secret").unwrap();
        fs::write(at("run/inner/file"), "good").unwrap();
        symlink(at("secret/key"), at("run/link")).unwrap();
        symlink(at("secret"), at("run/linked")).unwrap();
        rustix::fs::mkfifoat(CWD, at("run/pipe"), Mode::from_raw_mode(0o600)).unwrap();
        Outside { dir }
    }

    fn folder(&self) -> Folder {
        Folder::open(&self.dir.path().join("run")).unwrap()
    }

    fn secret(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path().join("secret")).unwrap();
        let mut seen: Vec<String> = entries
            .map(|entry| {
                let path = entry.unwrap().path();
                format!("{}: {}", path.display(), fs::read_to_string(&path).unwrap())
            })
            .collect();
        seen.sort();
        seen
    }
}

fn check_refused(folder: &Folder, place: &str, expect: &str) {
    let error = folder.read(place, 100).unwrap_err().to_string();
    assert!(error.contains(expect), "`{place}`: {error}");
}

#[test]
fn only_regular_files_inside_the_folder_are_read() {
    let outside = Outside::new();
    let folder = outside.folder();
    assert_eq!(folder.read("inner/file", 100).unwrap(), b"good");
    check_refused(&folder, "link", "a symbolic link");
    check_refused(&folder, "linked/key", "a symbolic link");
    check_refused(&folder, "pipe", "a pipe");
    check_refused(&folder, "inner", "a folder");
    check_refused(&folder, "inner/file/x", "a regular file and no folder");
    for place in [
        "../secret/key",
        "/etc/passwd",
        "",
        ".",
        "inner/../../secret/key",
    ] {
        check_refused(&folder, place, "not a path inside this folder");
    }
    let missing = folder.read("inner/none", 100).unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    assert_eq!(folder.kind("none/none").unwrap(), None);
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sparse");
    File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let error = read(&path, 1000).unwrap_err().to_string();
    assert_eq!(error, "it has more than 1000 bytes");
    fs::write(&path, [b'x'; 1000]).unwrap();
    assert_eq!(read(&path, 1000).unwrap().len(), 1000);
}

#[test]
fn a_path_of_the_user_may_be_a_link() {
    let outside = Outside::new();
    let at = |place: &str| outside.dir.path().join(place);
    assert_eq!(read(&at("run/link"), 100).unwrap(), b"secret");
    Folder::open(&at("run/linked")).unwrap();
    for endless in [at("run/pipe"), "/dev/zero".into(), at("run")] {
        assert!(read(&endless, 100).is_err(), "{}", endless.display());
    }
}

#[test]
fn writing_replaces_links_and_leaves_what_they_point_to() {
    let outside = Outside::new();
    let before = outside.secret();
    let folder = outside.folder();
    let at = |place: &str| outside.dir.path().join(place);
    symlink(at("secret/key"), at("run/new.json.tmp")).unwrap();
    for place in ["link", "linked/key", "new", "deep/er/file", "pipe"] {
        folder.replace(place, b"ours").unwrap();
        assert_eq!(folder.read(place, 100).unwrap(), b"ours", "{place}");
    }
    assert!(folder.replace("../secret/key", b"ours").is_err());
    assert!(folder.replace("inner", b"ours").is_err());
    assert_eq!(folder.read("inner/file", 100).unwrap(), b"good");
    assert_eq!(outside.secret(), before);
}
