//! What a page quotes from the run: names of boards and models, sources, and reasons that were recorded.
//!
//! They are found in the text of a page wherever a section put them, so that no section has to mark them.

use std::collections::HashMap;

use bench_analysis::measured::Analysis;
use bench_run_dir::format;

/// Shorter texts are no quotations that could be told from words.
const MIN_BYTES: usize = 5;

/// Lengths to which sections cut names, characters.
const CUTS: [usize; 3] = [40, 50, 60];

/// What is quoted: by their first bytes, the longest first.
#[derive(Default)]
pub(crate) struct Quotes {
    by_start: HashMap<[u8; MIN_BYTES], Vec<Quote>>,
}

struct Quote {
    text: String,
    is_english: bool,
}

impl Quotes {
    /// All that a report of this run may quote.
    pub(crate) fn of(analysis: &Analysis) -> Quotes {
        let inventory = &analysis.run.inventory;
        let mut names: Vec<&str> = Vec::new();
        let mut english: Vec<&str> = Vec::new();
        for board in inventory.boards.values() {
            names.extend([board.name.as_str(), &board.id, &board.soc]);
            names.extend(board.clusters.iter().map(|cluster| cluster.core.as_str()));
            english.push(&board.source);
            for memory in &board.memories {
                english.extend([memory.source.as_str(), &memory.capacities_bytes.source]);
                english.extend(
                    memory
                        .usable_bytes
                        .iter()
                        .map(|usable| usable.source.as_str()),
                );
                english.extend(memory.quoted.iter().map(|quoted| quoted.source.as_str()));
            }
            for figure in &board.published {
                english.push(&figure.source);
            }
            for latency in &board.latencies {
                english.push(&latency.source);
            }
            english.extend(board.prices.iter().map(|price| price.source.as_str()));
        }
        for model in inventory.models.values() {
            names.push(&model.name);
            english.push(&model.source);
        }
        for quality in inventory.quality.values() {
            english.extend([quality.metric.as_str(), &quality.source, &quality.note]);
            english.extend(quality.rows.iter().filter_map(|row| row.note.as_deref()));
        }
        for reference in inventory.references.values() {
            names.push(&reference.name);
            english.push(&reference.memory.source);
            english.extend(
                reference
                    .decodes
                    .iter()
                    .map(|decode| decode.source.as_str()),
            );
        }
        for host in &analysis.hosts {
            english.extend(host.data.record.reason.as_deref());
        }
        let mut quotes = Quotes::default();
        for name in names {
            for cut in CUTS {
                quotes.add(format::foreign_short(name, cut), false);
            }
            quotes.add(format::foreign(name), false);
        }
        for text in english {
            quotes.add(
                format::foreign(text.trim_end_matches(['.', ' ', '\n'])),
                true,
            );
        }
        for quotes in quotes.by_start.values_mut() {
            quotes.sort_by(|a, b| b.text.len().cmp(&a.text.len()).then(a.text.cmp(&b.text)));
        }
        quotes
    }

    fn add(&mut self, text: String, is_english: bool) {
        let Some(start) = text.as_bytes().first_chunk() else {
            return;
        };
        let same = self.by_start.entry(*start).or_default();
        if same.iter().all(|quote| quote.text != text) {
            same.push(Quote { text, is_english });
        }
    }

    /// The quotation at the start of a text, and whether it is English prose.
    pub(super) fn at_start<'t>(&self, text: &'t str) -> Option<(&'t str, bool)> {
        let start: &[u8; MIN_BYTES] = text.as_bytes().first_chunk()?;
        let quotes = self.by_start.get(start)?.iter();
        quotes
            .filter_map(|quote| {
                let rest = text.strip_prefix(quote.text.as_str())?;
                let ends = !rest.starts_with(char::is_alphanumeric);
                ends.then(|| (&text[..quote.text.len()], quote.is_english))
            })
            .next()
    }
}
