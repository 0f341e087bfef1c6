//! The supervisor: has the board for itself, measures each unit in a process of its own, keeps every line on the
//! board's disk until the controller has it, and leaves the board as it was.

pub mod control;
mod holder;
mod lease;
mod lock;
pub mod process;
mod sensors;
pub mod spool;
mod unit;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use bench_protocol::{
    Done, Environment, EnvironmentStep, Message, Note, Reading, RunRequest, UnitEnd, UnitSpec,
    UnitStatus, parse_line,
};

use self::control::{Event, SILENCE};
use self::holder::Holder;
use self::lock::{BoardLock, NotLocked, Purpose};
use self::sensors::Sensors;
use self::spool::Spool;
use self::unit::UnitProcess;
use crate::environment::Board;
use crate::store::Store;
use crate::{affinity, facts};

/// Time between two looks at the sensors, where a CPU is left for it.
const READING_INTERVAL: Duration = Duration::from_secs(1);

/// Time for the controller to say that it has everything.
const ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for the last lines to leave: whoever stopped reading must not keep the program alive.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Names of folders that units run in begin with this.
const SCRATCH: &str = "scratch-";

/// How a supervisor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every unit ended.
    Complete,
    /// Told to stop, left alone, or out of time: some units were not measured.
    CutShort,
    /// Another process has the board.
    Busy,
}

/// Where a supervisor works.
pub struct Places {
    /// Keeps spools and the journal.
    pub store: Store,
    /// Folder of the board program.
    pub program_folder: PathBuf,
    /// Command that measures one unit.
    pub unit_command: Vec<String>,
}

/// Serves one request. `hello` is the stream's first line.
pub fn supervise(request: &RunRequest, hello: &Message, places: &Places) -> Outcome {
    let (sender, events) = channel();
    control::catch_signals(sender.clone());
    let key = spool::key(&request.run_id, &request.host, request.attempt);
    let spool = Spool::open(&places.store, &key, sender.clone());
    spool.say(hello);
    control::listen(sender.clone());
    let mut told = false;
    let mut sign_of_life = Instant::now();
    let waiting = |holder: &Holder| {
        if !told {
            let holder = holder.describe();
            note(&spool, format!("waiting: the board is in use by {holder}"));
            told = true;
        }
        let mut is_wanted = true;
        for event in events.try_iter() {
            match event {
                Event::Beat => sign_of_life = Instant::now(),
                Event::Stop(_) | Event::ControllerGone => is_wanted = false,
                Event::Ack | Event::Line(..) | Event::UnitClosed(_) => {}
            }
        }
        is_wanted && sign_of_life.elapsed() < SILENCE
    };
    let wait = Duration::from_millis(request.wait_ms);
    let lock = match lock::take(Purpose::Measure, wait, waiting) {
        Ok(lock) => lock,
        Err(error) => {
            let text = error.describe();
            spool.say(&Message::Left(Note { text }));
            spool.finish(LAST_WORDS);
            spool.forget();
            return Outcome::Busy;
        }
    };
    let mut supervisor = Supervisor {
        request,
        key,
        places,
        spool,
        sender,
        events,
        lock,
        started: Instant::now(),
        last_sign: Instant::now(),
        end: None,
        acknowledged: false,
        environment: Environment::AsFound,
        board: Board::new(places.store.clone(), Path::new("/")),
        scratch: None,
        n_samples: 0,
    };
    supervisor.serve()
}

/// Puts back what a supervisor before left changed. Returns whether everything is as it was.
///
/// # Errors
/// When somebody measures on this board right now.
pub fn restore(store: Store, wait: Duration, mut say: impl FnMut(Message)) -> Result<bool, String> {
    let lock = lock::take(Purpose::Restore, wait, |_| true);
    let _lock = lock.map_err(|error| match error {
        NotLocked::Busy(_) => format!("{}; it is put back when that run ends", error.describe()),
        NotLocked::Impossible(_) => error.describe(),
    })?;
    let board = Board::new(store, Path::new("/"));
    board.restore(|step| say(Message::Environment(step)));
    Ok(!board.is_changed())
}

struct Supervisor<'a> {
    request: &'a RunRequest,
    /// Names the request's spool.
    key: String,
    places: &'a Places,
    spool: Spool,
    sender: Sender<Event>,
    events: Receiver<Event>,
    lock: BoardLock,
    started: Instant,
    /// When the controller last said something.
    last_sign: Instant,
    /// Why no further unit starts.
    end: Option<End>,
    acknowledged: bool,
    environment: Environment,
    board: Board,
    /// Name of the folder that units run in; `None` where it could not be made, and they run in the store.
    scratch: Option<String>,
    n_samples: u32,
}

/// Why a supervisor ends before its last unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// After the running unit: nobody listens, and the spool keeps it.
    Alone,
    /// At once.
    Stopped(&'static str),
}

impl Supervisor<'_> {
    fn serve(&mut self) -> Outcome {
        let lease = Duration::from_millis(self.request.deadline_ms);
        let left_behind = self.lock.left_behind.take();
        self.lock
            .sign(&self.request.owner, &self.request.run_id, lease);
        if let Some(left_behind) = left_behind {
            self.note(format!(
                "run {} of {} ended without giving the board back",
                left_behind.run_id, left_behind.owner
            ));
        }
        if let Some(problem) = self.spool.problem() {
            self.note(format!(
                "results cannot be kept on the board ({problem}): a lost connection would cost the unit it happens in"
            ));
        }
        self.sweep();
        self.spool.say(&Message::Facts(Box::new(facts::collect())));
        let mut n_ended = 0;
        for (number, unit) in self.request.units.iter().enumerate() {
            self.take_events();
            if self.end.is_some() {
                break;
            }
            self.enter(unit.environment);
            self.measure(number, unit);
            self.spool.sync();
            n_ended += 1;
        }
        self.restore();
        let is_complete =
            n_ended == self.request.units.len() && !matches!(self.end, Some(End::Stopped(_)));
        self.spool.say(&match self.end {
            _ if is_complete => Message::Done(Done {
                n_units: n_ended as u32,
                n_samples: self.n_samples,
            }),
            Some(End::Stopped(why)) => Message::Left(Note {
                text: why.to_string(),
            }),
            _ => Message::Left(Note {
                text: "the controller was gone".to_string(),
            }),
        });
        // In its own store nothing is removed but what is this run's own.
        if let Some(scratch) = &self.scratch {
            self.places.store.remove_folder(scratch);
        }
        self.spool.sync();
        self.wait_for_ack();
        match is_complete {
            true => Outcome::Complete,
            false => Outcome::CutShort,
        }
    }

    fn note(&self, text: String) {
        note(&self.spool, text);
    }

    /// Removes what a power cut or a killed supervisor left: changed settings, processes, folders.
    fn sweep(&mut self) {
        if self.board.is_changed() {
            self.note("settings that a run before left changed are put back".to_string());
            self.restore_settings();
        }
        for pid in process::end_strays(&self.places.program_folder) {
            self.note(format!(
                "process {pid} of a run before was still measuring and was ended"
            ));
        }
        for pid in process::end_marked_strays(self.places.store.path()) {
            self.note(format!(
                "process {pid} of an external program of a run before was ended"
            ));
        }
        for name in self.places.store.names() {
            if name.starts_with(SCRATCH) {
                self.places.store.remove_folder(&name);
            }
        }
        let others = spool::uncollected(&self.places.store);
        let others: Vec<String> = others.into_iter().filter(|key| *key != self.key).collect();
        if !others.is_empty() {
            self.note(format!(
                "the board keeps results that no controller collected: {}; `cargo xtask run --resume RUN` collects them",
                others.join(", ")
            ));
        }
        let scratch = format!("{SCRATCH}{}", std::process::id());
        match self.places.store.make_folder(&scratch) {
            Ok(_) => self.scratch = Some(scratch),
            Err(error) => self.note(format!(
                "no folder for the units ({error}): they run in the store"
            )),
        }
    }

    /// Brings the board into the state that a unit asks for.
    fn enter(&mut self, wanted: Environment) {
        if wanted == self.environment {
            return;
        }
        match wanted {
            Environment::AsFound => self.restore_settings(),
            Environment::Prepared => {
                let say = |step: EnvironmentStep| self.spool.say(&Message::Environment(step));
                self.board.prepare(&self.request.prepare, say);
            }
        }
        self.environment = wanted;
    }

    fn restore(&mut self) {
        if self.board.is_changed() {
            self.restore_settings();
        }
        self.environment = Environment::AsFound;
    }

    fn restore_settings(&self) {
        self.board
            .restore(|step| self.spool.say(&Message::Environment(step)));
    }

    /// Time until the lease ends.
    fn time_left(&self) -> Duration {
        Duration::from_millis(self.request.deadline_ms).saturating_sub(self.started.elapsed())
    }

    fn measure(&mut self, number: usize, unit: &UnitSpec) {
        let used = used_cpus(unit);
        let all = affinity::allowed_cpus();
        let spare: Vec<u32> = all
            .iter()
            .copied()
            .filter(|cpu| !used.contains(cpu))
            .collect();
        let sensors = Sensors::find(Path::new("/"), &all);
        let before = sensors.counters();
        let started = Instant::now();
        let sender = self.sender.clone();
        let store = self.places.store.path();
        let folder = self
            .scratch
            .as_ref()
            .map_or_else(|| store.to_path_buf(), |scratch| store.join(scratch));
        let process = UnitProcess::start(
            &self.places.unit_command,
            &folder,
            (number, unit),
            process::marker(store, number),
            sender,
        );
        let process = match process {
            Ok(process) => process,
            Err(error) => {
                return self.end_unit(
                    unit,
                    UnitStatus::Failed,
                    format!("its process cannot be started: {error}"),
                );
            }
        };
        // After the start: the unit must not inherit it.
        let has_spare = !spare.is_empty() && affinity::pin_to(&spare).is_ok();
        self.read_sensors(&sensors, unit, 0);
        let ending = self.follow((number, unit), started, has_spare.then_some(&sensors));
        let status = match ending {
            Ending::Closed(_) => process.wait(),
            Ending::Cut(_) => process.end(),
        };
        let elapsed_ms = started.elapsed().as_millis() as u64;
        self.read_sensors(&sensors, unit, elapsed_ms);
        let state = sensors.since(&before, unit);
        self.spool.say(&Message::UnitState(state));
        match ending {
            Ending::Closed(Some(mut end)) => {
                // A program that the unit ran may have been ended for it.
                if end.status == UnitStatus::Failed && sensors.ran_out_of_memory(&before) {
                    let reason = end.reason.get_or_insert_default();
                    *reason = format!("{reason}; meanwhile {}", unit::OUT_OF_MEMORY);
                }
                self.spool.say(&Message::UnitEnd(end));
            }
            Ending::Closed(None) => {
                let (status, reason) = unit::died_of(status, sensors.ran_out_of_memory(&before));
                self.end_unit(unit, status, reason);
            }
            Ending::Cut(Some(reason)) => self.end_unit(unit, UnitStatus::Failed, reason),
            // Not the unit's fault: without an end it is measured again when the run goes on.
            Ending::Cut(None) => {}
        }
        let _ = affinity::pin_to(&all);
    }

    /// A board without sensors says nothing.
    fn read_sensors(&self, sensors: &Sensors, unit: &UnitSpec, since_start_ms: u64) {
        let reading = sensors.read(unit, since_start_ms);
        let nothing = Reading {
            unit: unit.unit.clone(),
            round: unit.round,
            since_start_ms,
            ..Reading::default()
        };
        if reading != nothing {
            self.spool.say(&Message::Reading(reading));
        }
    }

    fn end_unit(&self, unit: &UnitSpec, status: UnitStatus, reason: String) {
        self.spool.say(&Message::UnitEnd(UnitEnd {
            unit: unit.unit.clone(),
            round: unit.round,
            status,
            reason: Some(reason),
            unrest: None,
        }));
    }

    /// Passes on what a unit says until it closes its output or has to be ended. Its own word of how it ended is held
    /// back: what the supervisor knows about the unit comes first.
    fn follow(
        &mut self,
        (number, unit): (usize, &UnitSpec),
        started: Instant,
        sensors: Option<&Sensors>,
    ) -> Ending {
        let deadline = Duration::from_millis(unit.deadline_ms);
        let mut end = None;
        let mut next_reading = READING_INTERVAL;
        loop {
            let elapsed = started.elapsed();
            if elapsed >= deadline {
                let reason = format!("took longer than its deadline of {} s", deadline.as_secs());
                return Ending::Cut(Some(reason));
            }
            if self.time_left().is_zero() {
                self.end = Some(End::Stopped("the lease of the board ended"));
            }
            if let Some(End::Stopped(why)) = self.end {
                self.note(format!("unit `{}` was cut off: {why}", unit.unit));
                return Ending::Cut(None);
            }
            if let Some(sensors) = sensors.filter(|_| elapsed >= next_reading) {
                self.read_sensors(sensors, unit, elapsed.as_millis() as u64);
                next_reading = elapsed + READING_INTERVAL;
            }
            let mut wait = (deadline - elapsed).min(self.time_left());
            if sensors.is_some() {
                wait = wait.min(next_reading.saturating_sub(elapsed));
            }
            if self.end.is_none() {
                wait = wait.min(SILENCE.saturating_sub(self.last_sign.elapsed()));
            }
            match self.events.recv_timeout(wait.max(Duration::from_millis(1))) {
                Ok(Event::Line(of, line)) if of == number => match parse(&line) {
                    Some(Message::UnitEnd(said)) if said.unit == unit.unit => end = Some(said),
                    message => {
                        self.n_samples += u32::from(matches!(message, Some(Message::Sample(_))));
                        self.spool.pass(line);
                    }
                },
                Ok(Event::UnitClosed(of)) if of == number => return Ending::Closed(end),
                Ok(event) => self.note_event(event),
                Err(RecvTimeoutError::Timeout) => self.mind_silence(),
                Err(RecvTimeoutError::Disconnected) => return Ending::Closed(end),
            }
        }
    }

    fn note_event(&mut self, event: Event) {
        match event {
            Event::Beat => self.last_sign = Instant::now(),
            Event::Ack => self.acknowledged = true,
            // The first reason counts.
            Event::Stop(why) if !matches!(self.end, Some(End::Stopped(_))) => {
                self.end = Some(End::Stopped(why));
            }
            Event::Stop(_) => {}
            Event::ControllerGone => self.leave_alone(),
            // The last words of a unit that was ended.
            Event::Line(..) | Event::UnitClosed(_) => {}
        }
    }

    fn mind_silence(&mut self) {
        if self.last_sign.elapsed() >= SILENCE {
            self.leave_alone();
        }
    }

    fn leave_alone(&mut self) {
        if self.end.is_none() {
            self.end = Some(End::Alone);
            self.note("the controller is gone: the running unit is finished, its result stays on the board".to_string());
        }
    }

    fn take_events(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.note_event(event);
        }
        if self.end.is_none() {
            self.mind_silence();
        }
        if self.time_left().is_zero() {
            self.end = Some(End::Stopped("the lease of the board ended"));
        }
    }

    /// The spool goes when the controller has everything, and only then.
    fn wait_for_ack(&mut self) {
        let started = Instant::now();
        while !self.acknowledged && self.end != Some(End::Alone) {
            match self
                .events
                .recv_timeout(ACK_TIMEOUT.saturating_sub(started.elapsed()))
            {
                Ok(event) => self.note_event(event),
                Err(_) => break,
            }
        }
        if self.end != Some(End::Alone) {
            self.spool.finish(LAST_WORDS);
        }
        if self.acknowledged {
            self.spool.forget();
        }
    }
}

/// How following a unit ended.
enum Ending {
    /// It closed its output; what it said of its end, if it did.
    Closed(Option<UnitEnd>),
    /// It has to be ended; why, where that is its fault.
    Cut(Option<String>),
}

fn note(spool: &Spool, text: String) {
    spool.say(&Message::Note(Note { text }));
}

fn parse(line: &[u8]) -> Option<Message> {
    parse_line(std::str::from_utf8(line).ok()?).ok()
}

/// Every CPU that a unit may keep busy.
fn used_cpus(unit: &UnitSpec) -> BTreeSet<u32> {
    let background = unit
        .background
        .iter()
        .flat_map(|background| &background.cpus);
    let candidates = unit.candidates.iter().flatten();
    unit.cpus
        .iter()
        .chain(candidates)
        .chain(background)
        .copied()
        .collect()
}
