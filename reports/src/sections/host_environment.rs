//! What was changed on the board for measuring and what that bought, what its supervisor told, and what is different
//! from the run before.

use bench_protocol::{EnvironmentAction, EnvironmentStep};
use serde::Serialize;

use super::{Page, value};
use bench_analysis::compare::Pair;
use bench_analysis::validity::fingerprint;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    epoch: Option<String>,
    previous: Option<Previous>,
    gains: Vec<GainRow>,
    steps: Vec<Step>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Previous {
    run: String,
    changes: Vec<(&'static str, String, String)>,
}

#[derive(Serialize)]
struct GainRow {
    unit: String,
    as_found: String,
    prepared: String,
    gain: String,
    meaning: &'static str,
}

#[derive(Serialize)]
struct Step {
    action: &'static str,
    setting: String,
    before: String,
    after: String,
    badge: &'static str,
    outcome: String,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let host = page.host()?;
    let data = &host.data;
    let facts = data.facts.as_ref();
    let previous = data
        .previous
        .as_ref()
        .zip(facts)
        .map(|(previous, facts)| Previous {
            run: format::foreign_short(&previous.run_id, 60),
            changes: (fingerprint::changes(&previous.facts, facts).into_iter())
                .map(|(name, before, now)| (name, shown(&before), shown(&now)))
                .collect(),
        });
    let view = View {
        epoch: facts.map(fingerprint::name),
        previous,
        gains: host.gains().iter().map(gain).collect(),
        steps: data.steps.iter().map(step).collect(),
        notes: (data.notes.iter())
            .map(|note| format::foreign_short(note, 400))
            .collect(),
    };
    let says_something = view.previous.is_some()
        || !view.gains.is_empty()
        || !view.steps.is_empty()
        || !view.notes.is_empty();
    says_something.then(|| value(view)).flatten()
}

fn shown(text: &str) -> String {
    match text.is_empty() {
        true => format::UNKNOWN.to_string(),
        false => format::foreign_short(text, 200),
    }
}

fn gain(gain: &Pair) -> GainRow {
    let interval = gain.interval();
    GainRow {
        unit: format::foreign_short(&gain.unit_a, 80),
        as_found: gain.metric.words(gain.a.value),
        prepared: gain.metric.words(gain.b.value),
        gain: match interval {
            Some(interval) => format!("{} ({interval})", gain.difference()),
            None => format!("{} (too few samples)", gain.difference()),
        },
        meaning: gain.outcome.words(),
    }
}

fn step(step: &EnvironmentStep) -> Step {
    // What has no value, like the page cache, has none before and none after.
    let nothing = match step.problem {
        None => "–",
        Some(_) => format::UNKNOWN,
    };
    let value = |value: &Option<String>| {
        let shown = value.as_deref().map(shown);
        shown.unwrap_or_else(|| nothing.to_string())
    };
    Step {
        action: match step.action {
            EnvironmentAction::Prepare => "changed",
            EnvironmentAction::Restore => "put back",
        },
        setting: format::foreign_short(&step.setting, 120),
        before: value(&step.before),
        after: value(&step.after),
        badge: match step.problem {
            None => "ok",
            Some(_) => "invalid",
        },
        outcome: match &step.problem {
            None => "ok".to_string(),
            Some(problem) => format::foreign_short(problem, 300),
        },
    }
}
