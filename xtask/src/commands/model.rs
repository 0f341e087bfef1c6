//! `model`: a real GGUF file as a model: shown beside the catalogue, or added to it.

mod show;

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use bench_inventory::gguf::{Expressed, GgufModel};
use bench_inventory::{FileKind, Inventory, ModelArch, load_text};
use bench_locales::message;
use clap::{Args, Subcommand};
use sha2::{Digest, Sha256};

use crate::exit::{self, ExitError};
use crate::{Global, workspace};

/// More letters make no id that anybody types.
const MAX_ID_CHARS: usize = 64;

/// Options of `model`.
#[derive(Debug, Args)]
pub struct ModelArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what a GGUF file says of itself, beside the catalogue's model and tensor list; weights are not read
    Show {
        /// GGUF file, or any part of a split one
        file: PathBuf,
    },
    /// Add the architecture of a GGUF file to the catalogue
    Add {
        /// GGUF file, or any part of a split one
        file: PathBuf,
        /// Id for the model [default: from the name in the file]
        #[arg(long, value_name = "ID")]
        name: Option<String>,
    },
}

/// Shows or adds.
///
/// # Errors
/// With exit code 2 when the file cannot be read as GGUF, or the catalogue cannot take it.
pub fn model(global: &Global, args: &ModelArgs) -> anyhow::Result<u8> {
    match &args.action {
        Action::Show { file } => show::show(global, file),
        Action::Add { file, name } => add(global, file, name.as_deref()),
    }
}

fn open(file: &Path) -> anyhow::Result<GgufModel> {
    GgufModel::open(file).map_err(|error| ExitError::usage(error.to_string()).into())
}

fn add(global: &Global, file: &Path, name: Option<&str>) -> anyhow::Result<u8> {
    let inventory = super::load_inventory(global)?;
    let gguf = open(file)?;
    let entry = entry(&inventory, &gguf, name)?;
    let path = workspace::inventory_dir()
        .join("models")
        .join(format!("{}.yaml", entry.id));
    write_new(&path, &entry.text, || {
        super::load_inventory(global).map(drop)
    })?;
    for other in same_arch(&inventory, &entry.expressed.arch) {
        eprintln!("{}", said!("model-same-architecture", model = other));
    }
    if let Some((first, _)) = entry.expressed.unmodelled.first() {
        let unmodelled = &entry.expressed.unmodelled;
        let bytes: u64 = unmodelled.iter().map(|(_, bytes)| bytes).sum();
        eprintln!(
            "{}",
            said!(
                "model-left-out",
                n = unmodelled.len(),
                bytes = message!("model-bytes", n = bytes),
                first = printable(first),
            )
        );
    }
    println!(
        "{}",
        said!(
            "model-added",
            model = &entry.id,
            file = path.display().to_string()
        )
    );
    Ok(exit::OK)
}

/// A model that is to be added.
struct Entry {
    id: String,
    expressed: Expressed,
    /// The data file.
    text: String,
}

fn entry(inventory: &Inventory, gguf: &GgufModel, name: Option<&str>) -> anyhow::Result<Entry> {
    let id = match name {
        Some(id) => id.to_owned(),
        None => proposed_id(gguf),
    };
    if !is_id(&id) {
        return Err(ExitError::usage(format!(
            "`{id}` is no id for a model; with `--name`, give up to {MAX_ID_CHARS} lower-case letters, digits, `.`, `_` and `-`, and start with a letter or digit"
        ))
        .into());
    }
    if inventory.models.contains_key(&id) {
        return Err(ExitError::usage(format!(
            "the catalogue has a model `{id}` already; give another id with `--name`"
        ))
        .into());
    }
    let expressed = gguf.express().map_err(|reasons| {
        let reasons: Vec<String> = reasons.iter().map(|it| format!("\n  - {it}")).collect();
        ExitError::usage(format!(
            "the catalogue cannot describe this model; `cargo xtask model show` shows what the file says:{}",
            reasons.concat()
        ))
    })?;
    let text = yaml(gguf, &expressed.arch, &id, &header_sha256(gguf)?);
    // Whatever names the file brings along: what is written reads as what was meant.
    let read = load_text(FileKind::Model, &id, &text)
        .map_err(|error| ExitError::usage(error.render(false)))?;
    anyhow::ensure!(
        read.models.get(&id).map(|model| &model.arch) == Some(&expressed.arch),
        "the entry of model `{id}` does not read as the architecture it was made from"
    );
    Ok(Entry {
        id,
        expressed,
        text,
    })
}

/// Models of the catalogue with these very numbers.
fn same_arch<'a>(inventory: &'a Inventory, arch: &ModelArch) -> Vec<&'a str> {
    let models = inventory.models.values();
    models
        .filter(|model| model.arch == *arch)
        .map(|model| model.id.as_str())
        .collect()
}

/// Whether a data file may have this name.
pub fn is_id(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && id.len() <= MAX_ID_CHARS
        && id
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
}

/// From the name in the file, else from the file's own.
fn proposed_id(gguf: &GgufModel) -> String {
    let from_name = slug(gguf.name.as_deref().unwrap_or_default());
    match from_name.is_empty() {
        false => from_name,
        true => slug(&file_name(gguf).replace(".gguf", "")),
    }
}

fn slug(name: &str) -> String {
    let words: Vec<String> = name
        .to_ascii_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric() && !"._".contains(c))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let joined = words.join("-");
    let id = joined.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    id.chars().take(MAX_ID_CHARS).collect()
}

fn file_name(gguf: &GgufModel) -> String {
    let name = gguf.parts.first().and_then(|part| part.path.file_name());
    name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Text from a file without what would move the cursor of a terminal.
fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars()
        .map(shown)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// The data file of a model with the architecture of a GGUF file.
pub fn yaml(gguf: &GgufModel, arch: &ModelArch, id: &str, sha256: &str) -> String {
    let name = gguf.name.as_deref().map(printable).unwrap_or_default();
    let named = match name.as_str() {
        "" => "without general.name".to_owned(),
        name => format!("general.name `{name}`"),
    };
    let headers = match gguf.parts.len() {
        1 => "its header".to_owned(),
        n => format!("the headers of its {n} parts"),
    };
    let source = format!(
        "GGUF file `{}`, {named}, SHA-256 of {headers} {sha256}",
        printable(&file_name(gguf))
    );
    // Every JSON string is one of YAML.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let name = if name.is_empty() { id } else { &name };
    let mut text = format!(
        "# yaml-language-server: $schema=../schemas/model.json\nname: {}\nsource: {}\n",
        quoted(name),
        quoted(&source)
    );
    for (key, value) in [
        ("layers", arch.n_layers),
        ("hidden", arch.hidden),
        ("ffn", arch.ffn),
        ("heads", arch.n_heads),
        ("kv-heads", arch.n_kv_heads),
        ("head-dim", arch.head_dim),
        ("vocab", arch.vocab),
    ] {
        text += &format!("{key}: {value}\n");
    }
    text += &format!("tied-embeddings: {}\n", arch.tied_embeddings);
    for (key, value) in [
        ("qkv-bias", arch.qkv_bias),
        ("fused-projections", arch.fused_projections),
        ("post-norms", arch.post_norms),
    ] {
        if value {
            text += &format!("{key}: true\n");
        }
    }
    if arch.rope_freqs > 0 {
        text += &format!("rope-freqs: {}\n", arch.rope_freqs);
    }
    if let Some(window) = arch.window {
        text += &format!("sliding-window:\n  tokens: {}\n", window.tokens);
        if let Some(n_layers) = window.n_layers {
            text += &format!("  layers: {n_layers}\n");
        }
    }
    if let Some(context) = gguf
        .arch
        .context
        .filter(|context| (1..=1 << 30).contains(context))
    {
        text += &format!("context-length: {context}\n");
    }
    text
}

/// SHA-256 of the header of every part, one after the other, in hexadecimal.
///
/// # Errors
/// When a part cannot be read any more.
pub fn header_sha256(gguf: &GgufModel) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    for part in &gguf.parts {
        let cannot = || format!("cannot read the header of `{}`", part.path.display());
        let file = bench_inventory::foreign::open(&part.path).with_context(cannot)?;
        let mut header = file.take(part.header_bytes);
        let mut chunk = [0; 8192];
        let mut n_bytes = 0;
        loop {
            let n = header.read(&mut chunk).with_context(cannot)?;
            if n == 0 {
                break;
            }
            hash.update(&chunk[..n]);
            n_bytes += n as u64;
        }
        anyhow::ensure!(
            n_bytes == part.header_bytes,
            "`{}` became shorter while it was read",
            part.path.display()
        );
    }
    Ok(base16ct::lower::encode_string(&hash.finalize()))
}

/// Writes a file that must not be there yet, and removes it again when the inventory is not valid with it.
fn write_new(
    path: &Path,
    text: &str,
    validate: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let created = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = created.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => anyhow::Error::from(ExitError::usage(format!(
            "`{}` exists already; give another id with `--name`",
            path.display()
        ))),
        _ => anyhow::Error::from(error).context(format!("cannot write `{}`", path.display())),
    })?;
    let written = file
        .write_all(text.as_bytes())
        .with_context(|| format!("cannot write `{}`", path.display()));
    let result = written.and_then(|()| validate());
    let Err(error) = result else {
        return Ok(());
    };
    match fs::remove_file(path) {
        Ok(()) => Err(error.context(format!("`{}` was removed again", path.display()))),
        Err(left) => Err(error.context(format!(
            "`{}` could not be removed again ({left}); remove it",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gguf(name: &str) -> GgufModel {
        let tests = workspace::inventory_dir().join("tests").join("gguf");
        GgufModel::open(&tests.join(name)).unwrap()
    }

    #[test]
    fn ids_come_from_names() {
        assert_eq!(slug("Qwen2.5 0.5B Instruct"), "qwen2.5-0.5b-instruct");
        assert_eq!(slug("../Café / X"), "caf-x");
        assert_eq!(slug("  "), "");
        assert!(is_id("qwen2.5-0.5b") && !is_id("") && !is_id("A") && !is_id("../a"));
        assert_eq!(proposed_id(&gguf("tied.gguf")), "tiny-llama");
        let nameless = GgufModel {
            name: None,
            ..gguf("untied.gguf")
        };
        assert_eq!(proposed_id(&nameless), "untied");
    }

    #[test]
    fn an_entry_reads_as_the_architecture_of_the_file() {
        for (file, parts) in [
            ("tied.gguf", "its header"),
            ("untied.gguf", "its header"),
            ("split-00002-of-00003.gguf", "the headers of its 3 parts"),
        ] {
            let gguf = GgufModel {
                name: Some("It's: a \"name\"\n\u{1b}[31m # with {all}".to_owned()),
                ..gguf(file)
            };
            let entry = entry(&Inventory::default(), &gguf, Some("new")).unwrap();
            let read = load_text(FileKind::Model, "new", &entry.text).unwrap();
            let model = &read.models["new"];
            assert_eq!(model.arch, gguf.express().unwrap().arch);
            assert_eq!(model.name, "It's: a \"name\"  [31m # with {all}");
            assert!(model.source.contains(parts), "{}", model.source);
        }
    }

    #[test]
    fn a_model_without_place_in_the_schema_is_refused_with_its_reasons() {
        let error = entry(&Inventory::default(), &gguf("experts.gguf"), None)
            .err()
            .unwrap();
        assert_eq!(exit::code_of(&error), exit::USAGE);
        assert!(error.to_string().ends_with("\n  - a layer has 4 experts"));
    }

    #[test]
    fn an_id_that_is_taken_or_none_is_refused() {
        let tied = gguf("tied.gguf");
        let text = entry(&Inventory::default(), &tied, None).unwrap().text;
        let taken = load_text(FileKind::Model, "tiny-llama", &text).unwrap();
        assert_eq!(
            same_arch(&taken, &tied.express().unwrap().arch),
            ["tiny-llama"]
        );
        let error = entry(&taken, &tied, None).err().unwrap();
        assert!(error.to_string().contains("give another id with `--name`"));
        assert!(entry(&taken, &tied, Some("other")).is_ok());
        assert!(entry(&taken, &tied, Some("Other")).is_err());
    }

    #[test]
    fn what_makes_the_inventory_invalid_is_removed_and_what_is_there_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new.yaml");
        let seen = || fs::read_to_string(&path).ok();
        let error = write_new(&path, "text", || {
            assert_eq!(seen().as_deref(), Some("text"));
            Err(ExitError::usage("invalid").into())
        });
        assert_eq!(exit::code_of(&error.unwrap_err()), exit::USAGE);
        assert_eq!(seen(), None);
        write_new(&path, "text", || Ok(())).unwrap();
        assert!(write_new(&path, "other", || Ok(())).is_err());
        assert_eq!(seen().as_deref(), Some("text"));
    }
}
