//! Lines and points over a continuous axis, linear or logarithmic, with marks at places and levels.
//!
//! Each series' name stands at the right end of its line, so that no legend has to be matched by colour.

use bench_locales::{Figure, Text};

use super::{Anchor, Canvas, Caption, Scale, draw, lines::spread, shorten, text_width};

const HEIGHT_PX: f64 = 320.0;
const TOP_PX: f64 = 30.0;
const BOTTOM_PX: f64 = 50.0;

/// Room that a tick label needs beside its neighbour.
const TICK_GAP_PX: f64 = 10.0;

/// A picture of series over two axes.
pub(crate) struct XyChart {
    /// Below the picture.
    pub(crate) x: Axis,
    /// At its left.
    pub(crate) y: Axis,
    /// Drawn in this order.
    pub(crate) series: Vec<Series>,
    /// Dashed vertical lines with a name: the edges of caches.
    pub(crate) places: Vec<(f64, String)>,
}

/// An axis.
pub(crate) struct Axis {
    /// What it counts, with its unit.
    pub(crate) label: String,
    /// How values become places.
    pub(crate) kind: AxisKind,
}

/// How values become places.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AxisKind {
    /// From 0.
    Linear,
    /// Logarithmic, ticks at powers of ten.
    Log,
    /// Logarithmic, ticks at powers of two in KiB, MiB and GiB.
    Bytes,
}

/// A line, or single points.
pub(crate) struct Series {
    /// Name, written at the right end.
    pub(crate) label: String,
    /// Points by rising x.
    pub(crate) points: Vec<(f64, f64)>,
    /// How it looks.
    pub(crate) style: Style,
}

/// How a series looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A measured line with a dot at each sample.
    Line,
    /// A measured line of many points, without dots.
    Thin,
    /// A dashed line: a bound.
    Bound,
    /// Dots only, each series its own, with the name beside it.
    Dots,
}

/// A chart of lines over continuous axes.
pub(crate) fn xy_chart(caption: &Caption, chart: &XyChart) -> String {
    draw(caption, |canvas| paint(canvas, chart))
}

/// Values onto pixels.
struct Map {
    kind: AxisKind,
    low: f64,
    scale: Scale,
}

impl Map {
    fn new(kind: AxisKind, values: &[f64], n_ticks: usize, from: f64, to: f64) -> Map {
        let largest = values.iter().copied().fold(0.0, f64::max);
        match kind {
            AxisKind::Linear => Map {
                kind,
                low: 0.0,
                scale: Scale::new(largest, n_ticks, from, to),
            },
            AxisKind::Log | AxisKind::Bytes => {
                let base = if kind == AxisKind::Log { 10.0_f64 } else { 2.0 };
                let positive = values.iter().copied().filter(|value| *value > 0.0);
                let smallest = positive.fold(f64::INFINITY, f64::min);
                let (low, high) = match smallest.is_finite() {
                    true => (smallest.log(base), largest.log(base)),
                    false => (0.0, 1.0),
                };
                // Powers of ten at both ends, so that the picture is framed by ticks; bytes end where they end.
                let (low, high) = match kind {
                    AxisKind::Log => (low.floor(), high.ceil().max(low.floor() + 1.0)),
                    _ => (low, high.max(low + 1.0)),
                };
                Map {
                    kind,
                    low,
                    scale: Scale {
                        max: high - low,
                        step: 1.0,
                        from,
                        to,
                    },
                }
            }
        }
    }

    fn at(&self, value: f64) -> f64 {
        match self.kind {
            AxisKind::Linear => self.scale.at(value),
            AxisKind::Log => self.scale.at(value.max(1e-300).log10() - self.low),
            AxisKind::Bytes => self.scale.at(value.max(1.0).log2() - self.low),
        }
    }

    fn ticks(&self, text: &Text) -> Vec<(f64, String)> {
        match self.kind {
            AxisKind::Linear => (self.scale.ticks())
                .map(|(value, label)| (self.scale.at(value), text.digits(&label)))
                .collect(),
            AxisKind::Log => {
                let powers = self.low as i32..=(self.low + self.scale.max).round() as i32;
                let tick = |power: i32| {
                    let value = 10_f64.powi(power);
                    (self.at(value), text.figure(Figure::PowerOfTen(power)))
                };
                powers.map(tick).collect()
            }
            AxisKind::Bytes => {
                let powers = self.low.ceil() as i32..=(self.low + self.scale.max).floor() as i32;
                let tick = |power: i32| {
                    let value = 2_f64.powi(power);
                    (
                        self.at(value),
                        text.figure(Figure::BinaryBytes(value as u64)),
                    )
                };
                powers.map(tick).collect()
            }
        }
    }
}

fn paint(canvas: &mut Canvas, chart: &XyChart) {
    canvas.height = HEIGHT_PX;
    let frame = Frame::of(canvas, chart);
    frame.paint_grid(canvas, chart);
    frame.paint_marks(canvas, chart);
    frame.paint_series(canvas, chart);
}

/// Where the axes are.
struct Frame {
    left: f64,
    right: f64,
    labels_px: f64,
    x: Map,
    y: Map,
}

impl Frame {
    fn of(canvas: &Canvas, chart: &XyChart) -> Frame {
        let widest = (chart.series.iter())
            .map(|series| text_width(&series.label))
            .fold(0.0, f64::max);
        let labels_px = widest.min(canvas.width * 0.36) + 14.0;
        let points = || chart.series.iter().flat_map(|series| &series.points);
        let ys: Vec<f64> = points().map(|point| point.1).collect();
        let y = Map::new(chart.y.kind, &ys, 5, HEIGHT_PX - BOTTOM_PX, TOP_PX);
        let left = (y.ticks(canvas.text).iter())
            .map(|tick| text_width(&tick.1))
            .fold(0.0, f64::max)
            + 8.0;
        let right = canvas.width - labels_px;
        let xs: Vec<f64> = points().map(|point| point.0).collect();
        let n_ticks = if canvas.width < 500.0 { 4 } else { 8 };
        let x = Map::new(chart.x.kind, &xs, n_ticks, left, right);
        Frame {
            left,
            right,
            labels_px,
            x,
            y,
        }
    }

    fn paint_grid(&self, canvas: &mut Canvas, chart: &XyChart) {
        for (at, label) in self.y.ticks(canvas.text) {
            canvas.line("grid", (self.left, at), (self.right, at));
            canvas.text("tick", (self.left - 6.0, at + 4.5), Anchor::End, &label);
        }
        let room = canvas.width;
        canvas.text(
            "axis",
            (0.0, 14.0),
            Anchor::Start,
            &shorten(&chart.y.label, room),
        );
        let mut free_from = f64::NEG_INFINITY;
        for (at, label) in self.x.ticks(canvas.text) {
            let half = text_width(&label) / 2.0;
            if at - half < free_from || at + half > canvas.width {
                continue;
            }
            free_from = at + half + TICK_GAP_PX;
            let bottom = HEIGHT_PX - BOTTOM_PX;
            canvas.line("grid", (at, bottom), (at, bottom + 4.0));
            canvas.text("tick", (at, bottom + 21.0), Anchor::Middle, &label);
        }
        let middle = (self.left + self.right) / 2.0;
        let room = 2.0 * (middle.min(canvas.width - middle));
        canvas.text(
            "axis",
            (middle, HEIGHT_PX - 8.0),
            Anchor::Middle,
            &shorten(&chart.x.label, room),
        );
    }

    fn paint_marks(&self, canvas: &mut Canvas, chart: &XyChart) {
        for (value, name) in &chart.places {
            let at = self.x.at(*value);
            canvas.line("bound", (at, TOP_PX), (at, HEIGHT_PX - BOTTOM_PX));
            canvas.text(
                "tick",
                (at, TOP_PX - 4.0),
                Anchor::Middle,
                &shorten(name, 60.0),
            );
        }
    }

    fn paint_series(&self, canvas: &mut Canvas, chart: &XyChart) {
        let mut ends: Vec<(usize, f64)> = Vec::new();
        for (i, series) in chart.series.iter().enumerate() {
            let shown: Vec<&(f64, f64)> = (series.points.iter())
                .filter(|(x, y)| x.is_finite() && y.is_finite())
                .collect();
            let points: Vec<(f64, f64)> = (shown.iter())
                .map(|(x, y)| (self.x.at(*x), self.y.at(*y)))
                .collect();
            let colour = format!("s{}", i % 5);
            match series.style {
                Style::Bound => canvas.path("bound", &points),
                Style::Line | Style::Thin => canvas.path(&format!("series {colour}"), &points),
                Style::Dots => {}
            }
            if matches!(series.style, Style::Line | Style::Dots) {
                for (point, (x, y)) in points.iter().zip(&shown) {
                    let tip = format!(
                        "{} · {} · {} {}",
                        series.label,
                        canvas.text.figure(value(chart.x.kind, *x)),
                        canvas.text.figure(value(chart.y.kind, *y)),
                        chart.y.label
                    );
                    canvas.tipped_dot(&format!("dot {colour}"), *point, 3.5, &tip);
                }
            }
            ends.extend(points.last().map(|point| (i, point.1)));
        }
        ends.retain(|(i, _)| !chart.series[*i].label.is_empty());
        for (i, at) in spread(ends, TOP_PX, HEIGHT_PX - BOTTOM_PX) {
            let series = &chart.series[i];
            let class = match series.style {
                Style::Bound => "tick".to_owned(),
                _ => format!("end s{}", i % 5),
            };
            let label = shorten(&series.label, self.labels_px - 10.0);
            canvas.text(&class, (self.right + 6.0, at + 4.5), Anchor::Start, &label);
        }
    }
}

/// A value as the ticks of its axis write it.
fn value(kind: AxisKind, value: f64) -> Figure {
    match kind {
        AxisKind::Bytes => Figure::BinaryBytes(value.max(0.0) as u64),
        AxisKind::Linear | AxisKind::Log => Figure::Number(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(kind: AxisKind, values: &[f64]) -> Vec<String> {
        let map = Map::new(kind, values, 5, 0.0, 100.0);
        map.ticks(Text::english())
            .into_iter()
            .map(|tick| tick.1)
            .collect()
    }

    #[test]
    fn ticks_follow_the_axis() {
        assert_eq!(
            labels(AxisKind::Linear, &[3.0, 9.0]),
            ["0", "2", "4", "6", "8", "10"]
        );
        assert_eq!(
            labels(AxisKind::Log, &[0.3, 40.0]),
            ["0.1", "1", "10", "100"]
        );
        assert_eq!(
            labels(AxisKind::Bytes, &[4096.0, 16384.0]),
            ["4 KiB", "8 KiB", "16 KiB"]
        );
    }

    #[test]
    fn places_stay_inside_the_picture() {
        for kind in [AxisKind::Linear, AxisKind::Log, AxisKind::Bytes] {
            for values in [vec![], vec![0.0], vec![7.0], vec![1.0, 1e12]] {
                let map = Map::new(kind, &values, 5, 0.0, 100.0);
                for value in [0.0, 1e-9, 7.0, 1e30] {
                    assert!(
                        (0.0..=100.0).contains(&map.at(value)),
                        "{value} in {values:?}"
                    );
                }
            }
        }
    }
}
