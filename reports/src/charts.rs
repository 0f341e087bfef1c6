//! A small chart kit: marks, scales and text as inline SVG. Colours come from CSS classes only.
//!
//! Every chart is drawn twice, for a desktop and for a phone, so that its text keeps its size; CSS shows one of them.
//! Refuses to know what is drawn: callers pass labels and numbers.

mod bars;
mod lines;
mod ratios;
mod spark;
mod strips;
mod timeline;
mod xy;

use std::fmt::Write as _;

use bench_locales::Text;

pub(crate) use bars::{Bar, Mark, bar_chart};
pub(crate) use lines::{Line, line_chart};
pub(crate) use ratios::{RatioMark, RatioRow, ratio_chart};
pub(crate) use spark::sparkline;
pub(crate) use strips::{Strip, strip_chart};
pub(crate) use timeline::{Timeline, TimelineLine, TimelinePoint, timeline};
pub(crate) use xy::{Axis, AxisKind, Series, Style, XyChart, xy_chart};

/// Widths of the two drawings, in CSS pixels at their natural size.
const WIDTHS: [(&str, f64); 2] = [("wide", 720.0), ("narrow", 340.0)];

/// Text size of everything in a chart, CSS pixels; the style sheet says the same.
const TEXT_PX: f64 = 13.0;

/// What a chart is called and what it says to people who cannot see it.
pub(crate) struct Caption<'a> {
    /// What its numbers are written in; labels come in that language.
    pub(crate) text: &'a Text,
    /// Unique within a page; letters, digits and hyphens.
    pub(crate) id: &'a str,
    /// Title, read aloud first.
    pub(crate) title: &'a str,
    /// What the picture shows, in a sentence or two.
    pub(crate) description: &'a str,
}

/// A drawing under construction. The origin is the upper left corner.
struct Canvas<'a> {
    text: &'a Text,
    width: f64,
    height: f64,
    body: String,
}

impl<'a> Canvas<'a> {
    fn new(width: f64, text: &'a Text) -> Canvas<'a> {
        Canvas {
            text,
            width,
            height: 0.0,
            body: String::new(),
        }
    }

    /// A number as the language of this drawing writes it.
    fn digits(&self, number: &str) -> String {
        self.text.digits(number)
    }

    fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.push(format_args!(
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        ));
    }

    fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        self.push(format_args!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{:.1}" height="{height:.1}" rx="2"/>"#,
            width.max(0.0)
        ));
    }

    fn dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64) {
        self.push(format_args!(
            r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius}"/>"#
        ));
    }

    /// A dot that says what it is when it is pointed at; the table below the picture says the same.
    fn tipped_dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64, tip: &str) {
        self.push(format_args!(
            r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius}" data-tip="{}"/>"#,
            escape(tip)
        ));
    }

    /// An area that shows nothing and says what it belongs to.
    fn tipped_area(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), tip: &str) {
        self.push(format_args!(
            r#"<rect class="hit" x="{x:.0}" y="{y:.0}" width="{width:.0}" height="{height:.0}" data-tip="{}"/>"#,
            escape(tip)
        ));
    }

    fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut data = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            let command = if i == 0 { 'M' } else { 'L' };
            // Writing to a string cannot fail.
            let _ = write!(data, "{command}{x:.1} {y:.1}");
        }
        self.push(format_args!(r#"<path class="{class}" d="{data}"/>"#));
    }

    fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        self.push(format_args!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{}">{}</text>"#,
            anchor.name(),
            escape(text)
        ));
    }

    fn push(&mut self, what: std::fmt::Arguments) {
        // Writing to a string cannot fail.
        let _ = self.body.write_fmt(what);
    }
}

#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        }
    }
}

/// A linear scale from 0 to a round number, onto `from..to` pixels.
struct Scale {
    max: f64,
    step: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Covers 0 to `max` in at most `n_ticks` steps of 1, 2, 2.5 or 5 times a power of ten.
    fn new(max: f64, n_ticks: usize, from: f64, to: f64) -> Scale {
        // Imported figures may be any number, and the steps to or from the ends of `f64` are 0 or infinite.
        let max = match (1e-100..1e100).contains(&max) {
            true => max,
            false => 1.0,
        };
        let least = max / n_ticks.max(1) as f64;
        let power = 10_f64.powf(least.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power)
            .find(|step| *step >= least * 0.999_999)
            .unwrap_or(10.0 * power);
        Scale {
            max: (max / step).ceil() * step,
            step,
            from,
            to,
        }
    }

    fn at(&self, value: f64) -> f64 {
        self.from + (value / self.max).clamp(0.0, 1.0) * (self.to - self.from)
    }

    fn ticks(&self) -> impl Iterator<Item = (f64, String)> + '_ {
        let n = (self.max / self.step).round() as usize;
        // As many decimals as the step itself has, so that all labels of an axis are alike.
        let n_decimals = (0..6).find(|n| {
            let scaled = self.step * 10_f64.powi(*n);
            (scaled - scaled.round()).abs() < 1e-6 * scaled
        });
        let n_decimals = n_decimals.unwrap_or(6) as usize;
        (0..=n).map(move |i| {
            let value = i as f64 * self.step;
            (value, format!("{value:.n_decimals$}"))
        })
    }
}

/// Draws both widths and wraps them so that CSS can choose.
fn draw(caption: &Caption, paint: impl Fn(&mut Canvas)) -> String {
    let mut html = String::from(r#"<div class="chart">"#);
    for (layout, width) in WIDTHS {
        let mut canvas = Canvas::new(width, caption.text);
        paint(&mut canvas);
        let id = format!("{}-{layout}", caption.id);
        // Writing to a string cannot fail.
        let _ = write!(
            html,
            r#"<svg class="{layout}" viewBox="0 0 {width:.0} {:.0}" role="img" aria-labelledby="{id}-t {id}-d"><title id="{id}-t">{}</title><desc id="{id}-d">{}</desc>{}</svg>"#,
            canvas.height.ceil(),
            escape(caption.title),
            escape(caption.description),
            canvas.body
        );
    }
    html + "</div>"
}

/// Text for SVG and XML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Width of a text in the charts' font, rather too wide than too narrow, CSS pixels.
fn text_width(text: &str) -> f64 {
    text.chars().map(char_width).sum::<f64>() * TEXT_PX
}

/// Widths of system sans-serif fonts by class of letter, in text sizes.
fn char_width(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '\'' | '(' | ')' | ' ' => 0.36,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.95,
        'A'..='Z' => 0.72,
        c if c.is_ascii() => 0.62,
        c if (c as u32) < 0x1100 => 0.7,
        _ => 1.05,
    }
}

/// Cuts a text so that it is at most `max_px` wide.
fn shorten(text: &str, max_px: f64) -> String {
    if text_width(text) <= max_px {
        return text.to_owned();
    }
    let mut width = text_width("…");
    let kept: String = text
        .chars()
        .take_while(|c| {
            width += char_width(*c) * TEXT_PX;
            width <= max_px
        })
        .collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left and right edge of every text, with its baseline.
    pub(super) fn extents(body: &str) -> Vec<(f64, f64, f64)> {
        let attribute = |tag: &str, name: &str| {
            let start = tag.find(&format!(" {name}=\"")).unwrap() + name.len() + 3;
            tag[start..].split('"').next().unwrap().to_owned()
        };
        let texts = body
            .split("<text")
            .skip(1)
            .map(|rest| rest.split("</text>").next().unwrap());
        texts
            .map(|text| {
                let (tag, content) = text.split_once('>').unwrap();
                let x: f64 = attribute(tag, "x").parse().unwrap();
                let y: f64 = attribute(tag, "y").parse().unwrap();
                let width = text_width(content);
                match attribute(tag, "text-anchor").as_str() {
                    "start" => (x, x + width, y),
                    "end" => (x - width, x, y),
                    _ => (x - width / 2.0, x + width / 2.0, y),
                }
            })
            .collect()
    }

    fn check(max: f64, n_ticks: usize, expect: &[&str]) {
        let labels: Vec<String> = Scale::new(max, n_ticks, 0.0, 100.0)
            .ticks()
            .map(|tick| tick.1)
            .collect();
        assert_eq!(labels, expect);
    }

    #[test]
    fn ticks_are_round_numbers() {
        check(33.8, 4, &["0", "10", "20", "30", "40"]);
        check(0.9, 4, &["0.00", "0.25", "0.50", "0.75", "1.00"]);
        check(0.0, 4, &["0.00", "0.25", "0.50", "0.75", "1.00"]);
        check(f64::NAN, 2, &["0.0", "0.5", "1.0"]);
    }

    #[test]
    fn shortened_text_is_no_wider_than_asked() {
        for text in ["a short one", &"W".repeat(200), "漢字漢字漢字漢字漢字"] {
            assert!(text_width(&shorten(text, 90.0)) <= 90.0 + 1e-9, "{text}");
        }
        assert_eq!(shorten("abc", 90.0), "abc");
    }

    #[test]
    fn escapes_markup() {
        assert_eq!(
            escape(r#"<a b="c">&'"#),
            "&lt;a b=&quot;c&quot;&gt;&amp;&#39;"
        );
    }
}
