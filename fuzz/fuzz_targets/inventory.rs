//! A data file of the inventory with any text in it: it loads, or every mistake is shown.

#![no_main]

use bench_inventory::{FileKind, load_text};
use libfuzzer_sys::fuzz_target;

// The first byte says which kind of file the rest is.
fuzz_target!(|data: &[u8]| {
    let Some((kind, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let kind = match kind % 4 {
        0 => FileKind::Board,
        1 => FileKind::Model,
        2 => FileKind::Suite,
        _ => FileKind::Fleet,
    };
    match load_text(kind, "fuzz", text) {
        Ok(inventory) => {
            for model in inventory.models.values() {
                let _ = model.decode_model_of_file();
                for quant in bench_inventory::Quant::ALL {
                    let _ = model.decode_model(quant);
                }
            }
        }
        Err(error) => {
            assert!(!error.diagnostics.is_empty());
            assert!(!error.render(true).is_empty());
        }
    }
});
