//! Lines over a small set of whole numbers (thread counts), with the series' names at their right ends.

use bench_locales::Figure;

use super::{Anchor, Canvas, Caption, Scale, draw, shorten, text_width};

const HEIGHT_PX: f64 = 300.0;
const TOP_PX: f64 = 30.0;
const BOTTOM_PX: f64 = 46.0;
const LABEL_STEP_PX: f64 = 16.0;

/// One series.
pub(crate) struct Line {
    /// Name, written at the right end.
    pub(crate) label: String,
    /// Points by rising x; x must be one of the chart's columns.
    pub(crate) points: Vec<(u32, f64)>,
}

/// A chart of lines. `columns` are all x values by rising number; they are spaced evenly. `bound` is a dashed line.
pub(crate) fn line_chart(
    caption: &Caption,
    axes: (&str, &str),
    columns: &[u32],
    lines: &[Line],
    bound: Option<(&str, f64)>,
) -> String {
    draw(caption, |canvas| paint(canvas, axes, columns, lines, bound))
}

fn paint(
    canvas: &mut Canvas,
    axes: (&str, &str),
    columns: &[u32],
    lines: &[Line],
    bound: Option<(&str, f64)>,
) {
    canvas.height = HEIGHT_PX;
    let widest = (lines.iter())
        .map(|line| text_width(&line.label))
        .fold(0.0, f64::max);
    let labels_px = widest.min(canvas.width * 0.4) + 14.0;
    let measured = lines
        .iter()
        .flat_map(|line| &line.points)
        .map(|point| point.1);
    let max = measured
        .chain(bound.map(|bound| bound.1))
        .fold(0.0, f64::max);
    let y = Scale::new(max, 5, HEIGHT_PX - BOTTOM_PX, TOP_PX);
    let ticks = y.ticks().map(|(at, label)| (at, canvas.digits(&label)));
    let ticks: Vec<(f64, String)> = ticks.collect();
    let left = ticks
        .iter()
        .map(|tick| text_width(&tick.1))
        .fold(0.0, f64::max)
        + 8.0;
    let right = canvas.width - labels_px;
    for (value, label) in &ticks {
        canvas.line("grid", (left, y.at(*value)), (right, y.at(*value)));
        canvas.text("tick", (left - 6.0, y.at(*value) + 4.5), Anchor::End, label);
    }
    canvas.text("axis", (0.0, 14.0), Anchor::Start, axes.1);
    let step = (right - left) / columns.len().max(1) as f64;
    let x_of = |i: usize| left + (i as f64 + 0.5) * step;
    for (i, column) in columns.iter().enumerate() {
        canvas.text(
            "tick",
            (x_of(i), HEIGHT_PX - BOTTOM_PX + 17.0),
            Anchor::Middle,
            &column.to_string(),
        );
    }
    canvas.text(
        "axis",
        ((left + right) / 2.0, HEIGHT_PX - 8.0),
        Anchor::Middle,
        axes.0,
    );
    if let Some((name, value)) = bound {
        canvas.line("bound", (left, y.at(value)), (right, y.at(value)));
        let name = shorten(name, right - left - 8.0);
        canvas.text(
            "tick",
            (left + 4.0, y.at(value) - 6.0),
            Anchor::Start,
            &name,
        );
    }
    let mut ends: Vec<(usize, f64)> = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let points: Vec<(f64, f64)> = (line.points.iter())
            .filter_map(|(column, value)| {
                Some((x_of(columns.binary_search(column).ok()?), y.at(*value)))
            })
            .collect();
        canvas.path(&format!("series s{}", i % 5), &points);
        let shown = line
            .points
            .iter()
            .filter(|(column, _)| columns.contains(column));
        for (point, (column, value)) in points.iter().zip(shown) {
            let tip = format!(
                "{}, {column} {}: {} {}",
                line.label,
                axes.0,
                canvas.text.figure(Figure::Number(*value)),
                axes.1
            );
            canvas.tipped_dot(&format!("dot s{}", i % 5), *point, 3.5, &tip);
        }
        // The best point of each line, so that nobody has to look for it.
        if let Some(best) = points.iter().min_by(|a, b| a.1.total_cmp(&b.1)) {
            canvas.dot(&format!("best s{}", i % 5), *best, 7.0);
        }
        ends.extend(points.last().map(|point| (i, point.1)));
    }
    for (i, at) in spread(ends, TOP_PX, HEIGHT_PX - BOTTOM_PX) {
        let label = shorten(&lines[i].label, labels_px - 10.0);
        canvas.text(
            &format!("end s{}", i % 5),
            (right + 6.0, at + 4.5),
            Anchor::Start,
            &label,
        );
    }
}

/// Pushes labels apart so that none covers another, staying within `top..bottom` as long as they fit.
pub(super) fn spread(mut ends: Vec<(usize, f64)>, top: f64, bottom: f64) -> Vec<(usize, f64)> {
    ends.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    let mut next = top;
    for end in &mut ends {
        end.1 = end.1.max(next);
        next = end.1 + LABEL_STEP_PX;
    }
    let mut limit = bottom;
    for end in ends.iter_mut().rev() {
        end.1 = end.1.min(limit);
        limit = end.1 - LABEL_STEP_PX;
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_distance() {
        let apart = spread(
            vec![(0, 100.0), (1, 101.0), (2, 99.0), (3, 250.0)],
            30.0,
            254.0,
        );
        assert!(
            apart
                .windows(2)
                .all(|pair| pair[1].1 - pair[0].1 >= LABEL_STEP_PX - 1e-9),
            "{apart:?}"
        );
    }
}
