//! What was run, by what, when: the manifest.

use serde::Serialize;

use super::{Page, value};
use crate::words;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    items: Vec<(&'static str, String)>,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let manifest = &page.analysis.run.manifest;
    let revision = manifest
        .git_revision
        .as_ref()
        .map(|revision| match manifest.git_dirty {
            Some(true) => format!("{revision}, with changes"),
            Some(false) | None => revision.clone(),
        });
    let finished = match (&manifest.finished_at, manifest.interrupted) {
        (Some(at), false) => at.clone(),
        (Some(at), true) => format!("{at}, interrupted"),
        (None, _) => "not recorded: the controller was ended, or is still at work".into(),
    };
    let shard = manifest.shard.map(|shard| {
        format!(
            "{} of {}, with {} of the plan's {} hosts",
            shard.index,
            shard.n_shards,
            manifest.hosts.len(),
            manifest.planned_hosts.len()
        )
    });
    let budget = manifest
        .budget_s
        .map(|seconds| format!("{seconds} s for each host"));
    let mut items = vec![
        ("run", manifest.run_id.clone()),
        ("started", manifest.started_at.clone()),
        ("finished", finished),
        ("suite", manifest.suite.clone()),
        ("command", manifest.command.join(" ")),
        ("plan", manifest.plan_hash.clone().unwrap_or_default()),
        ("shard", shard.unwrap_or_default()),
        ("time budget", budget.unwrap_or_default()),
        ("memwall", manifest.memwall_version.clone()),
        ("source revision", revision.unwrap_or_default()),
        ("compiler", manifest.rustc.clone().unwrap_or_default()),
    ];
    items.extend(manifest.artifacts.iter().map(|(target, artifact)| {
        let text = format!(
            "{target}, {}, SHA-256 {}",
            format::decimal_bytes(artifact.size_bytes),
            artifact.sha256
        );
        ("board program", text)
    }));
    items.retain(|(_, text)| !text.is_empty());
    value(View {
        items: items
            .into_iter()
            .map(|(name, text)| (name, shown(name, &format::foreign(&text))))
            .collect(),
    })
}

/// What was recorded stays as it is in every language; what is put together here is said in words.
fn shown(name: &str, text: &str) -> String {
    match name {
        "finished" | "shard" | "time budget" | "source revision" | "board program" => {
            text.to_owned()
        }
        _ => words::name(text),
    }
}
