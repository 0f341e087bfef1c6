//! What was run, by what, when: the manifest.

use bench_locales::Figure::{DecimalBytes, Integer};
use bench_locales::{Text, say};
use serde::Serialize;

use crate::pages::{Page, value};
use bench_run_dir::RunManifest;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    items: Vec<(String, String)>,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, manifest) = (page.text, &page.analysis.run.manifest);
    let recorded = |text: &str| format::foreign(text);
    let optional = |text: &Option<String>| text.as_deref().map(recorded).unwrap_or_default();
    let mut items = vec![
        (say!(text, "provenance-run"), recorded(&manifest.run_id)),
        (
            say!(text, "provenance-started"),
            recorded(&manifest.started_at),
        ),
        (say!(text, "provenance-finished"), finished(text, manifest)),
        (say!(text, "provenance-suite"), recorded(&manifest.suite)),
        (
            say!(text, "provenance-command"),
            recorded(&manifest.command.join(" ")),
        ),
        (say!(text, "provenance-plan"), optional(&manifest.plan_hash)),
        (say!(text, "provenance-shard"), shard(text, manifest)),
        (say!(text, "provenance-budget"), budget(text, manifest)),
        (
            say!(text, "provenance-memwall"),
            recorded(&manifest.memwall_version),
        ),
        (say!(text, "provenance-revision"), revision(text, manifest)),
        (say!(text, "provenance-compiler"), optional(&manifest.rustc)),
    ];
    items.extend(manifest.artifacts.iter().map(|(target, artifact)| {
        let program = say!(
            text,
            "provenance-program-text",
            target = format::foreign(target),
            size = DecimalBytes(artifact.size_bytes),
            sha = format::foreign(&artifact.sha256),
        );
        (say!(text, "provenance-program"), program)
    }));
    items.retain(|(_, text)| !text.is_empty());
    value(View { items })
}

fn finished(text: &Text, manifest: &RunManifest) -> String {
    match (&manifest.finished_at, manifest.interrupted) {
        (Some(at), false) => format::foreign(at),
        (Some(at), true) => say!(text, "provenance-interrupted", at = format::foreign(at)),
        (None, _) => say!(text, "provenance-not-finished"),
    }
}

fn shard(text: &Text, manifest: &RunManifest) -> String {
    manifest.shard.map_or_else(String::new, |shard| {
        say!(
            text,
            "provenance-shard-text",
            n = shard.index,
            n_all = shard.n_shards,
            n_hosts = manifest.hosts.len(),
            n_planned = manifest.planned_hosts.len(),
        )
    })
}

fn budget(text: &Text, manifest: &RunManifest) -> String {
    manifest.budget_s.map_or_else(String::new, |seconds| {
        say!(
            text,
            "provenance-budget-text",
            seconds = Integer(seconds as f64)
        )
    })
}

fn revision(text: &Text, manifest: &RunManifest) -> String {
    let Some(revision) = manifest.git_revision.as_deref().map(format::foreign) else {
        return String::new();
    };
    match manifest.git_dirty {
        Some(true) => say!(text, "provenance-changed", revision = revision),
        Some(false) | None => revision,
    }
}
