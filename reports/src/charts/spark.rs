//! A small line without axes, for a row of a table.

use super::Canvas;
use super::timeline::{extent, stroke, thin};
use bench_locales::Text;

/// A small line without axes for a row of a table. `label` says what it shows; days and figures by rising day, each with
/// whether the line comes from the figure before.
pub(crate) fn sparkline(label: &str, points: &[(f64, f64, bool)], days: (f64, f64)) -> String {
    let (low, high) = extent(points.iter().map(|point| point.1));
    if low > high {
        return String::new();
    }
    // Half as large on the page, so that its strokes are finer than those of a chart.
    let (width, height, edge) = (300.0, 64.0, 6.0);
    let mut canvas = Canvas::new(width, Text::english());
    let half = (f64::midpoint(high, -low)).max(high * 0.05);
    let middle = f64::midpoint(low, high);
    let span = (days.1 - days.0).max(1e-6);
    let place = |day: f64, value: f64| {
        let x = edge + (day - days.0) / span * (width - 2.0 * edge);
        let y = height / 2.0 - (value - middle) / half * (height / 2.0 - edge);
        (x.clamp(edge, width - edge), y.clamp(edge, height - edge))
    };
    let mut stretches: Vec<Vec<(f64, f64)>> = Vec::new();
    for (day, value, is_joined) in points {
        let at = place(*day, *value);
        match stretches.last_mut().filter(|_| *is_joined) {
            Some(stretch) => stretch.push(at),
            None => stretches.push(vec![at]),
        }
    }
    for stretch in &stretches {
        match stretch.as_slice() {
            [only] => canvas.dot("dot s0", *only, 4.0),
            many => stroke(&mut canvas, "series s0", &thin(many)),
        }
    }
    format!(
        r#"<svg class="spark" width="150" height="32" viewBox="0 0 {width:.0} {height:.0}" role="img" aria-label="{}">{}</svg>"#,
        super::escape(label),
        canvas.body
    )
}
