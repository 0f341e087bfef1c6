//! What was changed on the board for measuring and what that bought, what its supervisor told, and what is different
//! from the run before.

use bench_locales::{Text, say};
use bench_protocol::{EnvironmentAction, EnvironmentStep};
use serde::Serialize;

use crate::pages::{Page, value};
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
    changes: Vec<(String, String, String)>,
}

#[derive(Serialize)]
struct GainRow {
    unit: String,
    as_found: String,
    prepared: String,
    gain: String,
    meaning: String,
}

#[derive(Serialize)]
struct Step {
    action: String,
    setting: String,
    before: String,
    after: String,
    /// Why it failed; empty where it did not.
    problem: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, host) = (page.text, page.host()?);
    let data = &host.data;
    let facts = data.facts.as_ref();
    let previous = data
        .previous
        .as_ref()
        .zip(facts)
        .map(|(previous, facts)| Previous {
            run: format::foreign_short(&previous.run_id, 60),
            changes: (fingerprint::changes(&previous.facts, facts).into_iter())
                .map(|(name, before, now)| {
                    let name = text.say(&fingerprint::message(name));
                    (name, shown(text, &before), shown(text, &now))
                })
                .collect(),
        });
    let view = View {
        epoch: facts.map(fingerprint::name),
        previous,
        gains: (host.gains().iter())
            .map(|it| gain(page.text, it))
            .collect(),
        steps: (data.steps.iter()).map(|it| step(text, it)).collect(),
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

fn shown(text: &Text, fact: &str) -> String {
    match fact.is_empty() {
        true => text.unknown().to_owned(),
        false => format::foreign_short(fact, 200),
    }
}

fn gain(text: &Text, gain: &Pair) -> GainRow {
    let interval = gain.interval();
    GainRow {
        unit: format::foreign_short(&gain.unit_a, 80),
        as_found: text.say(&gain.metric.words(gain.a.value)),
        prepared: text.say(&gain.metric.words(gain.b.value)),
        gain: match interval {
            Some(interval) => say!(
                text,
                "environment-gain-of",
                gain = gain.difference(),
                interval = interval,
            ),
            None => say!(text, "environment-gain-few", gain = gain.difference()),
        },
        meaning: text.say(&gain.outcome.message()),
    }
}

fn step(text: &Text, step: &EnvironmentStep) -> Step {
    // What has no value, like the page cache, has none before and none after.
    let nothing = match step.problem {
        None => "–",
        Some(_) => text.unknown(),
    };
    let value = |value: &Option<String>| {
        let shown = value.as_deref().map(|value| shown(text, value));
        shown.unwrap_or_else(|| nothing.to_owned())
    };
    Step {
        action: match step.action {
            EnvironmentAction::Prepare => say!(text, "environment-changed-it"),
            EnvironmentAction::Restore => say!(text, "environment-put-back"),
        },
        setting: format::foreign_short(&step.setting, 120),
        before: value(&step.before),
        after: value(&step.after),
        problem: (step.problem.as_deref())
            .map(|problem| format::foreign_short(problem, 300))
            .unwrap_or_default(),
    }
}
