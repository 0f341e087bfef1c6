//! A model from its file, or from all parts of a split one.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use crate::{foreign, saturating_sum};

use super::read::{self, Rules};
use super::{GgmlType, GgufArch, GgufError, GgufHeader, MAX_PARTS, MAX_TENSORS, TensorInfo};

/// A model as its GGUF file describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufModel {
    /// The file, or the parts of a split one in their order.
    pub parts: Vec<GgufPart>,
    /// Version of the format.
    pub version: u32,
    /// `general.name`, where there is one.
    pub name: Option<String>,
    /// `general.file_type`, where there is one: the number of the quantisation.
    pub file_type: Option<u64>,
    /// `general.architecture`, for instance `llama`.
    pub architecture: String,
    /// The numbers of the architecture.
    pub arch: GgufArch,
    /// Why it is not a language model that generates one token after another; `None` where it is one.
    pub not_generating: Option<String>,
    /// Every tensor, in the order of the files.
    pub tensors: Vec<GgufTensor>,
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GgufPart {
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes.
    pub file_bytes: u64,
    /// Bytes of its header, up to the end of the last tensor's description.
    pub header_bytes: u64,
}

/// One tensor of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GgufTensor {
    /// Its description.
    pub info: TensorInfo,
    /// The part that holds it.
    pub part_idx: usize,
    /// Bytes of it that a decoded token reads. Of an expert's own tensor this is its share, as it is not in use by every
    /// token.
    pub read_bytes: u64,
}

impl GgufModel {
    /// Reads the header of a file, and of its siblings where the model is split; any part may be named.
    ///
    /// # Errors
    /// When a file cannot be read as GGUF or is cut off, parts are missing or do not belong together, or the metadata
    /// name no architecture. The error names file, byte and field.
    pub fn open(path: &Path) -> Result<GgufModel, GgufError> {
        let (part, header) = open_part(path)?;
        let n_parts = header
            .unsigned("split.count")
            .map_err(|error| error.in_file(path))?;
        match n_parts {
            None | Some(0 | 1) => GgufModel::from_headers(vec![(part, header)]),
            Some(n_parts) => {
                let paths = sibling_paths(path, n_parts).map_err(|error| error.in_file(path))?;
                let parts: Result<Vec<_>, _> = paths.iter().map(|path| open_part(path)).collect();
                GgufModel::from_headers(parts?)
            }
        }
    }

    /// A model from the headers of all its parts, in their order.
    ///
    /// # Errors
    /// As [`GgufModel::open`].
    pub fn from_headers(parts: Vec<(GgufPart, GgufHeader)>) -> Result<GgufModel, GgufError> {
        for (part, header) in &parts {
            header
                .check_file_bytes(part.file_bytes)
                .map_err(|error| error.in_file(&part.path))?;
        }
        check_split(&parts)?;
        let Some((first_part, first)) = parts.first() else {
            return Err(GgufError::whole("parts", "there are none"));
        };
        let whole = |error: GgufError| error.in_file(&first_part.path);
        let Some(architecture) = first.text("general.architecture") else {
            return Err(whole(GgufError::whole(
                "`general.architecture`",
                "is missing or no string; the file is no model",
            )));
        };
        let infos = || parts.iter().flat_map(|(_, header)| &header.tensors);
        let arch = GgufArch::new(first, architecture, infos()).map_err(whole)?;
        let rules = Rules::new(first, architecture, &arch, infos()).map_err(whole)?;
        let read_bytes: Vec<u64> = infos().map(|info| rules.read_bytes(info)).collect();
        let not_generating = read::not_generating(first, architecture, infos());
        let (version, architecture) = (first.version, architecture.to_owned());
        let name = first.text("general.name").map(str::to_owned);
        // Only a label follows from it: a value that is no number is as good as none.
        let file_type = first.unsigned("general.file_type").ok().flatten();
        let mut tensors = Vec::new();
        let mut read_bytes = read_bytes.into_iter();
        let mut files = Vec::new();
        for (part_idx, (part, header)) in parts.into_iter().enumerate() {
            files.push(part);
            tensors.extend(header.tensors.into_iter().map(|info| GgufTensor {
                read_bytes: read_bytes.next().unwrap_or(info.n_bytes),
                info,
                part_idx,
            }));
        }
        Ok(GgufModel {
            parts: files,
            version,
            name,
            file_type,
            architecture,
            arch,
            not_generating,
            tensors,
        })
    }

    /// Bytes of all parts, headers and padding included.
    pub fn file_bytes(&self) -> u64 {
        saturating_sum(self.parts.iter().map(|part| part.file_bytes))
    }

    /// Bytes of all tensors: what bounds call the file bytes.
    pub fn tensor_bytes(&self) -> u64 {
        saturating_sum(self.tensors.iter().map(|tensor| tensor.info.n_bytes))
    }

    /// Bytes of weights a decoded token reads, by the rules of [`crate::Model::read_bytes_per_token`]; they mean nothing
    /// where the file is [`GgufModel::not_generating`].
    pub fn read_bytes_per_token(&self) -> u64 {
        saturating_sum(self.tensors.iter().map(|tensor| tensor.read_bytes))
    }

    /// Elements of all tensors, frequency factors of the rotary embedding excepted (they are constants).
    pub fn n_params(&self) -> u64 {
        let is_parameter = |tensor: &&GgufTensor| !tensor.info.name.starts_with("rope_");
        let tensors = self.tensors.iter().filter(is_parameter);
        saturating_sum(tensors.map(|tensor| tensor.info.n_elements))
    }

    /// Tensors and bytes of each storage type.
    pub fn mix(&self) -> BTreeMap<GgmlType, (u64, u64)> {
        let mut mix = BTreeMap::new();
        for tensor in &self.tensors {
            let (n_tensors, n_bytes): &mut (u64, u64) =
                mix.entry(tensor.info.ggml_type).or_insert((0, 0));
            *n_tensors += 1;
            *n_bytes = tensor.info.n_bytes.saturating_add(*n_bytes);
        }
        mix
    }
}

fn open_part(path: &Path) -> Result<(GgufPart, GgufHeader), GgufError> {
    let failed = |error: std::io::Error| {
        GgufError::whole("file", format!("cannot be opened: {error}")).in_file(path)
    };
    let file = foreign::open(path).map_err(failed)?;
    let file_bytes = file.metadata().map_err(failed)?.len();
    let header = GgufHeader::read(BufReader::with_capacity(1 << 16, file))
        .map_err(|error| error.in_file(path))?;
    let part = GgufPart {
        path: path.to_owned(),
        file_bytes,
        header_bytes: header.header_bytes,
    };
    Ok((part, header))
}

/// The files of a split model, by the format's own scheme: `NAME-00001-of-00003.gguf`.
fn sibling_paths(path: &Path, n_parts: u64) -> Result<Vec<PathBuf>, GgufError> {
    let field = "`split.count`";
    if n_parts > MAX_PARTS {
        let problem = format!("{n_parts} is more than {MAX_PARTS}, the most accepted");
        return Err(GgufError::whole(field, problem));
    }
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let Some(stem) = split_stem(name, n_parts) else {
        let problem = format!(
            "the model has {n_parts} parts, but the name of this file does not end with `-00001-of-{n_parts:05}.gguf` or another number; give the parts their names back"
        );
        return Err(GgufError::whole(field, problem));
    };
    let names: Vec<String> = (1..=n_parts)
        .map(|part| format!("{stem}-{part:05}-of-{n_parts:05}.gguf"))
        .collect();
    let missing: Vec<&str> = names
        .iter()
        .filter(|name| !path.with_file_name(name).exists())
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        let problem = format!(
            "of {n_parts} parts, {} are missing beside this one: {}",
            missing.len(),
            missing.join(", ")
        );
        return Err(GgufError::whole("parts", problem));
    }
    Ok(names.iter().map(|name| path.with_file_name(name)).collect())
}

/// What stands before the number of the part.
fn split_stem(name: &str, n_parts: u64) -> Option<&str> {
    let rest = name.strip_suffix(&format!("-of-{n_parts:05}.gguf"))?;
    let (stem, number) = rest.rsplit_once('-')?;
    let is_number = number.len() == 5 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(stem)
}

/// That the parts are those of one model, each in its place and all of them.
fn check_split(parts: &[(GgufPart, GgufHeader)]) -> Result<(), GgufError> {
    let n_parts = parts.len() as u64;
    let mut names = BTreeSet::new();
    for (part_idx, (part, header)) in parts.iter().enumerate() {
        let here = |error: GgufError| error.in_file(&part.path);
        if n_parts > 1 {
            for (key, expected) in [("split.count", n_parts), ("split.no", part_idx as u64)] {
                let found = header.unsigned(key).map_err(here)?;
                if found != Some(expected) {
                    let found = found.map_or("is missing".to_owned(), |it| format!("is {it}"));
                    let problem = format!(
                        "{found} and must be {expected}; the parts are of different models or were renamed"
                    );
                    return Err(here(GgufError::whole(format!("`{key}`"), problem)));
                }
            }
        }
        for tensor in &header.tensors {
            if !names.insert(tensor.name.as_str()) {
                let field = format!("tensor `{}`", tensor.name);
                let problem = "another part holds it too; the parts are of different models";
                return Err(here(GgufError::whole(field, problem)));
            }
        }
        if names.len() as u64 > MAX_TENSORS {
            let problem = format!("together more than {MAX_TENSORS}, the most accepted");
            return Err(here(GgufError::whole("number of tensors", problem)));
        }
    }
    let Some((first_part, first)) = parts.first() else {
        return Ok(());
    };
    let here = |error: GgufError| error.in_file(&first_part.path);
    match first.unsigned("split.tensors.count").map_err(here)? {
        Some(expected) if n_parts > 1 && expected != names.len() as u64 => {
            let problem = format!(
                "is {expected}, but the parts hold {} tensors; fetch them again",
                names.len()
            );
            Err(here(GgufError::whole("`split.tensors.count`", problem)))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stem_of_a_part_ends_before_its_number() {
        assert_eq!(split_stem("a-b-00002-of-00003.gguf", 3), Some("a-b"));
        assert_eq!(split_stem("a-00002-of-00003.gguf", 4), None);
        assert_eq!(split_stem("a-0002-of-00003.gguf", 3), None);
        assert_eq!(split_stem("a-b.gguf", 3), None);
    }
}
