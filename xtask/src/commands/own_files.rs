//! Data files of one run's own: a suite from elsewhere (`--suite FILE`), models of real files (`--gguf`).
//!
//! They become part of the plan and of the run's inventory, and the run is made from that: the files themselves are
//! needed no more, by no shard and by no report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bench_inventory::gguf::GgufModel;
use bench_inventory::{
    FileKind, Inventory, MAX_FILE_BYTES, Model, Suite, SuiteUnit, SuiteWork, foreign, load_suite,
    load_text,
};

use super::model::{header_sha256, is_id, yaml};
use crate::exit::ExitError;

/// Texts of data files by their place in the inventory's copy: `models/<id>.yaml`, `suites/<id>.yaml`.
pub type OwnFiles = BTreeMap<String, String>;

/// The suite of this name, or in this file, which then enters `own`.
///
/// # Errors
/// With exit code 2 when the inventory has no such suite, or the file has mistakes or the name of one it has.
pub fn suite(asked: &str, inventory: &Inventory, own: &mut OwnFiles) -> anyhow::Result<Suite> {
    if !asked.contains('/') && !asked.ends_with(".yaml") {
        let suite = inventory.suites.get(asked).cloned();
        let known = inventory.suites.keys().map(String::as_str);
        return suite.ok_or_else(|| super::unknown("suite", asked, known));
    }
    let suite = load_suite(Path::new(asked), inventory)
        .map_err(|error| ExitError::usage(error.render(false)))?;
    if inventory.suites.contains_key(&suite.id) {
        return Err(ExitError::usage(format!(
            "the inventory has a suite `{}`, too; give the file another name",
            suite.id
        ))
        .into());
    }
    let text = foreign::read(Path::new(asked), MAX_FILE_BYTES)
        .and_then(|bytes| bench_inventory::text::decode(&bytes).map_err(std::io::Error::other))
        .map_err(|error| ExitError::usage(format!("`{asked}` cannot be read: {error}")))?;
    own.insert(format!("suites/{}.yaml", suite.id), text);
    Ok(suite)
}

/// Data files of the models in these GGUF files.
///
/// # Errors
/// With exit code 2 and every reason at once: a file is no GGUF file, the catalogue's schema cannot express its
/// architecture, the kernels cannot multiply one of its storage types, or two files give the same id.
pub fn of_gguf(files: &[PathBuf], inventory: &Inventory) -> anyhow::Result<OwnFiles> {
    let mut own = OwnFiles::new();
    let mut reasons = Vec::new();
    for file in files {
        let is_taken = |id: &str| inventory.models.contains_key(id);
        match entry(file, is_taken) {
            Ok((id, text)) => {
                if own.insert(format!("models/{id}.yaml"), text).is_some() {
                    reasons.push(format!(
                        "`{}`: another file given is model `{id}`, too; rename one of them",
                        file.display()
                    ));
                }
            }
            Err(error) => reasons.push(format!("{error:#}")),
        }
    }
    match reasons.is_empty() {
        true => Ok(own),
        false => Err(ExitError::usage(reasons.join("\n")).into()),
    }
}

/// Ids of the models among these files.
pub fn models(own: &OwnFiles) -> Vec<String> {
    let ids = own.keys().filter_map(|place| {
        place
            .strip_prefix("models/")
            .and_then(|name| name.strip_suffix(".yaml"))
    });
    ids.map(str::to_owned).collect()
}

/// Puts what these files say into the inventory.
///
/// # Errors
/// With exit code 2 when one of them has mistakes, or no place in an inventory: a plan from a file may hold anything.
pub fn load(own: &OwnFiles, inventory: &mut Inventory) -> anyhow::Result<()> {
    for (place, text) in own {
        let kind = match place.split_once('/') {
            Some(("models", _)) => FileKind::Model,
            Some(("suites", _)) => FileKind::Suite,
            _ => return Err(no_place(place).into()),
        };
        let name = place.split_once('/').map_or("", |(_, name)| name);
        let id = name.strip_suffix(".yaml").filter(|id| is_id(id));
        let id = id.ok_or_else(|| no_place(place))?;
        let read =
            load_text(kind, id, text).map_err(|error| ExitError::usage(error.render(false)))?;
        inventory.models.extend(read.models);
        inventory.suites.extend(read.suites);
    }
    Ok(())
}

fn no_place(place: &str) -> ExitError {
    ExitError::usage(format!("`{place}` is no data file of a plan"))
}

/// Lets every unit of the suite that measures a model measure these; without any, nothing changes.
///
/// # Errors
/// With exit code 2 when no unit measures a model.
pub fn use_models(ids: &[String], suite: &mut Suite) -> Result<(), ExitError> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut is_used = false;
    let mut units: Vec<SuiteUnit> = Vec::new();
    for unit in std::mem::take(&mut suite.units) {
        if !matches!(
            unit.work,
            SuiteWork::Decode { .. } | SuiteWork::Prefill { .. }
        ) {
            units.push(unit);
            continue;
        }
        is_used = true;
        for id in ids {
            let mut of_file = unit.clone();
            if let SuiteWork::Decode { model, .. } | SuiteWork::Prefill { model, .. } =
                &mut of_file.work
            {
                model.clone_from(id);
            }
            // Units that differed in their model only are now the same.
            if !units.contains(&of_file) {
                units.push(of_file);
            }
        }
    }
    suite.units = units;
    match is_used {
        true => Ok(()),
        false => Err(ExitError::usage(format!(
            "`--gguf` changes nothing: no chosen unit of suite `{}` measures a model; take another suite, or keep `decode` and `prefill` with `--kernel`",
            suite.id
        ))),
    }
}

fn entry(file: &Path, is_taken: impl Fn(&str) -> bool) -> anyhow::Result<(String, String)> {
    let gguf = GgufModel::open(file).map_err(|error| ExitError::usage(error.to_string()))?;
    let refused = |reasons: Vec<String>| {
        let reasons: Vec<String> = reasons.iter().map(|it| format!("\n  - {it}")).collect();
        ExitError::usage(format!(
            "`{}` cannot be measured; `cargo xtask model show` shows what it says:{}",
            file.display(),
            reasons.concat()
        ))
    };
    let mut model = Model::of_gguf(&gguf).map_err(refused)?;
    let weights = model.file.as_ref().expect("it was made from a file");
    let unknown = weights.without_kernel();
    if !unknown.is_empty() {
        let reasons = unknown.iter().map(|it| {
            format!(
                "there is no kernel for {}, the storage type of {} tensors, `{}` for instance",
                it.format.id(),
                it.n_tensors,
                it.first
            )
        });
        return Err(refused(reasons.collect()).into());
    }
    // The catalogue's model of that name is another: its lists are computed.
    if is_taken(&model.id) {
        model.id = format!("{}-file", model.id);
    }
    let sha256 = header_sha256(&gguf)?;
    let text = yaml(&gguf, &model.arch, &model.id, &sha256) + &weights.to_yaml();
    let read = load_text(FileKind::Model, &model.id, &text)
        .map_err(|error| ExitError::usage(error.render(false)))?;
    let read = read.models.get(&model.id);
    anyhow::ensure!(
        read.is_some_and(|read| read.arch == model.arch && read.file == model.file),
        "the entry of model `{}` does not read as the file it was made from",
        model.id
    );
    Ok((model.id, text))
}
