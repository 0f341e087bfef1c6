//! The host in one sentence, with the theory it is held against.

use bench_locales::Figure::GbPerS;
use serde::Serialize;

use crate::pages::page_name;
use crate::pages::shared::published;
use crate::pages::{Page, Sentence, sentence, value};
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    sentence: Sentence,
    theory: String,
    formula: String,
    source: String,
    note: String,
    why_unknown: String,
    board: String,
    board_href: String,
    published: Vec<published::Row>,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let host = page.host()?;
    let theory = host.theory.as_ref();
    value(View {
        sentence: sentence(page.text, host, page.analysis),
        theory: theory
            .ok()
            .map(|theory| page.text.figure(GbPerS(theory.gb_per_s)))
            .unwrap_or_default(),
        formula: theory
            .ok()
            .map(|theory| theory.formula.clone())
            .unwrap_or_default(),
        source: theory
            .ok()
            .map(|theory| page.text.say(&theory.source))
            .unwrap_or_default(),
        note: theory
            .ok()
            .and_then(|theory| theory.note.as_ref())
            .map(|note| page.text.say(note))
            .unwrap_or_default(),
        why_unknown: theory
            .err()
            .map(|why| page.text.say(why))
            .unwrap_or_default(),
        board: host
            .board
            .map(|board| format::foreign(&board.name))
            .unwrap_or_default(),
        board_href: host
            .board
            .map(|board| format!("boards/{}", page_name(&board.id)))
            .unwrap_or_default(),
        published: (host.board)
            .map(|board| published::rows(page.text, board))
            .unwrap_or_default(),
    })
}
