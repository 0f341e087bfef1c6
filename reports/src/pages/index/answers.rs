//! The answer for every board and host in one line: which model to run there.

use bench_locales::Figure::{GbPerS, Integer};
use bench_locales::say;
use serde::Serialize;

use crate::pages::index::choose::href;
use crate::pages::{Page, value};
use bench_analysis::choice::decisions::{READING_TOKENS_PER_S, quant_name};
use bench_analysis::choice::recommend::{Certainty, Ranked};
use bench_analysis::limits::bounds;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    pace: String,
    context: u64,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    place: String,
    processor: String,
    href: String,
    bandwidth: String,
    label: String,
    model: String,
    quant: String,
    expected: String,
    expected_label: String,
    certainty: String,
    badge: &'static str,
    why_not: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, inventory) = (page.text, &page.analysis.run.inventory);
    let rows: Vec<Row> = (page.decisions.places.iter())
        .map(|place| {
            let answers = place.answers(inventory);
            let best = answers.first();
            let is_enough = |answer: &&Ranked| answer.certainty != Certainty::No;
            let answer = best.filter(is_enough);
            let expected = answer.and_then(|answer| answer.decision.expected.as_ref());
            let model = answer.and_then(|answer| inventory.models.get(&answer.decision.model));
            Row {
                place: text.say(&place.name),
                processor: place.target.processor.to_uppercase(),
                href: href(place),
                bandwidth: text.figure_or_unknown(place.gb_per_s().map(GbPerS)),
                label: match place.is_host() {
                    true => say!(text, "measured"),
                    false => say!(text, "theory"),
                },
                model: model
                    .map_or_else(String::new, |model| format::foreign_short(&model.name, 40)),
                quant: answer.map_or_else(String::new, |answer| {
                    bench_inventory::Quant::from_id(&answer.decision.quant)
                        .map_or_else(|_| answer.decision.quant.clone(), quant_name)
                }),
                expected: expected.map_or_else(String::new, |it| text.say(&it.words())),
                expected_label: expected
                    .map_or_else(String::new, |it| text.say(&it.label.message())),
                certainty: answer
                    .map_or_else(String::new, |answer| text.say(&answer.certainty.words())),
                badge: answer.map_or("", |answer| answer.certainty.badge()),
                why_not: match (answer, best, &place.target.no_prediction) {
                    (Some(_), _, _) => String::new(),
                    (None, Some(_), _) => say!(text, "answers-too-slow"),
                    (None, None, Some(why)) => text.say(why),
                    (None, None, None) => say!(text, "answers-nothing-fits"),
                },
            }
        })
        .collect();
    (!rows.is_empty() && !inventory.models.is_empty()).then_some(())?;
    value(View {
        pace: text.figure(Integer(READING_TOKENS_PER_S)),
        context: bounds::MIN_CONTEXT,
        rows,
    })
}
