//! Lines over dates: broken where the caller says so, with hollow points for what may not be believed and vertical marks
//! where the environment changed.
//!
//! The name of each line stands at its right end. Points are thinned to what the drawing can show; hollow ones never.

use super::lines::spread;
use super::{Anchor, Canvas, Caption, draw, shorten, text_width};
use crate::date;

const PLOT_PX: f64 = 230.0;
const TOP_PX: f64 = 24.0;
const BOTTOM_PX: f64 = 30.0;

/// Height of a row of labels of marks.
const ROW_PX: f64 = 17.0;

/// Rows of such labels at most; a mark whose label finds no room keeps its line, and the page lists it.
const N_ROWS: usize = 3;

/// Widest label of a mark.
const LABEL_PX: f64 = 210.0;

/// Room between neighbours in a row of text.
const GAP_PX: f64 = 10.0;

/// Names of lines are bold, which is so much wider than the charts' other text.
const BOLD: f64 = 1.12;

/// Points of one stretch that share this many pixels are drawn as their lowest and highest.
const BUCKET_PX: f64 = 3.0;

/// A usable value this far from another one is still in the picture; a hollow one beyond it stands at the edge.
const REACH: f64 = 1.5;

/// A picture of lines over dates.
pub(crate) struct Timeline {
    /// What the vertical axis counts, with its unit.
    pub(crate) axis: String,
    /// At most five, so that each has a colour of its own.
    pub(crate) lines: Vec<TimelineLine>,
    /// Where the environment changed: day, and what.
    pub(crate) marks: Vec<(f64, String)>,
    /// First and last day of the picture, days since 1970-01-01.
    pub(crate) days: (f64, f64),
}

/// A line.
pub(crate) struct TimelineLine {
    /// Name, written at the right end.
    pub(crate) label: String,
    /// Points by rising day.
    pub(crate) points: Vec<TimelinePoint>,
}

/// A figure of a day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimelinePoint {
    /// Days since 1970-01-01, with the time as fraction.
    pub(crate) day: f64,
    /// The figure.
    pub(crate) value: f64,
    /// Whether it may be believed; else it is hollow and in no line.
    pub(crate) is_usable: bool,
    /// Whether something speaks against it all the same: it is in the line, and hollow.
    pub(crate) is_suspect: bool,
    /// Whether the line comes from the point before.
    pub(crate) is_joined: bool,
}

/// Draws lines over dates.
pub(crate) fn timeline(caption: &Caption, chart: &Timeline) -> String {
    draw(caption, |canvas| paint(canvas, chart))
}

/// Where everything is.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    days: (f64, f64),
    values: Range,
}

/// Values onto pixels; the axis begins at a round number that need not be 0, so that small changes can be seen.
struct Range {
    low: f64,
    high: f64,
    step: f64,
}

impl Range {
    fn of(lines: &[TimelineLine]) -> Range {
        let points = || lines.iter().flat_map(|line| &line.points);
        let usable = points().filter(|point| point.is_usable && point.value.is_finite());
        let (low, high) = extent(usable.map(|point| point.value));
        let (low, high) = match low <= high {
            true => (low, high),
            false => extent(points().map(|point| point.value)),
        };
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        // Hollow points count as far as they leave the lines readable.
        let near = |value: &f64| *value <= high * REACH && *value * REACH >= low;
        let hollow = points().map(|point| point.value).filter(near);
        let (low, high) = extent(hollow.chain([low, high]));
        // A flat line must not fill the picture with its noise.
        let middle = f64::midpoint(low, high);
        let half = ((high - low) * 0.54).max(middle.abs() * 0.08).max(1e-9);
        let (low, high) = ((middle - half).max(0.0), middle + half);
        let low = if low < 0.35 * high { 0.0 } else { low };
        let least = (high - low) / 5.0;
        let power = 10_f64.powf(least.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power);
        let step = steps.into_iter().find(|step| *step >= least * 0.999_999);
        let step = step.unwrap_or(10.0 * power);
        Range {
            low: (low / step).floor() * step,
            high: (high / step).ceil() * step,
            step,
        }
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        let n_decimals = (0..6).find(|n| {
            let scaled = self.step * 10_f64.powi(*n);
            (scaled - scaled.round()).abs() < 1e-6 * scaled
        });
        let n_decimals = n_decimals.unwrap_or(6) as usize;
        let n = ((self.high - self.low) / self.step).round() as usize;
        let tick = |i: usize| {
            let value = self.low + i as f64 * self.step;
            (value, format!("{value:.n_decimals$}"))
        };
        (0..=n.min(20)).map(tick).collect()
    }
}

/// Smallest and largest finite value; the first is larger where there is none.
pub(super) fn extent(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let finite = values.filter(|value| value.is_finite());
    finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}

impl Frame {
    fn x(&self, day: f64) -> f64 {
        let span = (self.days.1 - self.days.0).max(1e-6);
        let share = ((day - self.days.0) / span).clamp(0.0, 1.0);
        self.left + 6.0 + share * (self.right - self.left - 12.0)
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.values.low) / (self.values.high - self.values.low);
        self.bottom - share.clamp(0.0, 1.0) * (self.bottom - self.top)
    }
}

fn paint(canvas: &mut Canvas, chart: &Timeline) {
    let values = Range::of(&chart.lines);
    let ticks = (values.ticks().into_iter()).map(|(value, label)| (value, canvas.digits(&label)));
    let ticks: Vec<(f64, String)> = ticks.collect();
    let widest = (chart.lines.iter())
        .map(|line| text_width(&line.label))
        .fold(0.0, f64::max);
    let labels_px = (widest * BOLD).min(canvas.width * 0.38) + 14.0;
    let tick_px = (ticks.iter())
        .map(|tick| text_width(&tick.1))
        .fold(0.0, f64::max);
    let mut frame = Frame {
        left: tick_px + 8.0,
        right: canvas.width - labels_px,
        top: TOP_PX,
        bottom: 0.0,
        days: chart.days,
        values,
    };
    let labels = mark_labels(canvas.width, &frame, &chart.marks);
    let n_rows = labels.iter().map(|label| label.row + 1).max().unwrap_or(0);
    frame.top = TOP_PX + n_rows as f64 * ROW_PX;
    frame.bottom = frame.top + PLOT_PX;
    canvas.height = frame.bottom + BOTTOM_PX;

    let axis = shorten(&chart.axis, canvas.width);
    canvas.text("axis", (0.0, 14.0), Anchor::Start, &axis);
    for (value, label) in &ticks {
        let y = frame.y(*value);
        canvas.line("grid", (frame.left, y), (frame.right, y));
        canvas.text("tick", (frame.left - 6.0, y + 4.5), Anchor::End, label);
    }
    paint_dates(canvas, &frame);
    paint_marks(canvas, &frame, chart, &labels);
    let mut ends = Vec::new();
    for (i, line) in chart.lines.iter().enumerate() {
        ends.extend(paint_line(canvas, &frame, i, line).map(|y| (i, y)));
    }
    for (i, y) in spread(ends, frame.top, frame.bottom) {
        let label = shorten(&chart.lines[i].label, (labels_px - 10.0) / BOLD);
        let at = (frame.right + 6.0, y + 4.5);
        canvas.text(&format!("end s{}", i % 5), at, Anchor::Start, &label);
    }
}

/// A label of a mark and its place.
struct MarkLabel {
    row: usize,
    x: f64,
    anchor: Anchor,
    text: String,
}

/// Puts each label into the first row where it meets no other one.
fn mark_labels(width: f64, frame: &Frame, marks: &[(f64, String)]) -> Vec<MarkLabel> {
    let mut free_from = [f64::NEG_INFINITY; N_ROWS];
    let mut labels = Vec::new();
    for (day, what) in marks {
        let text = shorten(what, LABEL_PX.min(width * 0.6));
        let (x, half) = (frame.x(*day), text_width(&text) / 2.0);
        // Beside the edge of the picture a label goes to one side of its line.
        let (anchor, left) = if x - half < 0.0 {
            (Anchor::Start, x - 2.0)
        } else if x + half > width {
            (Anchor::End, x + 2.0 - 2.0 * half)
        } else {
            (Anchor::Middle, x - half)
        };
        let right = left + 2.0 * half;
        let row = free_from.iter().position(|free| left >= *free);
        let Some(row) = row.filter(|_| left >= -0.1 && right <= width + 0.1) else {
            continue;
        };
        free_from[row] = right + GAP_PX;
        let x = match anchor {
            Anchor::Start => left,
            Anchor::Middle => x,
            Anchor::End => right,
        };
        labels.push(MarkLabel {
            row,
            x,
            anchor,
            text,
        });
    }
    labels
}

fn paint_marks(canvas: &mut Canvas, frame: &Frame, chart: &Timeline, labels: &[MarkLabel]) {
    let mut last = f64::NEG_INFINITY;
    for (day, _) in &chart.marks {
        let x = frame.x(*day);
        // Marks of neighbouring days are one line in a small drawing.
        if x - last >= 1.0 {
            canvas.line("bound", (x, frame.top - 4.0), (x, frame.bottom));
            last = x;
        }
    }
    for label in labels {
        let y = TOP_PX + label.row as f64 * ROW_PX + 9.0;
        canvas.text("tick", (label.x, y), label.anchor, &label.text);
    }
}

/// Draws stretches and points; returns where the line's name belongs.
fn paint_line(canvas: &mut Canvas, frame: &Frame, i: usize, line: &TimelineLine) -> Option<f64> {
    let colour = format!("s{}", i % 5);
    let finite = || line.points.iter().filter(|point| point.value.is_finite());
    let mut stretches: Vec<Vec<(f64, f64)>> = Vec::new();
    for point in finite().filter(|point| point.is_usable) {
        let at = (frame.x(point.day), frame.y(point.value));
        match stretches.last_mut().filter(|_| point.is_joined) {
            Some(stretch) => stretch.push(at),
            None => stretches.push(vec![at]),
        }
    }
    let is_dense = finite().count() as f64 > (frame.right - frame.left) / 12.0;
    for stretch in &stretches {
        if stretch.len() > 1 {
            stroke(canvas, &format!("series {colour}"), &thin(stretch));
        }
        // A line of few nights shows them, and a night that stands alone has nothing else.
        let dots = if is_dense && stretch.len() > 1 {
            &[]
        } else {
            stretch.as_slice()
        };
        for at in dots {
            canvas.dot(
                &format!("dot {colour}"),
                *at,
                if is_dense { 2.0 } else { 3.0 },
            );
        }
    }
    for point in finite().filter(|point| point.is_usable && point.is_suspect) {
        canvas.dot("hollow", (frame.x(point.day), frame.y(point.value)), 3.0);
    }
    for point in finite().filter(|point| !point.is_usable) {
        let (x, y) = (frame.x(point.day), frame.y(point.value));
        let is_above = point.value > frame.values.high;
        if is_above || point.value < frame.values.low {
            // An arrow's head at the edge: the figure lies beyond it.
            let tip = if is_above { -4.0 } else { 4.0 };
            let corners = [
                (x - 4.0, y - tip),
                (x, y + tip),
                (x + 4.0, y - tip),
                (x - 4.0, y - tip),
            ];
            canvas.path("invalid", &corners);
        } else {
            canvas.dot("hollow", (x, y), 3.0);
        }
    }
    let last_usable = stretches.last().and_then(|stretch| stretch.last());
    let last = last_usable.map(|at| at.1);
    last.or_else(|| finite().next_back().map(|point| frame.y(point.value)))
}

/// A line in steps from point to point: half as long as with places, and a history has many points.
pub(super) fn stroke(canvas: &mut Canvas, class: &str, points: &[(f64, f64)]) {
    let tenths = |px: f64| (px * 10.0).round() as i64;
    let text = |tenths: i64| match tenths % 10 {
        0 => (tenths / 10).to_string(),
        _ => format!("{:.1}", tenths as f64 / 10.0),
    };
    let mut data = String::new();
    let mut last = (0, 0);
    for (i, (x, y)) in points.iter().enumerate() {
        let at = (tenths(*x), tenths(*y));
        let start = match i {
            0 => "M",
            1 => "l",
            _ => " ",
        };
        // From the rounded place before, so that roundings do not add up.
        let (right, down) = (text(at.0 - last.0), text(at.1 - last.1));
        data += &format!("{start}{right} {down}");
        last = at;
    }
    canvas.push(format_args!(r#"<path class="{class}" d="{data}"/>"#));
}

/// The first and the last point, and of all points within [`BUCKET_PX`] the lowest and the highest, in order.
pub(super) fn thin(stretch: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut kept = vec![0, stretch.len() - 1];
    let bucket = |at: &(f64, f64)| (at.0 / BUCKET_PX).floor();
    let mut start = 0;
    for part in stretch.chunk_by(|a, b| bucket(a) == bucket(b)) {
        let by_y = |a: &usize, b: &usize| part[*a].1.total_cmp(&part[*b].1);
        kept.extend((0..part.len()).min_by(by_y).map(|i| start + i));
        kept.extend((0..part.len()).max_by(by_y).map(|i| start + i));
        start += part.len();
    }
    kept.sort_unstable();
    kept.dedup();
    kept.into_iter().map(|i| stretch[i]).collect()
}

/// Ticks at days, at the first of months or at the first of years, as many as there is room for.
fn paint_dates(canvas: &mut Canvas, frame: &Frame) {
    let room = frame.right - frame.left;
    let days = (frame.days.0.floor() as i64, frame.days.1.floor() as i64);
    let mut free_from = f64::NEG_INFINITY;
    for (day, label) in date_ticks(days, room) {
        // Noon would be as right as midnight: a tick stands where its day begins, or at the edge.
        let x = frame.x(day as f64);
        let half = text_width(&label) / 2.0;
        let at = x.clamp(half, (canvas.width - half).max(half));
        if at - half < free_from {
            continue;
        }
        free_from = at + half + GAP_PX;
        canvas.line("grid", (x, frame.bottom), (x, frame.bottom + 4.0));
        canvas.text("tick", (at, frame.bottom + 21.0), Anchor::Middle, &label);
    }
}

/// Days with a tick and their labels, as many as find room in so many pixels.
fn date_ticks((first, last): (i64, i64), room: f64) -> Vec<(i64, String)> {
    let n_fit = |label: &str| (room / (text_width(label) + 2.0 * GAP_PX)).max(1.0) as i64;
    let n_days_fit = n_fit("2026-12-31");
    let n_months_fit = n_fit("2026-12");
    let n_days = last - first;
    for step in [1, 2, 7, 14] {
        if n_days / step < n_days_fit {
            let days = (first..=last).step_by(step as usize);
            return days.map(|day| (day, date::date(day))).collect();
        }
    }
    let n_months = date::month_number(last) - date::month_number(first);
    let step = [1, 2, 3, 6, 12, 24, 60, 120, 600];
    let step = (step.into_iter())
        .find(|step| n_months / step < n_months_fit)
        .unwrap_or(1200);
    // Steps begin with a year, so that six months are January and July.
    let start = -date::month_number(first).rem_euclid(step);
    let ticks = (0..).map(|i| date::first_of_month(first, start + i * step));
    let ticks = ticks.take_while(|day| *day <= last);
    ticks
        .filter(|day| *day >= first)
        .map(|day| (day, date::month(day)))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::charts::tests::extents;
    use bench_locales::Text;

    fn drawn(width: f64, chart: &Timeline) -> Canvas<'_> {
        let mut canvas = Canvas::new(width, Text::english());
        paint(&mut canvas, chart);
        canvas
    }

    fn point(day: f64, value: f64) -> TimelinePoint {
        TimelinePoint {
            day,
            value,
            is_usable: true,
            is_suspect: false,
            is_joined: true,
        }
    }

    proptest! {
        #[test]
        fn texts_neither_leave_the_picture_nor_meet(
            labels in prop::collection::vec("[a-zA-Z0-9 _.,-]{1,60}", 1..6),
            marks in prop::collection::vec((0.0..1.0_f64, "[a-zA-Z0-9 .→]{1,80}"), 0..20),
            first in 0..30_000_i64,
            n_days in 0..3_000_i64,
            rate in 0.001..1e5_f64,
            spread in 0.0..3.0_f64,
        ) {
            let days = (first as f64, (first + n_days) as f64 + 0.9);
            let day = |share: f64| days.0 + share * (days.1 - days.0);
            let mut marks: Vec<(f64, String)> = marks.into_iter().map(|(share, what)| (day(share), what)).collect();
            marks.sort_by(|a, b| a.0.total_cmp(&b.0));
            let line = |(i, label): (usize, String)| TimelineLine {
                label,
                points: (0..20)
                    .map(|k| TimelinePoint {
                        is_usable: k % 7 != 3,
                is_suspect: false,
                        ..point(day(f64::from(k) / 19.0), rate * (1.0 + spread * i as f64 + 0.01 * f64::from(k % 3)))
                    })
                    .collect(),
            };
            let chart = Timeline {
                axis: "GB/s (10⁹ bytes per second)".into(),
                lines: labels.into_iter().enumerate().map(line).collect(),
                marks,
                days,
            };
            for width in [720.0, 340.0] {
                let canvas = drawn(width, &chart);
                let extents = extents(&canvas.body);
                for (i, (left, right, y)) in extents.iter().enumerate() {
                    prop_assert!(*left >= -0.2 && *right <= width + 0.2 && *y <= canvas.height, "{:?}", extents[i]);
                    let meets = |other: &&(f64, f64, f64)| (other.2 - y).abs() < 11.0 && other.0 < *right - 0.1 && *left < other.1 - 0.1;
                    prop_assert!(extents[..i].iter().find(meets).is_none(), "{:?} in {extents:?}", extents[i]);
                }
            }
        }
    }

    #[test]
    fn a_line_is_broken_where_it_is_not_joined() {
        let mut points: Vec<TimelinePoint> = (0..6).map(|i| point(f64::from(i), 20.0)).collect();
        points[3].is_joined = false;
        points[5].is_usable = false;
        let chart = Timeline {
            axis: "GB/s".into(),
            lines: vec![TimelineLine {
                label: "read".into(),
                points,
            }],
            marks: vec![(3.0, "Linux 5.10 → 6.1".into())],
            days: (0.0, 5.0),
        };
        let body = drawn(720.0, &chart).body;
        assert_eq!(body.matches("<path class=\"series").count(), 2);
        assert_eq!(body.matches("class=\"hollow\"").count(), 1);
        assert_eq!(body.matches("class=\"bound\"").count(), 1);
        assert!(body.contains("Linux 5.10 → 6.1"), "{body}");
    }

    #[test]
    fn thinning_keeps_extremes_and_every_hollow_point() {
        let points = (0..10_000)
            .map(|i| TimelinePoint {
                is_usable: i % 100 != 7,
                is_suspect: false,
                value: if i == 4242 { 29.0 } else { 20.0 },
                ..point(f64::from(i) / 20.0, 20.0)
            })
            .collect();
        let chart = Timeline {
            axis: "GB/s".into(),
            lines: vec![TimelineLine {
                label: "read".into(),
                points,
            }],
            marks: vec![],
            days: (0.0, 500.0),
        };
        let canvas = drawn(340.0, &chart);
        assert_eq!(canvas.body.matches("class=\"hollow\"").count(), 100);
        let points = canvas.body.matches(['M', 'l', ' ']).count();
        assert!(points < 3_000, "{points}");
        let range = Range::of(&chart.lines);
        // From 20 up to 29 in one step.
        let up = PLOT_PX * 9.0 / (range.high - range.low);
        let step = format!(" -{up:.1} ");
        assert!(canvas.body.contains(&step), "{step}");
    }

    #[test]
    fn ticks_are_days_or_months() {
        let day = |text: &str| date::day_of(date::seconds(&format!("{text}T00:00:00Z")).unwrap());
        let labels = |from: &str, to: &str, n_fit| {
            let ticks = date_ticks((day(from), day(to)), n_fit);
            ticks.into_iter().map(|tick| tick.1).collect::<Vec<_>>()
        };
        assert_eq!(
            labels("2026-01-30", "2026-02-02", 480.0),
            ["2026-01-30", "2026-01-31", "2026-02-01", "2026-02-02"]
        );
        assert_eq!(
            labels("2025-11-20", "2026-11-20", 480.0),
            ["2026-01", "2026-04", "2026-07", "2026-10"]
        );
        assert_eq!(labels("2026-02-03", "2026-02-03", 480.0), ["2026-02-03"]);
    }
}
