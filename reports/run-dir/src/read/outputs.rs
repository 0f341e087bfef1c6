//! Results of external programs that a run ran as units.

use super::HostData;
use crate::files::sha256;
use crate::format::foreign_short;
use crate::imports::{ImportData, ImportRecord};
use crate::readers::{self, Tool};

/// What programs printed that this run ran as units: read like imported files, but kept in the streams.
///
/// Only what ended well and arrived whole is read; what cannot be becomes a problem of its host.
pub(super) fn of_units(hosts: &mut [HostData]) -> Vec<ImportData> {
    let mut data = Vec::new();
    for host in hosts {
        let mut problems = Vec::new();
        for unit in &host.units {
            let output = unit.output.as_ref().filter(|output| output.is_complete());
            let Some((output, end)) = output.and_then(|it| Some((it, it.end.as_ref()?))) else {
                continue;
            };
            // Output in any other format is kept as it is.
            let Some(tool) = Tool::from_id(&end.format) else {
                continue;
            };
            let record = ImportRecord {
                file: format!("hosts/{}/stream.jsonl", host.record.host),
                sha256: sha256(output.stdout.as_bytes()),
                tool: tool.id().to_owned(),
                board: None,
                host: Some(host.record.host.clone()),
                original_name: unit.unit.clone(),
                imported_at: String::new(),
            };
            match readers::parse(tool, &output.stdout) {
                Ok(imported) => data.push(ImportData { record, imported }),
                Err(error) => problems.push(format!(
                    "the output of unit `{}` is not a result of {}: {error}",
                    foreign_short(&unit.unit, 60),
                    tool.id()
                )),
            }
        }
        host.problems.extend(problems);
    }
    data
}
