//! Horizontal bars: label and value on their own line above each bar, so that text never meets a mark.

use super::{Anchor, Canvas, Caption, Scale, draw, shorten, text_width};

const ROW_PX: f64 = 46.0;
const BAR_PX: f64 = 14.0;
const EDGE_PX: f64 = 6.0;
const LINE_PX: f64 = 18.0;
const GAP_PX: f64 = 12.0;

/// One row.
pub(crate) struct Bar {
    /// What it is.
    pub(crate) label: String,
    /// Its figure with unit, right-aligned above the bar.
    pub(crate) value: String,
    /// Marks on the row, drawn in this order.
    pub(crate) marks: Vec<Mark>,
}

/// A mark of a row, in the chart's unit.
pub(crate) enum Mark {
    /// Theory: a dashed outline from 0.
    Theory(f64),
    /// A measurement: a bar from 0; the class says which kind (`measured`, `suspect`, `invalid`, `emulated`, `limit`).
    Bar(&'static str, f64),
    /// A bound: a dashed tick.
    Bound(f64),
    /// An interval: a whisker.
    Interval(f64, f64),
}

/// A chart of horizontal bars that share one scale from 0.
pub(crate) fn bar_chart(caption: &Caption, axis: &str, bars: &[Bar]) -> String {
    draw(caption, |canvas| paint(canvas, axis, bars))
}

fn paint(canvas: &mut Canvas, axis: &str, bars: &[Bar]) {
    let inner_px = canvas.width - 2.0 * EDGE_PX;
    let one_line = |bar: &Bar| text_width(&bar.label) + text_width(&bar.value) + GAP_PX <= inner_px;
    // Where one label needs the whole width, every value gets its own line: rows of one chart look alike.
    let text_lines = if bars.iter().all(one_line) { 1.0 } else { 2.0 };
    let row_px = ROW_PX + (text_lines - 1.0) * LINE_PX;
    let bottom = bars.len() as f64 * row_px + 4.0;
    canvas.height = bottom + 40.0;
    let max = (bars.iter().flat_map(|bar| &bar.marks))
        .map(Mark::reach)
        .fold(0.0, f64::max);
    let n_ticks = if canvas.width < 500.0 { 4 } else { 8 };
    let scale = Scale::new(max, n_ticks, EDGE_PX, canvas.width - EDGE_PX);
    grid(canvas, &scale, bottom, axis);
    for (i, bar) in bars.iter().enumerate() {
        let (label, value) = (&bar.label, &bar.value);
        let first_line = i as f64 * row_px + 17.0;
        let last_line = first_line + (text_lines - 1.0) * LINE_PX;
        let room_px = match text_lines {
            1.0 => inner_px - text_width(value) - GAP_PX,
            _ => inner_px,
        };
        let tip = format!("{label}: {value}");
        let label = shorten(label, room_px);
        canvas.text("name", (EDGE_PX, first_line), Anchor::Start, &label);
        let right = canvas.width - EDGE_PX;
        canvas.text("value", (right, last_line), Anchor::End, value);
        for mark in &bar.marks {
            paint_mark(canvas, &scale, last_line + 7.0, mark);
        }
        let top = (0.0, i as f64 * row_px + 2.0);
        canvas.tipped_area(top, (canvas.width, row_px - 2.0), &tip);
    }
}

fn grid(canvas: &mut Canvas, scale: &Scale, bottom: f64, axis: &str) {
    let ticks = scale.ticks().map(|(at, label)| (at, canvas.digits(&label)));
    let ticks: Vec<(f64, String)> = ticks.collect();
    for (i, (value, label)) in ticks.iter().enumerate() {
        let x = scale.at(*value);
        canvas.line("grid", (x, 0.0), (x, bottom));
        let anchor = match i {
            0 => Anchor::Start,
            i if i + 1 == ticks.len() => Anchor::End,
            _ => Anchor::Middle,
        };
        canvas.text("tick", (x, bottom + 15.0), anchor, label);
    }
    let middle = canvas.width / 2.0;
    canvas.text(
        "axis",
        (middle, bottom + 33.0),
        Anchor::Middle,
        &shorten(axis, canvas.width - 2.0 * EDGE_PX),
    );
}

fn paint_mark(canvas: &mut Canvas, scale: &Scale, top: f64, mark: &Mark) {
    let zero = scale.at(0.0);
    let middle = top + BAR_PX / 2.0;
    match *mark {
        Mark::Theory(value) => canvas.rect(
            "theory",
            (zero, top - 1.0),
            (scale.at(value) - zero, BAR_PX + 2.0),
        ),
        Mark::Bar(kind, value) => {
            canvas.rect(
                kind,
                (zero, top + 2.0),
                (scale.at(value) - zero, BAR_PX - 4.0),
            );
        }
        Mark::Bound(value) => {
            let x = scale.at(value);
            canvas.line("bound", (x, top - 3.0), (x, top + BAR_PX + 3.0));
        }
        Mark::Interval(low, high) => {
            let (x1, x2) = (scale.at(low), scale.at(high));
            canvas.line("whisker", (x1, middle), (x2, middle));
            canvas.line("whisker", (x1, middle - 4.0), (x1, middle + 4.0));
            canvas.line("whisker", (x2, middle - 4.0), (x2, middle + 4.0));
        }
    }
}

impl Mark {
    fn reach(&self) -> f64 {
        match *self {
            Mark::Theory(value)
            | Mark::Bar(_, value)
            | Mark::Bound(value)
            | Mark::Interval(_, value) => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::charts::tests::extents;
    use bench_locales::{Figure, Text};

    proptest! {
        #[test]
        fn texts_neither_leave_the_picture_nor_meet(
            labels in prop::collection::vec("[a-zA-Z0-9 _.-]{0,90}", 1..12),
            rate in 0.001..1e6_f64,
        ) {
            let bars: Vec<Bar> = (labels.into_iter().enumerate())
                .map(|(i, label)| {
                    let rate = rate / (i + 1) as f64;
                    let value = format!("{}, theory unknown", Text::english().figure(Figure::GbPerS(rate)));
                    Bar { label, value, marks: vec![Mark::Theory(rate * 1.4), Mark::Bar("measured", rate)] }
                })
                .collect();
            for width in [720.0, 340.0] {
                let mut canvas = Canvas::new(width, Text::english());
                paint(&mut canvas, "GB/s (10⁹ bytes per second)", &bars);
                let extents = extents(&canvas.body);
                for (i, (left, right, y)) in extents.iter().enumerate() {
                    prop_assert!(*left >= -0.1 && *right <= width + 0.1 && *y <= canvas.height, "{:?}", extents[i]);
                    let meets = |other: &&(f64, f64, f64)| (other.2 - y).abs() < 12.0 && other.0 < *right && *left < other.1;
                    prop_assert!(extents[i + 1..].iter().find(meets).is_none(), "{:?}", extents[i]);
                }
            }
        }
    }
}
