//! Links to the pages of models and boards.

use serde::Serialize;

use crate::pages::page_name;
use crate::pages::{Page, value};
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    boards: Vec<Link>,
    models: Vec<Link>,
}

#[derive(Serialize)]
struct Link {
    name: String,
    href: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let inventory = &page.analysis.run.inventory;
    let link = |folder: &str, id: &str, name: &str| Link {
        name: format::foreign_short(name, 60),
        href: format!("{folder}/{}", page_name(id)),
    };
    let mut models: Vec<_> = inventory.models.values().collect();
    models.sort_by_key(|model| (model.n_params(), &model.id));
    let view = View {
        boards: (inventory.boards.values())
            .map(|board| link("boards", &board.id, &board.name))
            .collect(),
        models: (models.into_iter())
            .map(|model| link("models", &model.id, &model.name))
            .collect(),
    };
    (!view.boards.is_empty() || !view.models.is_empty()).then_some(())?;
    value(view)
}
