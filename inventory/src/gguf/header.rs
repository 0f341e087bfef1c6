//! One file's header: metadata and tensor descriptions.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::cursor::{Cursor, too_large};
use super::{
    GgmlType, GgufError, MAX_ALIGNMENT, MAX_ARRAY_DEPTH, MAX_ARRAY_ELEMENTS, MAX_DIMS, MAX_ENTRIES,
    MAX_KEY_BYTES, MAX_STORED_INTEGERS, MAX_STORED_STRING_BYTES, MAX_STRING_BYTES,
    MAX_TENSOR_NAME_BYTES, MAX_TENSORS,
};

/// Alignment of tensor data where a file names none, bytes.
const DEFAULT_ALIGNMENT: u64 = 32;

/// What a GGUF file says before its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufHeader {
    /// Version of the format, 2 or 3.
    pub version: u32,
    /// Metadata by key.
    pub metadata: BTreeMap<String, Value>,
    /// Tensors in the order of the file.
    pub tensors: Vec<TensorInfo>,
    /// Bytes up to the end of the last tensor's description.
    pub header_bytes: u64,
    /// Where tensor data begins in the file, bytes: the end of the header, aligned.
    pub data_start: u64,
}

/// One value of the metadata.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An integer of any width and sign.
    Integer(i128),
    /// A number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A string of at most [`MAX_STORED_STRING_BYTES`]; what is no UTF-8 in it is replaced.
    Text(String),
    /// A longer string, which was not stored.
    LongText {
        /// Its bytes.
        n_bytes: u64,
    },
    /// An array.
    Array {
        /// Its elements.
        n_elements: u64,
        /// The elements of an array of integers, or of truth values as 0 and 1, that has at most
        /// [`MAX_STORED_INTEGERS`]; otherwise empty.
        integers: Vec<i128>,
    },
}

/// The description of one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// Elements of each dimension, the fastest first: columns, rows, and so on; none is 0.
    pub dims: Vec<u64>,
    /// Its storage type.
    pub ggml_type: GgmlType,
    /// Where its data begin behind [`GgufHeader::data_start`], bytes.
    pub offset: u64,
    /// Elements it holds.
    pub n_elements: u64,
    /// Bytes it occupies.
    pub n_bytes: u64,
}

impl GgufHeader {
    /// Reads a header and nothing behind it. Reads in small pieces: give it a buffered reader.
    ///
    /// # Errors
    /// When the input is no GGUF file of version 2 or 3, ends early, holds a value that the format does not allow, or
    /// exceeds one of the limits of this module. The error names the byte and the field.
    pub fn read(input: impl Read) -> Result<GgufHeader, GgufError> {
        let mut cursor = Cursor::new(input);
        let version = read_version(&mut cursor)?;
        let n_tensors = cursor.count("number of tensors", MAX_TENSORS)?;
        let n_entries = cursor.count("number of metadata entries", MAX_ENTRIES)?;
        let mut metadata = BTreeMap::new();
        let mut alignment = DEFAULT_ALIGNMENT;
        for entry_idx in 0..n_entries {
            let offset = cursor.offset();
            let key = cursor.name(&format!("key of metadata entry {entry_idx}"), MAX_KEY_BYTES)?;
            let field = format!("`{key}`");
            let value = read_value(&mut cursor, &field)?;
            if key == "general.alignment" {
                alignment = checked_alignment(&value)
                    .map_err(|problem| GgufError::at(offset, field.as_str(), problem))?;
            }
            if metadata.insert(key, value).is_some() {
                return Err(GgufError::at(offset, field, "this key is there twice"));
            }
        }
        let is_of_bitnet = matches!(
            metadata.get("general.architecture"),
            Some(Value::Text(architecture)) if architecture.starts_with("bitnet")
        );
        let mut tensors: Vec<TensorInfo> = Vec::new();
        let mut names = BTreeSet::new();
        for tensor_idx in 0..n_tensors {
            let offset = cursor.offset();
            let tensor = read_tensor(&mut cursor, tensor_idx, alignment, is_of_bitnet)?;
            if !names.insert(tensor.name.clone()) {
                let field = format!("tensor `{}`", tensor.name);
                return Err(GgufError::at(offset, field, "this name is there twice"));
            }
            tensors.push(tensor);
        }
        let header_bytes = cursor.offset();
        let header = GgufHeader {
            version,
            metadata,
            tensors,
            header_bytes,
            // Both are bounded, so the sum is.
            data_start: header_bytes.next_multiple_of(alignment),
        };
        header.check_overlaps()?;
        Ok(header)
    }

    /// Checks that a file of so many bytes holds all tensors.
    ///
    /// # Errors
    /// When the file is shorter: how much is missing, and of how many tensors.
    pub fn check_file_bytes(&self, file_bytes: u64) -> Result<(), GgufError> {
        let data_bytes = file_bytes.saturating_sub(self.data_start);
        let cut: Vec<&TensorInfo> = self
            .tensors
            .iter()
            .filter(|tensor| tensor.end() > data_bytes)
            .collect();
        let Some(last) = cut.iter().max_by_key(|tensor| tensor.end()) else {
            return Ok(());
        };
        let needed = u128::from(self.data_start) + u128::from(last.end());
        Err(GgufError::whole(
            "file size",
            format!(
                "the file has {file_bytes} bytes, but its tensors end at byte {needed}: {} of {} are cut off, the last is `{}`; fetch the file again",
                cut.len(),
                self.tensors.len(),
                last.name
            ),
        ))
    }

    /// An unsigned integer of the metadata.
    ///
    /// # Errors
    /// When the value is there and is no integer from 0 to 2^64 - 1.
    pub fn unsigned(&self, key: &str) -> Result<Option<u64>, GgufError> {
        match self.metadata.get(key) {
            None => Ok(None),
            Some(Value::Integer(value)) => u64::try_from(*value).map(Some).map_err(|_| {
                GgufError::whole(format!("`{key}`"), format!("{value} is no possible count"))
            }),
            Some(_) => Err(GgufError::whole(format!("`{key}`"), "is no integer")),
        }
    }

    /// A string of the metadata; `None` where it is absent, too long to be stored, or no string.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.metadata.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn check_overlaps(&self) -> Result<(), GgufError> {
        let mut by_offset: Vec<&TensorInfo> = self.tensors.iter().collect();
        by_offset.sort_by_key(|tensor| tensor.offset);
        for pair in by_offset.windows(2) {
            if pair[0].end() > pair[1].offset {
                return Err(GgufError::whole(
                    format!("tensor `{}`", pair[1].name),
                    format!(
                        "its data begin inside those of tensor `{}`; the file is damaged",
                        pair[0].name
                    ),
                ));
            }
        }
        Ok(())
    }
}

impl TensorInfo {
    /// End of its data behind [`GgufHeader::data_start`], bytes. That it fits 64 bits was checked when it was read.
    fn end(&self) -> u64 {
        self.offset + self.n_bytes
    }
}

fn read_version<R: Read>(cursor: &mut Cursor<R>) -> Result<u32, GgufError> {
    let magic: [u8; 4] = cursor.array("magic number")?;
    if &magic != b"GGUF" {
        let problem = format!(
            "`{}` instead of `GGUF`: this is no GGUF file",
            magic.escape_ascii()
        );
        return Err(GgufError::at(0, "magic number", problem));
    }
    let offset = cursor.offset();
    let version = cursor.u32("version")?;
    let problem = match version {
        2 | 3 => return Ok(version),
        1 => {
            "version 1 is no longer in use; convert the model again with a current tool".to_owned()
        }
        // Byte-swapped, a small version is a large number whose lower half is 0.
        _ if version & 0xffff == 0 && version != 0 => {
            "the file is big-endian; take the little-endian file of the model".to_owned()
        }
        _ => format!("version {version} is unknown; versions 2 and 3 can be read"),
    };
    Err(GgufError::at(offset, "version", problem))
}

/// What a value of the metadata is, by its number in a file.
#[derive(Clone, Copy)]
enum ValueType {
    Integer { n_bytes: u32, is_signed: bool },
    Float32,
    Float64,
    Bool,
    String,
    Array,
}

impl ValueType {
    fn read<R: Read>(cursor: &mut Cursor<R>, field: &str) -> Result<ValueType, GgufError> {
        let offset = cursor.offset();
        let integer = |n_bytes, is_signed| ValueType::Integer { n_bytes, is_signed };
        Ok(match cursor.u32(field)? {
            0 => integer(1, false),
            1 => integer(1, true),
            2 => integer(2, false),
            3 => integer(2, true),
            4 => integer(4, false),
            5 => integer(4, true),
            6 => ValueType::Float32,
            7 => ValueType::Bool,
            8 => ValueType::String,
            9 => ValueType::Array,
            10 => integer(8, false),
            11 => integer(8, true),
            12 => ValueType::Float64,
            number => {
                let problem = format!("value type {number} is unknown; there are 0 to 12");
                return Err(GgufError::at(offset, field, problem));
            }
        })
    }

    /// Bytes of one value, where all have the same.
    fn fixed_bytes(self) -> Option<u64> {
        match self {
            ValueType::Integer { n_bytes, .. } => Some(n_bytes.into()),
            ValueType::Float32 => Some(4),
            ValueType::Float64 => Some(8),
            ValueType::Bool => Some(1),
            ValueType::String | ValueType::Array => None,
        }
    }
}

fn read_value<R: Read>(cursor: &mut Cursor<R>, field: &str) -> Result<Value, GgufError> {
    match ValueType::read(cursor, field)? {
        ValueType::Integer { n_bytes, is_signed } => {
            read_integer(cursor, field, n_bytes, is_signed).map(Value::Integer)
        }
        ValueType::Float32 => Ok(Value::Float(
            f32::from_le_bytes(cursor.array(field)?).into(),
        )),
        ValueType::Float64 => Ok(Value::Float(f64::from_le_bytes(cursor.array(field)?))),
        ValueType::Bool => {
            let offset = cursor.offset();
            match cursor.array(field)? {
                [byte @ (0 | 1)] => Ok(Value::Bool(byte == 1)),
                [byte] => {
                    let problem = format!("{byte} is no truth value; the file is damaged");
                    Err(GgufError::at(offset, field, problem))
                }
            }
        }
        ValueType::String => {
            let n_bytes = cursor.count(field, MAX_STRING_BYTES)?;
            if n_bytes > MAX_STORED_STRING_BYTES {
                cursor.skip(n_bytes, field)?;
                return Ok(Value::LongText { n_bytes });
            }
            let bytes = cursor.bytes(n_bytes, field)?;
            Ok(Value::Text(String::from_utf8_lossy(&bytes).into_owned()))
        }
        ValueType::Array => read_array(cursor, field, 1),
    }
}

fn read_array<R: Read>(
    cursor: &mut Cursor<R>,
    field: &str,
    depth: u32,
) -> Result<Value, GgufError> {
    let element = ValueType::read(cursor, field)?;
    let offset = cursor.offset();
    let n_elements = cursor.count(field, MAX_ARRAY_ELEMENTS)?;
    let mut integers = Vec::new();
    match element {
        ValueType::Integer { n_bytes, is_signed } if n_elements <= MAX_STORED_INTEGERS => {
            for _ in 0..n_elements {
                integers.push(read_integer(cursor, field, n_bytes, is_signed)?);
            }
        }
        ValueType::Bool if n_elements <= MAX_STORED_INTEGERS => {
            for _ in 0..n_elements {
                integers.push(read_integer(cursor, field, 1, false)?);
            }
        }
        ValueType::String => {
            for _ in 0..n_elements {
                let n_bytes = cursor.count(field, MAX_STRING_BYTES)?;
                cursor.skip(n_bytes, field)?;
            }
        }
        ValueType::Array if depth >= MAX_ARRAY_DEPTH => {
            let problem = format!(
                "arrays lie in one another more than {MAX_ARRAY_DEPTH} deep; the file is damaged"
            );
            return Err(GgufError::at(offset, field, problem));
        }
        ValueType::Array => {
            for _ in 0..n_elements {
                read_array(cursor, field, depth + 1)?;
            }
        }
        fixed => {
            // At most 8 bytes of each of at most 2^24 elements.
            cursor.skip(n_elements * fixed.fixed_bytes().unwrap_or(0), field)?;
        }
    }
    Ok(Value::Array {
        n_elements,
        integers,
    })
}

fn read_integer<R: Read>(
    cursor: &mut Cursor<R>,
    field: &str,
    n_bytes: u32,
    is_signed: bool,
) -> Result<i128, GgufError> {
    Ok(match (n_bytes, is_signed) {
        (1, false) => u8::from_le_bytes(cursor.array(field)?).into(),
        (1, true) => i8::from_le_bytes(cursor.array(field)?).into(),
        (2, false) => u16::from_le_bytes(cursor.array(field)?).into(),
        (2, true) => i16::from_le_bytes(cursor.array(field)?).into(),
        (4, false) => u32::from_le_bytes(cursor.array(field)?).into(),
        (4, true) => i32::from_le_bytes(cursor.array(field)?).into(),
        (_, false) => u64::from_le_bytes(cursor.array(field)?).into(),
        (_, true) => i64::from_le_bytes(cursor.array(field)?).into(),
    })
}

fn checked_alignment(value: &Value) -> Result<u64, String> {
    let Value::Integer(value) = value else {
        return Err("the alignment is no integer; the file is damaged".to_owned());
    };
    match u64::try_from(*value) {
        // The format asks for a multiple of 8; ggml itself for a power of two, which every real file has.
        Ok(alignment) if alignment.is_power_of_two() && alignment <= MAX_ALIGNMENT => Ok(alignment),
        _ => Err(format!(
            "alignment {value} is no power of two up to {MAX_ALIGNMENT}; the file is damaged"
        )),
    }
}

fn read_tensor<R: Read>(
    cursor: &mut Cursor<R>,
    tensor_idx: u64,
    alignment: u64,
    is_of_bitnet: bool,
) -> Result<TensorInfo, GgufError> {
    let field = format!("name of tensor {tensor_idx}");
    let name = cursor.name(&field, MAX_TENSOR_NAME_BYTES)?;
    let field = format!("dimensions of tensor `{name}`");
    let dims_at = cursor.offset();
    let n_dims = cursor.u32(&field)?;
    if n_dims == 0 || n_dims > MAX_DIMS {
        let problem = format!("{n_dims} dimensions; there are 1 to {MAX_DIMS}");
        return Err(GgufError::at(dims_at, field, problem));
    }
    let mut dims = Vec::new();
    for _ in 0..n_dims {
        dims.push(cursor.u64(&field)?);
    }
    let type_at = cursor.offset();
    let type_field = format!("type of tensor `{name}`");
    let number = cursor.u32(&type_field)?;
    let ggml_type = GgmlType::in_file(number, is_of_bitnet)
        .map_err(|problem| GgufError::at(type_at, type_field, problem))?;
    let offset_at = cursor.offset();
    let offset_field = format!("offset of tensor `{name}`");
    let offset = cursor.u64(&offset_field)?;
    if !offset.is_multiple_of(alignment) {
        let problem = format!("{offset} is no multiple of the alignment, {alignment}");
        return Err(GgufError::at(offset_at, offset_field, problem));
    }
    let (n_elements, n_bytes) = size(&dims, ggml_type)
        .map_err(|problem| GgufError::at(dims_at, field.as_str(), problem))?;
    if offset.checked_add(n_bytes).is_none() {
        return Err(too_large(
            offset_at,
            &offset_field,
            offset,
            u64::MAX - n_bytes,
        ));
    }
    Ok(TensorInfo {
        name,
        dims,
        ggml_type,
        offset,
        n_elements,
        n_bytes,
    })
}

/// Elements and bytes, where both are possible.
fn size(dims: &[u64], ggml_type: GgmlType) -> Result<(u64, u64), String> {
    let shape = shape(dims);
    if dims.contains(&0) {
        return Err(format!("{shape} has no elements"));
    }
    if !dims[0].is_multiple_of(ggml_type.block_elements()) {
        return Err(format!(
            "a row of {shape} is no whole number of blocks of {} elements, as type {ggml_type} has",
            ggml_type.block_elements()
        ));
    }
    let n_elements = dims
        .iter()
        .try_fold(1u64, |product, dim| product.checked_mul(*dim));
    let n_elements = n_elements.filter(|n| i64::try_from(*n).is_ok());
    n_elements
        .and_then(|n| {
            Some((
                n,
                (n / ggml_type.block_elements()).checked_mul(ggml_type.block_bytes())?,
            ))
        })
        .ok_or_else(|| format!("{shape} has more elements than any memory"))
}

fn shape(dims: &[u64]) -> String {
    let dims: Vec<String> = dims.iter().map(u64::to_string).collect();
    dims.join(" x ")
}
