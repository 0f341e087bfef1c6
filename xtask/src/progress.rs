//! What a person sees while boards are measured: a live line per board on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The lines of all hosts.
pub struct Progress {
    lines: MultiProgress,
    live: bool,
    started: Instant,
    name_width: usize,
}

impl Progress {
    /// For hosts whose longest name has `name_width` characters.
    pub fn new(name_width: usize) -> Progress {
        let live = std::io::stderr().is_terminal();
        Progress {
            lines: MultiProgress::new(),
            live,
            started: Instant::now(),
            name_width,
        }
    }

    /// Adds the line of one host.
    pub fn host(&self, name: &str) -> HostProgress {
        let name = format!("{name:<width$}", width = self.name_width);
        let bar = self.live.then(|| {
            let bar = self.lines.add(ProgressBar::new_spinner());
            let style = ProgressStyle::with_template("{spinner} {prefix}  {wide_msg}");
            bar.set_style(style.expect("the template is a constant"));
            bar.set_prefix(name.clone());
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        HostProgress {
            name,
            bar,
            started: self.started,
        }
    }
}

/// The line of one host.
pub struct HostProgress {
    name: String,
    bar: Option<ProgressBar>,
    started: Instant,
}

impl HostProgress {
    /// Says what happens now.
    pub fn say(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(message.to_string()),
            None => eprintln!(
                "{:7.1} s  {}  {message}",
                self.started.elapsed().as_secs_f64(),
                self.name
            ),
        }
    }

    /// Says how it ended.
    pub fn finish(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.finish_with_message(message.to_string()),
            None => self.say(message),
        }
    }
}
