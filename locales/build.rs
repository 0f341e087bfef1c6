//! Lists the languages: each folder beside this file that holds `.ftl` files is one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    println!("cargo::rerun-if-changed={}", root.display());
    let mut list = String::from("&[\n");
    for folder in sorted(&root) {
        let files: Vec<PathBuf> = (sorted(&folder).into_iter())
            .filter(|file| file.extension().is_some_and(|end| end == "ftl"))
            .collect();
        if files.is_empty() {
            continue;
        }
        let code = name(&folder);
        writeln!(list, "    ({code:?}, &[").expect("a string takes everything");
        for file in files {
            writeln!(list, "        include_str!({file:?}),").expect("a string takes everything");
        }
        list.push_str("    ]),\n");
    }
    list.push(']');
    fs::write(out.join("languages.rs"), list).expect("cargo made this folder");
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = match folder.is_dir() {
        true => (fs::read_dir(folder).expect("it is a folder"))
            .map(|entry| entry.expect("it is readable").path())
            .collect(),
        false => Vec::new(),
    };
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    let name = path.file_name().expect("entries have names");
    name.to_string_lossy().into_owned()
}
