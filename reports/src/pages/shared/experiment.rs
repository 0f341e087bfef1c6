//! What the experiments of a host have in common: a sentence, a picture and the figures of it.

use serde::Serialize;

use crate::pages::value;

/// One experiment.
#[derive(Serialize)]
pub(in crate::pages) struct Experiment<R> {
    pub(in crate::pages) title: String,
    pub(in crate::pages) sentence: String,
    /// Stands in the place of the sentence where figures were disturbed.
    pub(in crate::pages) doubt: String,
    pub(in crate::pages) chart: String,
    pub(in crate::pages) rows: Vec<R>,
}

#[derive(Serialize)]
struct View<R> {
    all: Vec<Experiment<R>>,
}

/// The section of all experiments of a kind; `None` without any. `of` takes the number of each.
pub(in crate::pages) fn view<T, R: Serialize>(
    experiments: &[T],
    of: impl Fn(usize, &T) -> Experiment<R>,
) -> Option<minijinja::Value> {
    let all = experiments.iter().enumerate();
    let all: Vec<Experiment<R>> = all.map(|(i, it)| of(i, it)).collect();
    (!all.is_empty()).then(|| value(View { all }))?
}
