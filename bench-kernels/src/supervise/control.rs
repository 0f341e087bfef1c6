//! What can happen to a supervisor from outside, as one queue: lines of the controller, its silence, signals.

use std::io::BufRead;
use std::sync::mpsc::Sender;
use std::time::Duration;

use bench_protocol::{CONTROL_ACK, CONTROL_BEAT, CONTROL_STOP};

/// A controller that says nothing for this long is gone: a link that was cut brings no end of file.
pub const SILENCE: Duration = Duration::from_secs(60);

/// What a supervisor has to react to.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The controller is there.
    Beat,
    /// The controller has everything on its disk.
    Ack,
    /// End the unit, put the board back, leave.
    Stop(&'static str),
    /// The connection ended.
    ControllerGone,
    /// A line of the unit of this number.
    Line(usize, Vec<u8>),
    /// The unit of this number closed its output.
    UnitClosed(usize),
}

/// Listens to standard input in a thread of its own, after the request's line was read from it.
pub fn listen(events: Sender<Event>) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let event = match line.as_deref() {
                Ok(CONTROL_BEAT) => Event::Beat,
                Ok(CONTROL_ACK) => Event::Ack,
                Ok(CONTROL_STOP) => Event::Stop("the controller asked to stop"),
                // A line of a later controller.
                Ok(_) => continue,
                Err(_) => break,
            };
            if events.send(event).is_err() {
                return;
            }
        }
        let _ = events.send(Event::ControllerGone);
    });
}

/// Turns the signals that ask a process to end into events: whoever ends the supervisor gets the board back as it was.
pub fn catch_signals(events: Sender<Event>) {
    const SIGNALS: [libc::c_int; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];
    // SAFETY: a signal set is plain data, for which all zeroes is a value.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is valid for writes of its own type; the numbers are signals.
    unsafe {
        libc::sigemptyset(&mut set);
        for signal in SIGNALS {
            libc::sigaddset(&mut set, signal);
        }
        // Blocked in this thread and in all that it starts from now on; the standard library unblocks them in children.
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
    }
    std::thread::spawn(move || {
        let mut signal = 0;
        // Every one of them, in order: a second signal while the board is put back is taken and changes nothing.
        // SAFETY: both are valid for the call; the set holds blocked signals.
        while unsafe { libc::sigwait(&set, &mut signal) } == 0 {
            let _ = events.send(Event::Stop("a signal ended the supervisor"));
        }
    });
}
