//! One row of dots per unit: how far each sample lies from the median.

use bench_locales::say;

use super::{Anchor, Canvas, Caption, draw, shorten, text_width};

const ROW_PX: f64 = 40.0;
const EDGE_PX: f64 = 8.0;

/// One row.
pub(crate) struct Strip {
    /// What it is.
    pub(crate) label: String,
    /// Text at the right end of the label's line.
    pub(crate) value: String,
    /// CSS class of the dots: the kind of figure.
    pub(crate) kind: &'static str,
    /// Samples as a share of the median, 1 being the median itself.
    pub(crate) samples: Vec<f64>,
}

/// A chart of dots around a line that stands for each row's median. `reach` is the share shown on each side; samples
/// farther out stand at the edge.
pub(crate) fn strip_chart(caption: &Caption, axis: &str, reach: f64, strips: &[Strip]) -> String {
    draw(caption, |canvas| paint(canvas, axis, reach, strips))
}

fn paint(canvas: &mut Canvas, axis: &str, reach: f64, strips: &[Strip]) {
    let bottom = strips.len() as f64 * ROW_PX + 2.0;
    canvas.height = bottom + 40.0;
    let middle = canvas.width / 2.0;
    let half = middle - EDGE_PX;
    let ticks = [
        (-1.0, Anchor::Start),
        (-0.5, Anchor::Middle),
        (0.0, Anchor::Middle),
        (0.5, Anchor::Middle),
        (1.0, Anchor::End),
    ];
    for (at, anchor) in ticks {
        let x = middle + at * half;
        canvas.line(
            if at == 0.0 { "zero" } else { "grid" },
            (x, 0.0),
            (x, bottom),
        );
        let label = match at {
            0.0 => say!(canvas.text, "chart-median"),
            at => canvas.digits(&format!("{:+.1} %", at * reach * 100.0)),
        };
        // Half-way labels would touch their neighbours on a phone; their lines stay.
        if canvas.width >= 500.0 || at.abs() != 0.5 {
            canvas.text("tick", (x, bottom + 15.0), anchor, &label);
        }
    }
    canvas.text(
        "axis",
        (middle, bottom + 33.0),
        Anchor::Middle,
        &shorten(axis, canvas.width - 2.0 * EDGE_PX),
    );
    for (i, strip) in strips.iter().enumerate() {
        let top = i as f64 * ROW_PX;
        let room = canvas.width - 2.0 * EDGE_PX - text_width(&strip.value) - 12.0;
        canvas.text(
            "name",
            (EDGE_PX, top + 15.0),
            Anchor::Start,
            &shorten(&strip.label, room),
        );
        canvas.text(
            "value",
            (canvas.width - EDGE_PX, top + 15.0),
            Anchor::End,
            &strip.value,
        );
        for sample in &strip.samples {
            let offset = ((sample - 1.0) / reach).clamp(-1.0, 1.0);
            canvas.dot(
                &format!("sample {}", strip.kind),
                (middle + offset * half, top + 27.0),
                3.0,
            );
        }
    }
}
