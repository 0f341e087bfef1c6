//! One row per ratio: a mark with whiskers around a line that stands for no difference, on a logarithmic axis.
//!
//! Shapes and words tell what colours tell: a triangle points to where it is, a circle is hollow.

use bench_locales::say;

use super::{Anchor, Canvas, Caption, TEXT_PX, char_width, draw, text_width};

const ROW_PX: f64 = 38.0;
const EDGE_PX: f64 = 8.0;
/// Half the size of a mark.
const MARK_PX: f64 = 5.5;
/// The axis reaches at least this far from 1, so that differences of a thousandth do not look large.
const MIN_REACH: f64 = 0.01;
/// Ticks up to this share are in per cent, farther ones are factors.
const MAX_PERCENT_REACH: f64 = 1.2;

/// One row.
pub(crate) struct RatioRow {
    /// What it is.
    pub(crate) label: String,
    /// Text at the right end of the label's line.
    pub(crate) value: String,
    /// How the mark looks.
    pub(crate) mark: RatioMark,
    /// The ratio, above 0.
    pub(crate) ratio: f64,
    /// Ends of its interval.
    pub(crate) interval: Option<(f64, f64)>,
}

/// How a mark looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RatioMark {
    /// A triangle that points right.
    Above,
    /// A triangle that points left.
    Below,
    /// A hollow circle.
    Neither,
}

/// A chart of ratios; `low` and `high` say what the two directions mean.
pub(crate) fn ratio_chart(
    caption: &Caption,
    (low, high): (&str, &str),
    rows: &[RatioRow],
) -> String {
    draw(caption, |canvas| paint(canvas, (low, high), rows))
}

/// Logarithm of the ratio at either end of the axis. Whiskers beyond it end there: one wide interval must not hide all
/// other rows.
fn reach(rows: &[RatioRow]) -> f64 {
    let farthest = rows.iter().map(|row| row.ratio.ln().abs());
    let farthest = farthest.fold(0.0, f64::max);
    let ends = rows.iter().filter_map(|row| row.interval);
    let ends = ends.map(|(low, high)| low.ln().abs().max(high.ln().abs()));
    let widest = ends.filter(|end| end.is_finite()).fold(0.0, f64::max);
    let least = MIN_REACH.ln_1p();
    (farthest * 1.1)
        .max(widest.min(3.0 * farthest.max(least)))
        .max(least)
}

/// Ticks between the ends: logarithm and text.
fn ticks(reach: f64, n_most: usize) -> Vec<(f64, String)> {
    let share = reach.exp_m1();
    let mut ticks = Vec::new();
    if share <= MAX_PERCENT_REACH {
        let steps = [0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0];
        let least = share * 100.0 / n_most as f64;
        // A step down is longer than a step up on this axis, and one of them has to fit.
        let down = -(-reach).exp_m1() * 100.0;
        let mut fitting = steps.into_iter().filter(|step| *step <= down);
        let step = (fitting.clone().find(|step| *step >= least))
            .or(fitting.next_back())
            .unwrap_or(steps[0]);
        let n_decimals = if step < 0.5 {
            2
        } else {
            usize::from(step < 1.0)
        };
        for i in 1..=n_most {
            let percent = step * i as f64;
            let (up, down) = ((percent / 100.0).ln_1p(), (-percent / 100.0).ln_1p());
            ticks.push((up, format!("+{percent:.n_decimals$} %")));
            ticks.push((down, format!("-{percent:.n_decimals$} %")));
        }
    } else {
        // At most so many powers of one factor on each side.
        let factor = [2.0_f64, 4.0, 10.0, 100.0, 1e4]
            .into_iter()
            .find(|factor| reach / factor.ln() <= n_most as f64 + 1.0)
            .unwrap_or(1e6);
        for power in 1..=n_most as i32 {
            let times = factor.powi(power);
            ticks.push((times.ln(), format!("{times} ×")));
            ticks.push((-times.ln(), format!("1/{times}")));
        }
    }
    ticks.retain(|(at, _)| at.abs() <= reach);
    ticks
}

fn paint(canvas: &mut Canvas, (low, high): (&str, &str), rows: &[RatioRow]) {
    let top = 20.0;
    let bottom = top + rows.len() as f64 * ROW_PX + 4.0;
    canvas.height = bottom + 20.0;
    let middle = canvas.width / 2.0;
    let half = middle - EDGE_PX - MARK_PX;
    let reach = reach(rows);
    let x = |log: f64| middle + (log / reach).clamp(-1.0, 1.0) * half;
    canvas.text("axis", (EDGE_PX, 12.0), Anchor::Start, low);
    canvas.text("axis", (canvas.width - EDGE_PX, 12.0), Anchor::End, high);
    let n_most = if canvas.width > 500.0 { 3 } else { 2 };
    let ticks = ticks(reach, n_most).into_iter();
    let ticks = ticks.map(|(at, label)| (at, canvas.digits(&label)));
    let same = (0.0, say!(canvas.text, "chart-same"));
    for (at, label) in [same].into_iter().chain(ticks).collect::<Vec<_>>() {
        let class = if at == 0.0 { "zero" } else { "grid" };
        canvas.line(class, (x(at), top), (x(at), bottom));
        let half_px = text_width(&label) / 2.0;
        let inside = x(at).clamp(half_px, canvas.width - half_px);
        canvas.text("tick", (inside, bottom + 15.0), Anchor::Middle, &label);
    }
    for (i, row) in rows.iter().enumerate() {
        let y = top + i as f64 * ROW_PX;
        let room = canvas.width - 2.0 * EDGE_PX - text_width(&row.value) - 12.0;
        let label = shorten_middle(&row.label, room);
        canvas.text("name", (EDGE_PX, y + 14.0), Anchor::Start, &label);
        let right = canvas.width - EDGE_PX;
        canvas.text("value", (right, y + 14.0), Anchor::End, &row.value);
        let y = y + 26.0;
        if let Some((low, high)) = row.interval {
            let ends = [low.ln(), high.ln()];
            canvas.line("whisker", (x(ends[0]), y), (x(ends[1]), y));
            // An end beyond the axis has no stroke across: it goes on.
            for end in ends.into_iter().filter(|end| end.abs() <= reach) {
                canvas.line("whisker", (x(end), y - 4.0), (x(end), y + 4.0));
            }
        }
        mark(canvas, row.mark, (x(row.ratio.ln()), y));
    }
}

/// Cuts the middle out of a text that is wider than `max_px`: units that differ in their last part must stay apart.
fn shorten_middle(text: &str, max_px: f64) -> String {
    if text_width(text) <= max_px {
        return text.to_owned();
    }
    let half_px = (max_px - text_width("…")) / 2.0;
    let fitting = |chars: &mut dyn Iterator<Item = char>| -> Vec<char> {
        let mut width = 0.0;
        let fits = |c: &char| {
            width += char_width(*c) * TEXT_PX;
            width <= half_px
        };
        chars.take_while(fits).collect()
    };
    let start: String = fitting(&mut text.chars()).into_iter().collect();
    let end: String = fitting(&mut text.chars().rev()).into_iter().rev().collect();
    format!("{start}…{end}")
}

fn mark(canvas: &mut Canvas, mark: RatioMark, (x, y): (f64, f64)) {
    let triangle = |tip: f64| {
        let back = x - tip * MARK_PX;
        [
            (x + tip * MARK_PX, y),
            (back, y - MARK_PX),
            (back, y + MARK_PX),
        ]
    };
    match mark {
        RatioMark::Above => canvas.path("dot s0", &triangle(1.0)),
        RatioMark::Below => canvas.path("dot s1", &triangle(-1.0)),
        RatioMark::Neither => canvas.dot("hollow", (x, y), 4.5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(share: f64, n_most: usize, expect: &[&str]) {
        let labels: Vec<String> = (ticks(share.ln_1p(), n_most).into_iter())
            .map(|tick| tick.1)
            .collect();
        assert_eq!(labels, expect, "{share}");
    }

    #[test]
    fn ticks_are_round_and_lie_on_the_axis() {
        check(0.01, 2, &["+0.5 %", "-0.5 %", "+1.0 %"]);
        check(0.06, 3, &["+2 %", "-2 %", "+4 %", "-4 %", "+6 %"]);
        check(0.47, 3, &["+20 %", "-20 %", "+40 %"]);
        check(0.24, 2, &["+10 %", "-10 %", "+20 %"]);
        check(1.0, 3, &["+50 %", "-50 %", "+100 %"]);
        check(2.9, 3, &["2 ×", "1/2"]);
        check(15.0, 3, &["2 ×", "1/2", "4 ×", "1/4", "8 ×", "1/8"]);
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shorten_middle("read/dram/t1", 200.0), "read/dram/t1");
        let cut = shorten_middle("decode/qwen2.5-1.5b/q4_0/d0/t2", 150.0);
        assert!(
            cut.starts_with("decode/") && cut.ends_with("/d0/t2"),
            "{cut}"
        );
        assert!(text_width(&cut) <= 150.0);
    }

    #[test]
    fn one_wide_interval_does_not_hide_the_others() {
        let row = |ratio, interval| RatioRow {
            label: String::new(),
            value: String::new(),
            mark: RatioMark::Neither,
            ratio,
            interval,
        };
        let rows = [
            row(1.02, Some((1.01, 1.03))),
            row(0.99, Some((1e-9, f64::INFINITY))),
            row(1.0, Some((0.2, 5.0))),
        ];
        assert!(reach(&rows) <= 0.07, "{}", reach(&rows));
    }
}
