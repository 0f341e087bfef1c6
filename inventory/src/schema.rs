//! The JSON Schema of every file kind, made from the types that read them.
//!
//! Editors complete and check the files with it, and the loader's own diagnostics walk along it, so that both always
//! say the same.

use std::sync::LazyLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::raw::board::RawBoard;
use crate::raw::fleet::RawFleet;
use crate::raw::model::RawModel;
use crate::raw::reference::{RawQuality, RawReference};
use crate::raw::suite::RawSuite;

pub(crate) static BOARD: LazyLock<Value> = LazyLock::new(schema_of::<RawBoard>);
pub(crate) static FLEET: LazyLock<Value> = LazyLock::new(schema_of::<RawFleet>);
pub(crate) static MODEL: LazyLock<Value> = LazyLock::new(schema_of::<RawModel>);
pub(crate) static QUALITY: LazyLock<Value> = LazyLock::new(schema_of::<RawQuality>);
pub(crate) static REFERENCE: LazyLock<Value> = LazyLock::new(schema_of::<RawReference>);
pub(crate) static SUITE: LazyLock<Value> = LazyLock::new(schema_of::<RawSuite>);

/// All schemas with the names of their files in `inventory/schemas/`.
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("board.json", BOARD.clone()),
        ("fleet.json", FLEET.clone()),
        ("model.json", MODEL.clone()),
        ("quality.json", QUALITY.clone()),
        ("reference.json", REFERENCE.clone()),
        ("suite.json", SUITE.clone()),
    ]
}

/// Draft 7 is what editors' YAML extensions support best.
fn schema_of<T: JsonSchema>() -> Value {
    let schema = SchemaSettings::draft07()
        .into_generator()
        .into_root_schema_for::<T>();
    let mut schema = schema.to_value();
    forbid_null(&mut schema);
    schema
}

/// `schemars` lets every optional key be `null`; here a key without a value is a slip that must show.
fn forbid_null(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(forbid_null),
        Value::Object(map) => {
            map.retain(|key, value| !(key == "default" && value.is_null()));
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(options)) = map.get_mut("anyOf") {
                options.retain(|option| *option != json!({ "type": "null" }));
                if let [Value::Object(only)] = options.as_slice() {
                    let only = only.clone();
                    map.remove("anyOf");
                    // Draft 7 ignores what stands beside `$ref`, so the reference stays in an `allOf`.
                    if only.contains_key("$ref") && !map.is_empty() {
                        map.insert("allOf".to_owned(), json!([only]));
                    } else {
                        map.extend(only);
                    }
                }
            }
            map.values_mut().for_each(forbid_null);
        }
        _ => {}
    }
}
