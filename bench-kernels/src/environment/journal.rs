//! What was changed on this board, on its disk before the change is made.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Setting;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What is changed.
    pub setting: Setting,
    /// Its value before.
    pub before: String,
    /// Its value for measuring.
    pub wanted: String,
}

/// The file of all changes that were not put back, a line each.
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    /// The journal at `path`, which need not exist.
    pub fn at(path: PathBuf) -> Journal {
        Journal { path }
    }

    /// All changes, oldest first. A line that was cut off belongs to a change that was never made.
    pub fn entries(&self) -> Vec<Entry> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Writes a change down and waits for the disk.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn append(&self, setting: &Setting, before: &str, wanted: &str) -> std::io::Result<()> {
        let entry = Entry {
            setting: setting.clone(),
            before: before.to_string(),
            wanted: wanted.to_string(),
        };
        let is_new = !self.path.exists();
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)?;
        let mut line = serde_json::to_string(&entry)?;
        line.push('\n');
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        if let (true, Some(folder)) = (is_new, self.path.parent()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    /// Keeps only these changes; none removes the file. A disk that does not take them keeps the old ones, and putting
    /// a setting back twice does no harm.
    pub fn replace(&self, entries: &[Entry]) {
        if entries.is_empty() {
            let _ = fs::remove_file(&self.path);
            return;
        }
        let lines: Vec<String> = (entries.iter())
            .filter_map(|entry| serde_json::to_string(entry).ok())
            .collect();
        let temporary = self.path.with_extension("tmp");
        let written = fs::write(&temporary, lines.join("\n") + "\n");
        let _ = written.and_then(|()| fs::rename(&temporary, &self.path));
    }
}
