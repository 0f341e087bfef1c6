//! What a person sees while boards are measured: a live line per board on a terminal, plain lines elsewhere. Programs
//! see the same as events.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bench_protocol::Message;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::events::{Event, Events};
use crate::out::text;

/// The lines of all hosts.
pub struct Progress {
    lines: MultiProgress,
    form: Form,
    started: Instant,
    name_width: usize,
    events: Arc<Events>,
    out: Out,
}

/// Where lines go: standard error.
type Out = Arc<Mutex<dyn Write + Send>>;

/// How standard error is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A line per host that changes in place.
    Live,
    /// A line per message, with its time.
    Plain,
    /// Not at all: events go there.
    Silent,
}

impl Progress {
    /// For hosts whose longest name has `name_width` characters.
    pub fn new(name_width: usize, events: Arc<Events>) -> Progress {
        let form = match (events.are_on_stderr(), std::io::stderr().is_terminal()) {
            (true, _) => Form::Silent,
            (false, true) => Form::Live,
            (false, false) => Form::Plain,
        };
        Progress::of(
            form,
            name_width,
            events,
            Arc::new(Mutex::new(std::io::stderr())),
        )
    }

    /// A line per message, with its time, somewhere else.
    #[cfg(test)]
    pub fn plain(events: Arc<Events>, out: Out) -> Progress {
        Progress::of(Form::Plain, 0, events, out)
    }

    fn of(form: Form, name_width: usize, events: Arc<Events>, out: Out) -> Progress {
        Progress {
            lines: MultiProgress::new(),
            form,
            started: Instant::now(),
            name_width,
            events,
            out,
        }
    }

    /// Adds the line of one host.
    pub fn host(&self, host: &str) -> HostProgress {
        let name = format!("{host:<width$}", width = self.name_width);
        let bar = (self.form == Form::Live).then(|| {
            let bar = self.lines.add(ProgressBar::new_spinner());
            let style = ProgressStyle::with_template("{spinner} {prefix}  {wide_msg}");
            bar.set_style(style.expect("the template is a constant"));
            bar.set_prefix(name.clone());
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        HostProgress {
            host: host.to_owned(),
            name,
            bar,
            form: self.form,
            started: self.started,
            events: Arc::clone(&self.events),
            out: Arc::clone(&self.out),
        }
    }
}

/// The line of one host.
pub struct HostProgress {
    host: String,
    /// The host's name, as wide as all names.
    name: String,
    bar: Option<ProgressBar>,
    form: Form,
    started: Instant,
    events: Arc<Events>,
    out: Out,
}

impl HostProgress {
    /// Says what happens now.
    pub fn say(&self, message: &str) {
        // Whatever the message is made of: one line, and nothing that a terminal obeys.
        let message = bench_protocol::foreign(message);
        match &self.bar {
            Some(bar) => bar.set_message(message),
            None if self.form == Form::Silent => {}
            None => {
                let seconds = format!("{:7.1}", self.started.elapsed().as_secs_f64());
                let line = format!("{} s  {}  {message}\n", text().digits(&seconds), self.name);
                let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
                // One system call for a line: all hosts wait for the lock. Standard error may be closed.
                let _ = out.write_all(line.as_bytes());
            }
        }
    }

    /// Tells programs that a stage is over.
    pub fn stage(&self, stage: &str, stage_s: f64) {
        self.events.emit(&Event::HostStage {
            host: &self.host,
            stage,
            stage_s,
        });
    }

    /// Tells programs what the stream says.
    pub fn message(&self, message: &Message) {
        self.events.message(&self.host, message);
    }

    /// Says how it ended.
    pub fn finish(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.finish_with_message(message.to_string()),
            None => self.say(message),
        }
    }
}
