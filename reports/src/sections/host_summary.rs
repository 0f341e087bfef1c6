//! The host in one sentence, with the theory it is held against.

use serde::Serialize;

use super::{Page, Sentence, published, sentences, value};
use crate::report::page_name;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    sentence: Option<Sentence>,
    theory: String,
    formula: String,
    source: String,
    note: String,
    why_unknown: String,
    board: String,
    board_href: String,
    published: Vec<published::Row>,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let host = page.host()?;
    let href = format!("hosts/{}", page_name(host.name()));
    let theory = host.theory.as_ref();
    value(View {
        sentence: sentences(page.analysis)
            .into_iter()
            .find(|sentence| sentence.href == href),
        theory: theory
            .ok()
            .map(|theory| format::gb_per_s(theory.gb_per_s))
            .unwrap_or_default(),
        formula: theory
            .ok()
            .map(|theory| theory.formula.clone())
            .unwrap_or_default(),
        source: theory
            .ok()
            .map(|theory| format::foreign(&theory.source))
            .unwrap_or_default(),
        note: theory
            .ok()
            .and_then(|theory| theory.note.clone())
            .unwrap_or_default(),
        why_unknown: theory.err().cloned().unwrap_or_default(),
        board: host
            .board
            .map(|board| format::foreign(&board.name))
            .unwrap_or_default(),
        board_href: host
            .board
            .map(|board| format!("boards/{}", page_name(&board.id)))
            .unwrap_or_default(),
        published: host.board.map(published::rows).unwrap_or_default(),
    })
}
