//! Real GGUF files, made by the format's own package (`gguf/make.py`), and hostile ones, made here.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

mod headers;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use bench_inventory::gguf::{GgufHeader, GgufModel, Value, compare};
use bench_inventory::{Quant, load_catalogue};
use headers::Header;
use serde_json::Value as Json;

fn file(name: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    tests.join("gguf").join(name)
}

fn open(name: &str) -> GgufModel {
    GgufModel::open(&file(name)).unwrap_or_else(|error| panic!("{error}"))
}

/// What the format's own reader says of every file, beside ours.
#[test]
fn tensors_are_those_of_the_formats_own_reader() {
    let expected: Json = serde_json::from_slice(&fs::read(file("expected.json")).unwrap()).unwrap();
    let expected = expected.as_object().unwrap();
    assert_eq!(expected.len(), 7);
    for (name, expected) in expected {
        let bytes = fs::read(file(name)).unwrap();
        let header = GgufHeader::read(bytes.as_slice()).unwrap();
        assert_eq!(expected["data_start"], header.data_start, "{name}");
        let listed = expected["tensors"].as_array().unwrap();
        assert_eq!(listed.len(), header.tensors.len(), "{name}");
        for (tensor, expected) in header.tensors.iter().zip(listed) {
            assert_eq!(expected["name"], tensor.name);
            assert_eq!(expected["dims"], serde_json::json!(tensor.dims));
            assert_eq!(expected["type"], tensor.ggml_type.id());
            assert_eq!(expected["n_elements"], tensor.n_elements);
            assert_eq!(expected["n_bytes"], tensor.n_bytes);
            assert_eq!(expected["data_offset"], header.data_start + tensor.offset);
        }
        header.check_file_bytes(bytes.len() as u64).unwrap();
    }
}

#[test]
fn a_tied_file_is_the_computed_list_and_read_whole() {
    let model = open("tied.gguf");
    assert_eq!(model.name.as_deref(), Some("Tiny Llama"));
    assert_eq!((model.architecture.as_str(), model.version), ("llama", 3));
    assert_eq!(model.arch.context, Some(256));
    let expressed = model.express().unwrap();
    assert_eq!(expressed.unmodelled, []);
    let arch = &expressed.arch;
    assert!(arch.tied_embeddings && !arch.qkv_bias && arch.rope_freqs == 4);
    assert_eq!((arch.n_layers, arch.hidden, arch.ffn), (2, 32, 64));
    assert_eq!((arch.n_heads, arch.n_kv_heads, arch.head_dim), (4, 2, 8));
    assert_eq!(arch.vocab, 64);
    let comparison = compare(&model, arch);
    assert_eq!(comparison.quant, Quant::Q4_0);
    assert_eq!(comparison.differences, []);
    assert_eq!(comparison.computed_bytes, model.tensor_bytes());
    assert_eq!(comparison.computed_read_bytes, model.tensor_bytes());
    assert_eq!(model.read_bytes_per_token(), model.tensor_bytes());
    // All but the header and the padding behind it and behind tensors.
    assert!(model.file_bytes() - model.parts[0].header_bytes - model.tensor_bytes() < 32 * 24);
}

#[test]
fn an_untied_table_is_not_read_and_a_value_per_layer_counts() {
    let model = open("untied.gguf");
    assert_eq!(model.arch.n_kv_heads, Some(2));
    let table = 48 * 34;
    assert_eq!(model.read_bytes_per_token(), model.tensor_bytes() - table);
    let expressed = model.express().unwrap();
    assert!(expressed.arch.qkv_bias && !expressed.arch.tied_embeddings);
    let comparison = compare(&model, &expressed.arch);
    assert_eq!(comparison.quant, Quant::Q8_0);
    assert_eq!(comparison.differences, []);
    assert_eq!(comparison.computed_read_bytes, model.read_bytes_per_token());
}

#[test]
fn values_of_every_type_are_read() {
    let header = GgufHeader::read(fs::read(file("untied.gguf")).unwrap().as_slice()).unwrap();
    let integer = |key: &str| match &header.metadata[key] {
        Value::Integer(value) => *value,
        other => panic!("{key}: {other:?}"),
    };
    assert_eq!(integer("test.uint8"), 255);
    assert_eq!(integer("test.int8"), -128);
    assert_eq!(integer("test.uint16"), 65535);
    assert_eq!(integer("test.int16"), -32768);
    assert_eq!(integer("qwen2.block_count"), 1);
    assert_eq!(integer("test.int32"), i128::from(i32::MIN));
    assert_eq!(integer("test.uint64"), i128::from(u64::MAX));
    assert_eq!(integer("test.int64"), i128::from(i64::MIN));
    assert_eq!(header.metadata["test.float64"], Value::Float(0.1));
    assert_eq!(header.metadata["test.bool"], Value::Bool(true));
    let array = |n_elements, integers| Value::Array {
        n_elements,
        integers,
    };
    assert_eq!(header.metadata["test.nested"], array(2, vec![]));
    // Vocabularies and templates are passed over.
    assert_eq!(header.metadata["tokenizer.ggml.tokens"], array(48, vec![]));
    assert_eq!(
        header.metadata["tokenizer.chat_template"],
        Value::LongText { n_bytes: 14 * 80 }
    );
    assert_eq!(header.unsigned("test.uint64").unwrap(), Some(u64::MAX));
    assert!(header.unsigned("test.int8").is_err());
    assert!(header.unsigned("test.bool").is_err());
    assert_eq!(header.unsigned("test.absent").unwrap(), None);
}

#[test]
fn a_token_reads_the_experts_in_use_and_the_catalogue_has_no_place_for_them() {
    for (name, version) in [("experts.gguf", 3), ("version2.gguf", 2)] {
        let model = open(name);
        assert_eq!(model.version, version);
        let unread_experts = 3 * 2 * 32 * 18;
        let table = 64 * 34;
        assert_eq!(
            model.read_bytes_per_token(),
            model.tensor_bytes() - unread_experts - table
        );
        let reasons = model.express().unwrap_err();
        assert_eq!(reasons, ["a layer has 4 experts"]);
    }
}

#[test]
fn a_split_model_is_the_whole_one_from_any_part() {
    let whole = open("tied.gguf");
    for part in 1..=3 {
        let split = open(&format!("split-0000{part}-of-00003.gguf"));
        assert_eq!(split.parts.len(), 3);
        assert_eq!(split.arch, whole.arch);
        assert_eq!(split.tensor_bytes(), whole.tensor_bytes());
        let names = |model: &GgufModel| -> Vec<String> {
            let tensors = model.tensors.iter();
            tensors.map(|tensor| tensor.info.name.clone()).collect()
        };
        assert_eq!(names(&split), names(&whole));
    }
}

#[test]
fn parts_that_are_missing_renamed_or_exchanged_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let part = |n: u32| format!("split-0000{n}-of-00003.gguf");
    let copy = |from: &str, to: &str| fs::copy(file(from), dir.path().join(to)).unwrap();
    let fails = |name: &str, words: &str| {
        let error = GgufModel::open(&dir.path().join(name))
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "`{words}` is missing in: {error}");
    };
    copy(&part(2), &part(2));
    fails(
        &part(2),
        "of 3 parts, 2 are missing beside this one: split-00001-of-00003.gguf, split-00003-of-00003.gguf",
    );
    copy(&part(1), "model.gguf");
    fails("model.gguf", "give the parts their names back");
    copy(&part(1), &part(1));
    copy(&part(2), &part(3));
    fails(
        &part(1),
        "split-00003-of-00003.gguf`: `split.no`: is 1 and must be 2",
    );
    copy("untied.gguf", &part(3));
    fails(&part(1), "`split.count`: is missing and must be 3");
}

#[test]
fn a_file_that_was_cut_off_says_how_much_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.gguf");
    let bytes = fs::read(file("tied.gguf")).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 200]).unwrap();
    let error = GgufModel::open(&path).unwrap_err().to_string();
    let end = bytes.len() - 200;
    assert!(
        error.contains(&format!(
            "the file has {end} bytes, but its tensors end at byte"
        )) && error.contains("of 21 are cut off, the last is `output_norm.weight`"),
        "{error}"
    );
    assert!(
        GgufModel::open(dir.path())
            .unwrap_err()
            .to_string()
            .contains("it is a folder, not a regular file")
    );
}

/// Every prefix of a real header is refused, and none of them panics.
#[test]
fn every_prefix_of_a_header_is_refused() {
    let bytes = fs::read(file("untied.gguf")).unwrap();
    let header = GgufHeader::read(bytes.as_slice()).unwrap();
    for n_bytes in 0..header.header_bytes as usize {
        let error = GgufHeader::read(&bytes[..n_bytes]).unwrap_err();
        assert!(error.problem.contains("ends inside the header"), "{error}");
    }
    // And nothing behind the header is read.
    let exact = &bytes[..header.header_bytes as usize];
    assert_eq!(GgufHeader::read(exact), Ok(header));
}

impl Header {
    /// Is refused, in these words.
    fn fails(&self, expected: &str) {
        assert_eq!(self.read().unwrap_err().to_string(), expected);
    }
}

#[test]
fn other_files_and_versions_are_refused_by_name() {
    let version = |version: u32| Header(b"GGUF".to_vec()).u32(version).u64(0).u64(0);
    assert!(version(2).read().is_ok());
    version(1).fails(
        "byte 4: version: version 1 is no longer in use; convert the model again with a current tool",
    );
    version(3 << 24)
        .fails("byte 4: version: the file is big-endian; take the little-endian file of the model");
    version(4).fails("byte 4: version: version 4 is unknown; versions 2 and 3 can be read");
    Header(b"PK\x03\x04".to_vec())
        .fails(r"byte 0: magic number: `PK\x03\x04` instead of `GGUF`: this is no GGUF file");
}

#[test]
fn counts_and_lengths_beyond_the_limits_are_refused_before_anything_is_read() {
    Header::new(u64::MAX, 0).fails(
        "byte 8: number of tensors: 18446744073709551615 is more than 65536, the most accepted; the file is damaged",
    );
    Header::new(0, 5000).fails(
        "byte 16: number of metadata entries: 5000 is more than 4096, the most accepted; the file is damaged",
    );
    Header::new(0, 1).u64(1 << 40).fails(
        "byte 24: length of the key of metadata entry 0: 1099511627776 is more than 1024, the most accepted; the file is damaged",
    );
    Header::new(0, 1).text("k").u32(8).u64(1 << 40).fails(
        "byte 37: `k`: 1099511627776 is more than 67108864, the most accepted; the file is damaged",
    );
    Header::new(0, 1).text("k").u32(9).u32(8).u64(1 << 40).fails(
        "byte 41: `k`: 1099511627776 is more than 16777216, the most accepted; the file is damaged",
    );
    Header::new(1, 0).u64(65).fails(
        "byte 24: length of the name of tensor 0: 65 is more than 64, the most accepted; the file is damaged",
    );
    Header::new(1, 0)
        .text("t")
        .u32(5)
        .fails("byte 33: dimensions of tensor `t`: 5 dimensions; there are 1 to 4");
    Header::new(1, 0)
        .text("t")
        .u32(0)
        .fails("byte 33: dimensions of tensor `t`: 0 dimensions; there are 1 to 4");
}

#[test]
fn a_header_without_end_is_given_up() {
    // An array of empty strings in arrays in arrays: each claim is allowed, all together are not.
    let inner = Header(Vec::new()).u32(8).u64(1 << 24);
    let start = Header::new(0, 1).text("k").u32(9).u32(9).u64(1 << 24);
    let endless = start.0.chain(inner.0.chain(std::io::repeat(0)));
    let error = GgufHeader::read(std::io::BufReader::new(endless)).unwrap_err();
    assert!(
        error.to_string().contains("goes on beyond 134217728 bytes"),
        "{error}"
    );
}

/// `Read` of bytes that are owned.
trait Chain {
    fn chain<R: Read>(self, next: R) -> impl Read;
}

impl Chain for Vec<u8> {
    fn chain<R: Read>(self, next: R) -> impl Read {
        Read::chain(std::io::Cursor::new(self), next)
    }
}

#[test]
fn arrays_in_arrays_have_a_deepest_level() {
    let nested = |depth: u32| {
        let start = Header::new(0, 1).text("k").u32(9);
        let arrays = (1..depth).fold(start, |header, _| header.u32(9).u64(1));
        arrays.u32(0).u64(0)
    };
    assert!(nested(4).read().is_ok());
    nested(5)
        .fails("byte 77: `k`: arrays lie in one another more than 4 deep; the file is damaged");
}

#[test]
fn values_that_cannot_be_are_refused() {
    Header::new(0, 1)
        .text("k")
        .u32(13)
        .fails("byte 33: `k`: value type 13 is unknown; there are 0 to 12");
    let mut truth = Header::new(0, 1).text("k").u32(7);
    truth.0.push(2);
    truth.fails("byte 37: `k`: 2 is no truth value; the file is damaged");
    Header::new(0, 1)
        .text("a\nb")
        .fails("byte 24: key of metadata entry 0: holds control characters; the file is damaged");
    Header::new(0, 1)
        .text("")
        .fails("byte 24: key of metadata entry 0: is empty");
    let twice = Header::new(0, 2).text("k").u32(4).u32(1);
    twice
        .text("k")
        .u32(4)
        .u32(1)
        .fails("byte 41: `k`: this key is there twice");
    for alignment in [0, 24, 1 << 21] {
        let header = Header::new(0, 1)
            .text("general.alignment")
            .u32(4)
            .u32(alignment);
        header.fails(&format!(
            "byte 24: `general.alignment`: alignment {alignment} is no power of two up to 1048576; the file is damaged"
        ));
    }
}

#[test]
fn tensors_that_cannot_be_are_refused() {
    let one = |dims: &[u64], number, offset| Header::new(1, 0).tensor("t", dims, number, offset);
    assert!(one(&[32, 2], 2, 64).read().is_ok());
    one(&[32], 4, 0).fails(
        "byte 45: type of tensor `t`: number 4 is Q4_2, a type that llama.cpp has removed; take the Q4_0 file of the model",
    );
    one(&[33], 2, 0).fails(
        "byte 33: dimensions of tensor `t`: a row of 33 is no whole number of blocks of 32 elements, as type q4_0 has",
    );
    one(&[32, 0], 2, 0).fails("byte 33: dimensions of tensor `t`: 32 x 0 has no elements");
    one(&[1 << 32, 1 << 32], 0, 0).fails(
        "byte 33: dimensions of tensor `t`: 4294967296 x 4294967296 has more elements than any memory",
    );
    // The elements can be counted, their bytes cannot.
    one(&[1 << 62], 0, 0).fails(
        "byte 33: dimensions of tensor `t`: 4611686018427387904 has more elements than any memory",
    );
    one(&[32], 2, 7).fails("byte 49: offset of tensor `t`: 7 is no multiple of the alignment, 32");
    let far = u64::MAX - 31;
    one(&[64], 0, far).fails(&format!(
        "byte 49: offset of tensor `t`: {far} is more than {}, the most accepted; the file is damaged",
        u64::MAX - 256
    ));
    let two = Header::new(2, 0).tensor("a", &[64], 0, 0);
    two.clone()
        .tensor("a", &[64], 0, 256)
        .fails("byte 57: tensor `a`: this name is there twice");
    two.tensor("b", &[64], 0, 224)
        .fails("tensor `b`: its data begin inside those of tensor `a`; the file is damaged");
}

/// Every model of the catalogue, from a header of the real model's sizes: no weights are needed for it.
#[test]
fn a_model_of_the_catalogue_is_found_again_from_a_header() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for catalogue in load_catalogue(root).unwrap().models.values() {
        for quant in Quant::ALL {
            let model = header_of(catalogue, quant);
            let expressed = model
                .express()
                .unwrap_or_else(|reasons| panic!("{reasons:?}"));
            assert_eq!(expressed.arch, catalogue.arch, "{}", catalogue.id);
            assert_eq!(model.tensor_bytes(), catalogue.file_bytes(quant));
            assert_eq!(
                model.read_bytes_per_token(),
                catalogue.read_bytes_per_token(quant)
            );
            assert_eq!(model.n_params(), catalogue.n_params());
            let comparison = compare(&model, &expressed.arch);
            assert_eq!(
                comparison.differences,
                [],
                "{} {}",
                catalogue.id,
                quant.id()
            );
            assert_eq!(comparison.computed_bytes, model.tensor_bytes());
        }
    }
}

/// A header as a file of this model and quantisation has.
fn header_of(model: &bench_inventory::Model, quant: Quant) -> GgufModel {
    let arch = &model.arch;
    let numbers = [
        ("block_count", arch.n_layers),
        ("embedding_length", arch.hidden),
        ("feed_forward_length", arch.ffn),
        ("attention.head_count", arch.n_heads),
        ("attention.head_count_kv", arch.n_kv_heads),
        ("attention.key_length", arch.head_dim),
        ("attention.value_length", arch.head_dim),
    ];
    // Every second layer of the catalogue's models looks back over everything.
    let window = arch.window.map(|it| {
        [
            ("attention.sliding_window", it.tokens),
            ("attention.sliding_window_pattern", 2),
        ]
    });
    let numbers = || numbers.into_iter().chain(window.into_iter().flatten());
    let tensors = model.tensors(quant);
    let mut header = Header::new(tensors.len() as u64, 1 + numbers().count() as u64)
        .text("general.architecture")
        .u32(8)
        .text("test");
    for (key, value) in numbers() {
        header = header.text(&format!("test.{key}")).u32(4).u32(value);
    }
    let mut end = 0u64;
    for tensor in &tensors {
        let dims = match tensor.rows {
            1 => vec![tensor.cols],
            rows => vec![tensor.cols, rows],
        };
        let number = (0..64)
            .filter_map(bench_inventory::gguf::GgmlType::from_number)
            .find(|it| it.id() == tensor.format.id())
            .unwrap()
            .number();
        header = header.tensor(&tensor.name, &dims, number, end);
        end = (end + tensor.bytes()).next_multiple_of(32);
    }
    let header = header.read().unwrap();
    let part = bench_inventory::gguf::GgufPart {
        path: PathBuf::from("made.gguf"),
        file_bytes: header.data_start + end,
        header_bytes: header.header_bytes,
    };
    GgufModel::from_headers(vec![(part, header)]).unwrap()
}

/// A file made with an importance matrix differs in some tensors, and they are named.
#[test]
fn tensors_of_another_format_are_named_with_their_layers() {
    let models = load_catalogue(Path::new(env!("CARGO_MANIFEST_DIR")))
        .unwrap()
        .models;
    let mut model = header_of(&models["llama-3.2-1b"], Quant::Q4KM);
    let q6_k = bench_inventory::gguf::GgmlType::from_number(14).unwrap();
    for layer in [2, 3] {
        let name = format!("blk.{layer}.attn_v.weight");
        let mut tensors = model.tensors.iter_mut();
        let tensor = tensors.find(|tensor| tensor.info.name == name).unwrap();
        tensor.info.ggml_type = q6_k;
        tensor.info.n_bytes = tensor.info.n_elements / 256 * 210;
    }
    let expressed = model.express().unwrap();
    let comparison = compare(&model, &expressed.arch);
    assert_eq!(comparison.quant, Quant::Q4KM);
    let [difference] = comparison.differences.as_slice() else {
        panic!("{:?}", comparison.differences);
    };
    assert_eq!(difference.stem, "attn_v.weight");
    assert_eq!(difference.layers, [2, 3]);
    assert_eq!(difference.in_file, q6_k);
    assert_eq!(
        difference.file_bytes - difference.computed_bytes,
        model.tensor_bytes() - comparison.computed_bytes
    );
}
