//! Any bytes as a GGUF file: they are refused, or all that follows from a header can be computed.

#![no_main]

use std::path::PathBuf;

use bench_inventory::Model;
use bench_inventory::gguf::{GgufHeader, GgufModel, GgufPart, compare};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let header = match GgufHeader::read(data) {
        Ok(header) => header,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(header.header_bytes <= data.len() as u64);
    let _ = header.check_file_bytes(data.len() as u64);
    // Weights are never read: the header alone may promise as many as a file can have.
    let part = GgufPart {
        path: PathBuf::from("fuzz.gguf"),
        file_bytes: u64::MAX,
        header_bytes: header.header_bytes,
    };
    let Ok(model) = GgufModel::from_headers(vec![(part, header)]) else {
        return;
    };
    assert!(model.read_bytes_per_token() <= model.tensor_bytes());
    let mixed: u64 = model.mix().values().map(|(_, n_bytes)| n_bytes).sum();
    assert_eq!(mixed, model.tensor_bytes());
    let _ = model.n_params();
    match model.express() {
        Ok(expressed) => {
            let _ = compare(&model, &expressed.arch);
            let of_file = Model::of_gguf(&model).expect("it was expressed");
            let file = of_file.file.expect("it was made from a file");
            assert_eq!(file.tensor_bytes(), model.tensor_bytes());
            assert_eq!(file.read_bytes_per_token(), model.read_bytes_per_token());
            assert!(!file.to_yaml().is_empty());
        }
        Err(reasons) => assert!(!reasons.is_empty()),
    }
});
