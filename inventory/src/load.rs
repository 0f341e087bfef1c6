//! Finds the files of an inventory, reads them all and reports all mistakes together.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::board::Board;
use crate::check::{check, fill};
use crate::diagnostic::{Diagnostic, LoadError, Problem, quoted};
use crate::fleet::Fleet;
use crate::foreign::{self, Folder};
use crate::model::Model;
use crate::raw::Place;
use crate::raw::board::RawBoard;
use crate::raw::fleet::RawFleet;
use crate::raw::model::RawModel;
use crate::raw::reference::{RawQuality, RawReference};
use crate::raw::suite::RawSuite;
use crate::reference::{Quality, Reference};
use crate::suite::Suite;
use crate::tree::Node;
use crate::{schema, tree, yaml};

/// The fleet file of an inventory, unless another is named.
const FLEET_FILE: &str = "fleet.yaml";
/// A data file larger than this is no data file. Bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 18;
/// More mistakes of one file than anybody reads; a file of another kind in the wrong place has thousands.
const MAX_SHOWN_PER_FILE: usize = 50;

/// Everything the data files say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory {
    /// Boards by id.
    pub boards: BTreeMap<String, Board>,
    /// Models by id.
    pub models: BTreeMap<String, Model>,
    /// Suites by id.
    pub suites: BTreeMap<String, Suite>,
    /// Machines that others measured, by id.
    pub references: BTreeMap<String, Reference>,
    /// What quantisation costs in quality, by id.
    pub quality: BTreeMap<String, Quality>,
    /// The hosts of this lab.
    pub fleet: Fleet,
}

/// Reads the inventory folder `root` and its fleet file, or the one given instead.
///
/// A folder that is absent (`boards/`, `models/`, `suites/`, `references/`, `quality/`) counts as empty.
///
/// # Errors
/// All mistakes of all files at once: unreadable files, YAML mistakes, unknown, missing and duplicate keys, wrong types,
/// impossible values, numbers without a source, and boards or models that are referred to but do not exist.
pub fn load(root: &Path, fleet: Option<&Path>) -> Result<Inventory, LoadError> {
    let fleet_file = fleet.map_or_else(|| root.join(FLEET_FILE), Path::to_owned);
    let mut loader = Loader::default();
    let inventory = loader.load(root, Some(&fleet_file), References::Checked);
    loader.finish(inventory)
}

/// Reads the copy of an inventory that a run directory holds.
///
/// Such a copy may be partial: an absent fleet file counts as one without hosts, and references to boards and models
/// that were not copied are no mistakes.
///
/// # Errors
/// All mistakes of the files that are there, as for [`load`].
pub fn load_catalogue(root: &Path) -> Result<Inventory, LoadError> {
    match load_catalogue_lossy(root) {
        (inventory, diagnostics) if diagnostics.is_empty() => Ok(inventory),
        (_, diagnostics) => Err(LoadError { diagnostics }),
    }
}

/// Reads as much of such a copy as can be read: files with mistakes are left out, and all their mistakes come along.
///
/// For old runs, whose copies were made by another version or were damaged since: one broken file must not take the
/// others with it.
pub fn load_catalogue_lossy(root: &Path) -> (Inventory, Vec<Diagnostic>) {
    let fleet_file = root.join(FLEET_FILE);
    let fleet_file = fleet_file.exists().then_some(fleet_file.as_path());
    let mut loader = Loader::default();
    let inventory = loader.load(root, fleet_file, References::Free);
    (inventory, loader.diagnostics)
}

/// The same for a copy that came from elsewhere: no link in it is followed. `root` is what messages call the folder.
pub fn load_foreign_catalogue(copy: Folder, root: &Path) -> (Inventory, Vec<Diagnostic>) {
    let has_fleet = copy.kind(FLEET_FILE).is_ok_and(|kind| kind.is_some());
    let fleet_file = has_fleet.then(|| root.join(FLEET_FILE));
    let mut loader = Loader {
        copy: Some((copy, root.to_owned())),
        ..Loader::default()
    };
    let inventory = loader.load(root, fleet_file.as_deref(), References::Free);
    (inventory, loader.diagnostics)
}

/// Which of the data files a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// `boards/<id>.yaml`.
    Board,
    /// `models/<id>.yaml`.
    Model,
    /// `suites/<id>.yaml`.
    Suite,
    /// `references/<id>.yaml`.
    Reference,
    /// `quality/<id>.yaml`.
    Quality,
    /// A fleet file.
    Fleet,
}

/// Reads one data file from its text; `id` is the name that it would have, and messages give. Names of other files need
/// not exist.
///
/// # Errors
/// All mistakes of the text, as for [`load`].
pub fn load_text(kind: FileKind, id: &str, text: &str) -> Result<Inventory, LoadError> {
    let mut loader = Loader::default();
    let path = PathBuf::from(format!("{id}.yaml"));
    let mut inventory = Inventory::default();
    match kind {
        FileKind::Board => {
            let board = loader.text(
                &path,
                text.into(),
                &schema::BOARD,
                |raw: RawBoard, place, problems| raw.resolve(id, place, problems),
            );
            inventory.boards.extend(board.map(|it| (id.to_owned(), it)));
        }
        FileKind::Model => {
            let model = loader.text(
                &path,
                text.into(),
                &schema::MODEL,
                |raw: RawModel, place, problems| raw.resolve(id, place, problems),
            );
            inventory.models.extend(model.map(|it| (id.to_owned(), it)));
        }
        FileKind::Suite => {
            let suite = loader.text(
                &path,
                text.into(),
                &schema::SUITE,
                |raw: RawSuite, place, problems| raw.resolve(id, place, None, problems),
            );
            inventory.suites.extend(suite.map(|it| (id.to_owned(), it)));
        }
        FileKind::Reference => {
            let reference = loader.text(
                &path,
                text.into(),
                &schema::REFERENCE,
                |raw: RawReference, place, problems| raw.resolve(id, place, None, problems),
            );
            (inventory.references).extend(reference.map(|it| (id.to_owned(), it)));
        }
        FileKind::Quality => {
            let quality = loader.text(
                &path,
                text.into(),
                &schema::QUALITY,
                |raw: RawQuality, place, problems| raw.resolve(id, place, problems),
            );
            inventory
                .quality
                .extend(quality.map(|it| (id.to_owned(), it)));
        }
        FileKind::Fleet => {
            let fleet = loader.text(
                &path,
                text.into(),
                &schema::FLEET,
                |raw: RawFleet, place, problems| raw.resolve(place, None, problems),
            );
            inventory.fleet = fleet.unwrap_or_default();
        }
    }
    loader.finish(inventory)
}

/// Reads a suite from a file anywhere, for the models of `inventory`. Its id is the file's name without extension.
///
/// # Errors
/// All mistakes of the file, as for [`load`], and a name that is no id.
pub fn load_suite(path: &Path, inventory: &Inventory) -> Result<Suite, LoadError> {
    let mut loader = Loader::default();
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let suite = match stem.filter(|stem| is_id(stem)) {
        Some(id) => {
            let models: Vec<String> = inventory.models.keys().cloned().collect();
            loader.file(path, &schema::SUITE, |raw: RawSuite, place, problems| {
                raw.resolve(id, place, Some(&models), problems)
            })
        }
        None => {
            loader.diagnostics.push(no_id(path));
            None
        }
    };
    match suite {
        Some(suite) if loader.diagnostics.is_empty() => Ok(suite),
        _ => Err(LoadError {
            diagnostics: loader.diagnostics,
        }),
    }
}

/// The files that make up an inventory, in the order they are read. Files that do not exist are left out.
pub fn files(root: &Path, fleet: Option<&Path>) -> Vec<PathBuf> {
    let fleet_file = fleet.map_or_else(|| root.join(FLEET_FILE), Path::to_owned);
    let mut unreported = Vec::new();
    let mut files: Vec<PathBuf> = ["boards", "models", "suites", "references", "quality"]
        .into_iter()
        .flat_map(|folder| yaml_files(paths(&root.join(folder)), &mut unreported))
        .map(|(_, path)| path)
        .collect();
    files.push(fleet_file);
    files.retain(|path| path.is_file());
    files
}

/// Whether a name of another file must exist.
#[derive(Clone, Copy, PartialEq, Eq)]
enum References {
    Checked,
    Free,
}

#[derive(Default)]
struct Loader {
    diagnostics: Vec<Diagnostic>,
    /// The folder that all files lie in and its path, where they came from elsewhere.
    copy: Option<(Folder, PathBuf)>,
}

impl Loader {
    fn load(&mut self, root: &Path, fleet: Option<&Path>, references: References) -> Inventory {
        let boards = self.folder_files(root, "boards");
        let models = self.folder_files(root, "models");
        let suites = self.folder_files(root, "suites");
        let references_files = self.folder_files(root, "references");
        let quality_files = self.folder_files(root, "quality");
        let known = |files: &[(String, PathBuf)]| -> Option<Vec<String>> {
            let ids = files.iter().map(|(id, _)| id.clone()).collect();
            (references == References::Checked).then_some(ids)
        };
        let (board_ids, model_ids) = (known(&boards), known(&models));
        Inventory {
            boards: self.folder(
                boards,
                &schema::BOARD,
                |raw: RawBoard, id, place, problems| raw.resolve(id, place, problems),
            ),
            models: self.folder(
                models,
                &schema::MODEL,
                |raw: RawModel, id, place, problems| raw.resolve(id, place, problems),
            ),
            suites: self.folder(
                suites,
                &schema::SUITE,
                |raw: RawSuite, id, place, problems| {
                    raw.resolve(id, place, model_ids.as_deref(), problems)
                },
            ),
            references: self.folder(
                references_files,
                &schema::REFERENCE,
                |raw: RawReference, id, place, problems| {
                    let known = board_ids.as_deref().zip(model_ids.as_deref());
                    raw.resolve(id, place, known, problems)
                },
            ),
            quality: self.folder(
                quality_files,
                &schema::QUALITY,
                |raw: RawQuality, id, place, problems| raw.resolve(id, place, problems),
            ),
            fleet: fleet
                .and_then(|file| {
                    self.file(file, &schema::FLEET, |raw: RawFleet, place, problems| {
                        raw.resolve(place, board_ids.as_deref(), problems)
                    })
                    .map(|fleet| fleet.with_streams_in(file.parent().unwrap_or(Path::new(""))))
                })
                .unwrap_or_default(),
        }
    }

    fn finish(self, inventory: Inventory) -> Result<Inventory, LoadError> {
        match self.diagnostics.is_empty() {
            true => Ok(inventory),
            false => Err(LoadError {
                diagnostics: self.diagnostics,
            }),
        }
    }

    fn folder_files(&mut self, root: &Path, folder: &str) -> Vec<(String, PathBuf)> {
        let path = root.join(folder);
        let paths = match &self.copy {
            None => paths(&path),
            Some((copy, _)) => match copy.folder(folder).and_then(|folder| folder.entries()) {
                Ok(entries) => Ok(entries.iter().map(|it| path.join(&it.name)).collect()),
                Err(error) => Err((path, error)),
            },
        };
        yaml_files(paths, &mut self.diagnostics)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let Some((copy, root)) = &self.copy else {
            return foreign::read(path, MAX_FILE_BYTES);
        };
        let place = path.strip_prefix(root).ok().and_then(Path::to_str);
        let place = place.ok_or(io::ErrorKind::NotFound)?;
        copy.read(place, MAX_FILE_BYTES)
    }

    fn folder<Raw: DeserializeOwned, T>(
        &mut self,
        files: Vec<(String, PathBuf)>,
        schema: &Value,
        resolve: impl Fn(Raw, &str, &Place, &mut Vec<Problem>) -> T,
    ) -> BTreeMap<String, T> {
        let mut resolved = BTreeMap::new();
        for (id, path) in files {
            let value = self.file(&path, schema, |raw: Raw, place, problems| {
                resolve(raw, &id, place, problems)
            });
            resolved.extend(value.map(|value| (id, value)));
        }
        resolved
    }

    fn file<Raw: DeserializeOwned, T>(
        &mut self,
        path: &Path,
        schema: &Value,
        resolve: impl FnOnce(Raw, &Place, &mut Vec<Problem>) -> T,
    ) -> Option<T> {
        let text: Arc<str> = match text_of(path, self.read(path)) {
            Ok(text) => text.into(),
            Err(diagnostic) => {
                self.diagnostics.push(*diagnostic);
                return None;
            }
        };
        self.text(path, text, schema, resolve)
    }

    fn text<Raw: DeserializeOwned, T>(
        &mut self,
        path: &Path,
        text: Arc<str>,
        schema: &Value,
        resolve: impl FnOnce(Raw, &Place, &mut Vec<Problem>) -> T,
    ) -> Option<T> {
        let (value, mut problems) = read(&text, schema, resolve);
        problems.sort_by_key(|problem| problem.span.start);
        let n_hidden = problems.len().saturating_sub(MAX_SHOWN_PER_FILE);
        let shown = problems.into_iter().take(MAX_SHOWN_PER_FILE);
        let diagnostics = shown.map(|problem| Diagnostic::at(path, &text, problem));
        self.diagnostics.extend(diagnostics);
        if n_hidden > 0 {
            self.diagnostics.push(Diagnostic::of_file(
                path,
                format!("the file has {n_hidden} more mistakes"),
                "correct those above first",
            ));
        }
        value
    }
}

/// One file from text to resolved value.
///
/// A clean file is read by `serde_yaml` from its text. A file with mistakes gives no value, but its checks see what is
/// left of it.
fn read<Raw: DeserializeOwned, T>(
    text: &str,
    schema: &Value,
    resolve: impl FnOnce(Raw, &Place, &mut Vec<Problem>) -> T,
) -> (Option<T>, Vec<Problem>) {
    let (node, mut problems) = tree::parse(text);
    let fitting: Option<Node> = node.and_then(|node| check(schema, &node, &mut problems));
    let Some(node) = fitting else {
        return (None, problems);
    };
    let raw: Option<Raw> = if problems.is_empty() {
        match yaml::from_text(text) {
            Ok(raw) => Some(raw),
            Err(error) => {
                problems.push(Problem::new(
                    error.span,
                    error.reason,
                    format!("correct the value of {}", quoted(&error.path)),
                ));
                None
            }
        }
    } else {
        yaml::from_node(&fill(schema, &node))
    };
    let value = raw.map(|raw| resolve(raw, &Place::root(&node), &mut problems));
    (value.filter(|_| problems.is_empty()), problems)
}

/// Everything in a folder, or why it cannot be listed.
type Paths = Result<Vec<PathBuf>, (PathBuf, io::Error)>;

fn paths(folder: &Path) -> Paths {
    let list = || -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder)?;
        entries.map(|entry| Ok(entry?.path())).collect()
    };
    list().map_err(|error| (folder.to_owned(), error))
}

/// The `*.yaml` files of a folder with their ids, sorted by name. A folder that does not exist has none.
fn yaml_files(paths: Paths, diagnostics: &mut Vec<Diagnostic>) -> Vec<(String, PathBuf)> {
    let mut paths = match paths {
        Ok(paths) => paths,
        Err((_, error)) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err((folder, error)) => {
            diagnostics.push(unreadable(&folder, &error));
            return Vec::new();
        }
    };
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let id = path.file_stem().and_then(|stem| stem.to_str());
        match (extension, id) {
            (Some("yaml"), Some(id)) if is_id(id) => files.push((id.to_owned(), path)),
            (Some("yaml"), _) => diagnostics.push(no_id(&path)),
            (Some("yml"), _) => diagnostics.push(Diagnostic::of_file(
                &path,
                "the file would be ignored".to_owned(),
                "rename it to `.yaml`",
            )),
            _ => {}
        }
    }
    files
}

fn no_id(path: &Path) -> Diagnostic {
    Diagnostic::of_file(
        path,
        "the file name is no id".to_owned(),
        "name it with lower-case letters, digits, `.`, `_` and `-`, starting with a letter or digit",
    )
}

fn is_id(stem: &str) -> bool {
    stem.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && stem
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-'))
}

/// The text of a file. Boxed: the mistake is much larger than the path that leads here.
fn text_of(path: &Path, read: io::Result<Vec<u8>>) -> Result<String, Box<Diagnostic>> {
    let bytes = read.map_err(|error| Box::new(unreadable(path, &error)))?;
    crate::text::decode(&bytes).map_err(|error| {
        Box::new(Diagnostic::of_file(
            path,
            format!("the file is {error}"),
            "save it as UTF-8",
        ))
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "check the path, or create the file",
        // A link in a copy, a pipe, too many bytes.
        io::ErrorKind::InvalidInput => "put a YAML file of a few kilobytes here, or remove it",
        _ => "check the path and its permissions",
    };
    Diagnostic::of_file(path, format!("the file cannot be read: {error}"), remedy)
}

#[cfg(test)]
mod tests;
