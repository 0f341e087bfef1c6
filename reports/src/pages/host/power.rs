//! What tokens cost in energy, where the board has sensors: measured power only.

use bench_locales::Figure::{Number, With};
use serde::Serialize;

use crate::pages::{Page, model_label, value};
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    what: String,
    threads: usize,
    sensor: String,
    from: String,
    watts: String,
    tokens_per_s: String,
    tokens_per_joule: String,
    joules_per_token: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, host) = (page.text, page.host()?);
    if host.data.record.emulated {
        return None;
    }
    let mut rows = Vec::new();
    for unit in host.usable_units() {
        let (Some(model), Some(tokens_per_s)) = (&unit.model, unit.tokens_per_s) else {
            continue;
        };
        rows.extend(unit.power.iter().map(|power| Row {
            what: model_label(model),
            threads: unit.cpus.len(),
            sensor: format::foreign_short(&power.sensor, 40),
            from: text.say(&power.from.words()),
            watts: text.figure(With(power.watts, "W")),
            tokens_per_s: text.figure(Number(tokens_per_s)),
            tokens_per_joule: text.figure(Number(tokens_per_s / power.watts)),
            joules_per_token: text.figure(Number(power.watts / tokens_per_s)),
        }));
    }
    (!rows.is_empty()).then(|| value(View { rows }))?
}
