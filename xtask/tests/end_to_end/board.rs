//! A board of its own: an sshd in network, process and mount namespaces, with an address, that can lose its cable, its
//! power and its memory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::controller::{self, Outcome};
use crate::sshd::wait_for;

/// A file of the kernel that every network namespace has for itself: what a test changes there changes nothing else.
pub const SETTING: &str = "/proc/sys/net/ipv4/ip_default_ttl";

/// A suite with a unit that ends when a test lets it: between two kernels stands a program that waits for a file, so that
/// a run is still going on when the test does something to it, however slow or fast the machine is.
///
/// `place` is the folder of that file, as the program's shell reads it: each board has its own.
pub fn gated_suite(dir: &Path, place: &str, gate_deadline_s: u32) -> String {
    let program = dir.join("gate.sh");
    let text = format!(
        "#!/bin/sh\n: > \"{place}/at-gate\"\n\
         until [ -e \"{place}/gate-open\" ]; do sleep 0.05; done\necho passed\n"
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let kernel = |name: &str| {
        format!(
            "  - kernel: {name}\n    threads: [1]\n    stream: {{residency: dram, working-set-kib: 16384}}\n    \
             sampling: {{min-samples: 3, max-samples: 5, budget-ms: 100}}\n    deadline-s: 1800\n"
        )
    };
    let suite = format!(
        "description: two kernels and a gate between them\nemulated:\n  working-set-kib: 1024\n  \
         decode-model: qwen2.5-0.5b\n  sampling: {{min-samples: 1, max-samples: 1, budget-ms: 1}}\nunits:\n{}  \
         - kernel: external\n    threads: [1]\n    deadline-s: {gate_deadline_s}\n    \
         external: {{program: '{}', output: text}}\n{}",
        kernel("read"),
        program.display(),
        kernel("copy"),
    );
    let path = dir.join("gated.yaml");
    fs::write(&path, suite).unwrap();
    path.display().to_string()
}

/// The folder of a board's gate.
pub const OF_BOARD: &str = "$HOME/..";

/// The network that controllers and boards of one test share.
pub struct Lab {
    dir: tempfile::TempDir,
    /// Keeps the controllers' namespace alive.
    holder: Child,
    n_boards: std::cell::Cell<u32>,
}

impl Lab {
    /// A new one; `None`, with a word about it, where namespaces are not allowed.
    pub fn new() -> Option<Lab> {
        let holder = Command::new("unshare")
            .args([
                "--net",
                "sh",
                "-c",
                "ip link set lo up && echo up && exec sleep 3600",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut holder = holder.expect("util-linux has `unshare`");
        let mut word = String::new();
        let mut stdout = std::io::BufReader::new(holder.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut word).unwrap();
        if word.trim() != "up" {
            let _ = holder.wait();
            eprintln!(
                "NOT TESTED: network namespaces are not allowed here (root, util-linux and iproute2 are needed)"
            );
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        Some(Lab {
            dir,
            holder,
            n_boards: std::cell::Cell::new(0),
        })
    }

    /// Folder of everything this test makes.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A command in the controllers' network.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args([
            "--net",
            "--target",
            &self.holder.id().to_string(),
            "--",
            program,
        ]);
        command
    }

    fn ip(&self, args: &str) {
        run(self.command("ip").args(args.split(' ')));
    }

    /// Starts a run over all of `fleet`.
    pub fn start(&self, fleet: &str, args: &[&str]) -> Child {
        let mut command = self.command(env!("CARGO_BIN_EXE_xtask"));
        controller::spawn(&mut command, self.dir(), fleet, args)
    }

    /// A whole run over all of `fleet`.
    pub fn run(&self, fleet: &str, args: &[&str]) -> Outcome {
        let child = self.start(fleet, args);
        controller::finish(self.dir(), child)
    }

    /// Any other command of the controller; its exit code and what it said.
    pub fn xtask(&self, args: &[&str]) -> (i32, String) {
        let output = self
            .command(env!("CARGO_BIN_EXE_xtask"))
            .args(args)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// What is odd about a board.
#[derive(Default, Clone, Copy)]
pub struct Oddities {
    /// Shell commands that are run as root before its sshd starts, with `$HOME` its home.
    pub before_sshd: &'static str,
    /// What its login puts before every command.
    pub login: &'static str,
}

/// One board.
pub struct Board<'a> {
    lab: &'a Lab,
    name: String,
    number: u32,
    oddities: Oddities,
    /// `unshare`, and the first process of the board.
    running: Option<(Child, u32)>,
}

impl<'a> Board<'a> {
    /// Starts a board.
    pub fn up(lab: &'a Lab, name: &str, oddities: Oddities) -> Board<'a> {
        let number = lab.n_boards.get() + 1;
        lab.n_boards.set(number);
        let mut board = Board {
            lab,
            name: name.to_string(),
            number,
            oddities,
            running: None,
        };
        let dir = board.dir();
        fs::create_dir_all(dir.join("home")).unwrap();
        let _ = fs::create_dir_all("/run/sshd");
        for key in ["hostkey", "user"] {
            let args = ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"];
            run(Command::new("ssh-keygen").args(args).arg(dir.join(key)));
        }
        fs::copy(dir.join("user.pub"), dir.join("authorized_keys")).unwrap();
        let address = board.address();
        let key = fs::read_to_string(dir.join("hostkey.pub")).unwrap();
        fs::write(dir.join("known_hosts"), format!("{address} {key}")).unwrap();
        fs::write(
            dir.join("ssh_config"),
            "Host *\n  IdentitiesOnly yes\n  IdentityAgent none\n",
        )
        .unwrap();
        let d = dir.display();
        let login = format!(
            "export HOME='{d}/home'; unset XDG_CACHE_HOME; cd \"$HOME\"\nexec {} sh -c \"$SSH_ORIGINAL_COMMAND\"\n",
            oddities.login
        );
        fs::write(dir.join("login"), login).unwrap();
        let config = format!(
            "Port 22\nListenAddress {address}\nHostKey {d}/hostkey\nPidFile none\nAuthorizedKeysFile {d}/authorized_keys\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUseDNS no\n\
             PermitRootLogin prohibit-password\nPrintMotd no\nForceCommand exec sh {d}/login\n"
        );
        fs::write(dir.join("sshd_config"), config).unwrap();
        board.power_on();
        board
    }

    /// Gives it power: a new boot with the same disk.
    pub fn power_on(&mut self) {
        let dir = self.dir();
        let d = dir.display();
        let boot = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
        fs::write(dir.join("boot_id"), boot).unwrap();
        let log = dir.join("sshd.log");
        let _ = fs::remove_file(&log);
        let script = format!(
            "export HOME={d}/home; mount -t tmpfs none /dev/shm; mount --bind {d}/boot_id /proc/sys/kernel/random/boot_id\n\
             {}\nuntil ip -4 addr show eth0 2>/dev/null | grep -q inet; do sleep 0.02; done\n\
             exec /usr/sbin/sshd -D -e -f {d}/sshd_config 2>{d}/sshd.log\n",
            self.oddities.before_sshd
        );
        let child = Command::new("unshare")
            .args([
                "--net",
                "--mount",
                "--pid",
                "--fork",
                "--mount-proc",
                "--kill-child",
                "sh",
                "-c",
                &script,
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.join("start.log")).unwrap())
            .spawn()
            .unwrap();
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let first = || {
            fs::read_to_string(&children)
                .ok()?
                .trim()
                .parse::<u32>()
                .ok()
        };
        wait_for("the board has a first process", || first().is_some());
        let init = first().unwrap();
        let (link, n) = (self.link(), self.number);
        self.lab.ip(&format!(
            "link add {link} type veth peer name eth0 netns {init}"
        ));
        self.lab.ip(&format!("addr add 10.77.{n}.1/24 dev {link}"));
        self.lab.ip(&format!("link set {link} up"));
        for args in [
            "link set lo up",
            "link set eth0 up",
            &format!("addr add 10.77.{n}.2/24 dev eth0"),
        ] {
            let target = init.to_string();
            run(Command::new("nsenter")
                .args(["--net", "--target", &target, "--", "ip"])
                .args(args.split(' ')));
        }
        self.running = Some((child, init));
        wait_for("the board's sshd listens", || {
            fs::read_to_string(&log).is_ok_and(|text| text.contains("Server listening"))
        });
    }

    /// Takes its power away: nothing on it gets a last word.
    pub fn power_off(&mut self) {
        if let Some((mut child, init)) = self.running.take() {
            signal("-KILL", init);
            let _ = child.wait();
            // The link goes with the namespace, a moment later.
            let link = self.link();
            wait_for("the link is gone", || {
                let mut show = self.lab.command("ip");
                let status = show
                    .args(["link", "show", &link])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status();
                !status.unwrap().success()
            });
        }
    }

    /// Pulls the cable out, or plugs it in.
    pub fn set_cable(&self, is_in: bool) {
        let state = if is_in { "up" } else { "down" };
        self.lab.ip(&format!("link set {} {state}", self.link()));
    }

    /// Name of its cable on the controllers' side.
    pub fn link(&self) -> String {
        format!("cable{}", self.number)
    }

    /// Its address.
    pub fn address(&self) -> String {
        format!("10.77.{}.2", self.number)
    }

    /// Folder of its files.
    pub fn dir(&self) -> PathBuf {
        self.lab.dir().join(&self.name)
    }

    /// Where its program and what it keeps lie.
    pub fn store(&self) -> PathBuf {
        let id = String::from_utf8(run(Command::new("id").arg("-u"))).unwrap();
        self.dir()
            .join("home/.cache")
            .join(format!("memwall-{}", id.trim()))
    }

    /// Id of its first process.
    pub fn init(&self) -> u32 {
        self.running.as_ref().expect("the board is on").1
    }

    /// A command on the board.
    pub fn shell(&self, script: &str) -> String {
        let target = self.init().to_string();
        let args = [
            "--net", "--mount", "--pid", "--target", &target, "--", "sh", "-c", script,
        ];
        String::from_utf8_lossy(&run(Command::new("nsenter").args(args))).into_owned()
    }

    /// The host's entry in a fleet file, with [`SETTING`] changed while it measures.
    pub fn entry(&self) -> String {
        self.entry_at(&self.address(), 22)
    }

    /// As [`Board::entry`], reached elsewhere.
    pub fn entry_at(&self, address: &str, port: u16) -> String {
        let (name, d) = (&self.name, self.dir().display().to_string());
        format!(
            "  {name}:\n    transport: ssh\n    address: {address}\n    port: {port}\n    user: root\n    identity-file: {d}/user\n    \
             known-hosts: {d}/known_hosts\n    config-file: {d}/ssh_config\n    prepare: {{settings: {{{SETTING}: 65}}}}\n"
        )
    }

    /// Board programs that run on it by the mode they run in, as ids outside of it.
    pub fn programs(&self, mode: &str) -> Vec<u32> {
        let store = self.store().display().to_string();
        let ids = fs::read_dir("/proc").unwrap().flatten();
        let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let runs = |id: &u32| {
            let words = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let words: Vec<String> = words
                .split(|byte| *byte == 0)
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect();
            words.first().is_some_and(|word| word.starts_with(&store))
                && words
                    .get(1)
                    .is_some_and(|word| mode.is_empty() || word == mode)
        };
        ids.filter(runs).collect()
    }

    /// Whether a unit of it waits at the gate of [`gated_suite`].
    pub fn is_at_gate(&self) -> bool {
        self.dir().join("at-gate").exists()
    }

    /// Lets units through the gate, from now on.
    pub fn open_gate(&self) {
        fs::write(self.dir().join("gate-open"), "").unwrap();
    }

    /// Value of [`SETTING`].
    pub fn setting(&self) -> String {
        self.shell(&format!("cat {SETTING}")).trim().to_string()
    }

    /// Fails unless the board is as it was before: the setting, no process, no folder, nothing to put back.
    pub fn expect_as_before(&self) {
        wait_for("no program is left on the board", || {
            self.programs("").is_empty()
        });
        assert_eq!(self.setting(), "64", "{} is not put back", self.name);
        let left: Vec<String> = fs::read_dir(self.store())
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("scratch-") || name.starts_with("journal"))
            .collect();
        assert!(left.is_empty(), "{}: {left:?} is left behind", self.name);
    }

    /// Results that the board keeps because no controller has them.
    pub fn kept(&self) -> usize {
        let entries = fs::read_dir(self.store()).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("spool-"))
            .count()
    }
}

impl Drop for Board<'_> {
    fn drop(&mut self) {
        if let Some((mut child, init)) = self.running.take() {
            signal("-KILL", init);
            let _ = child.wait();
        }
    }
}

/// Sends a signal through the shell's own command: the program of that name is not on every Debian.
pub fn signal(signal: &str, id: u32) {
    let command = format!("kill {signal} {id}");
    let _ = Command::new("sh")
        .args(["-c", &command])
        .stderr(Stdio::null())
        .status();
}

/// Runs a command that has to succeed.
pub fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Makes a link slow and lossy: 80 ms of delay and 5 % of loss where the kernel has `netem`, else a slow queue, and a
/// firewall on the board that drops every twentieth packet each way.
pub fn spoil(lab: &Lab, board: &Board) {
    let tc = |settings: &str| {
        let args = format!("qdisc add dev {} root {settings}", board.link());
        lab.command("tc")
            .args(args.split(' '))
            .output()
            .unwrap()
            .status
            .success()
    };
    if tc("netem delay 80ms loss 5%") {
        return;
    }
    assert!(
        tc("tbf rate 20mbit burst 32kb latency 400ms"),
        "no slow link here"
    );
    let rules = "add table inet t; add chain inet t i { type filter hook input priority 0; }; \
                 add chain inet t o { type filter hook output priority 0; }; \
                 add rule inet t i numgen random mod 20 0 drop; add rule inet t o numgen random mod 20 0 drop";
    board.shell(&format!("nft '{rules}'"));
}

/// A control group with little memory.
pub struct MemoryLimit(PathBuf);

impl MemoryLimit {
    /// Puts a process and what it will start into one; `None` where that is not possible.
    pub fn of(process: u32, bytes: u64) -> Option<MemoryLimit> {
        let places = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        places.into_iter().find_map(|(root, file)| {
            let group = Path::new(root).join(format!("memwall-test-{process}"));
            fs::create_dir(&group).ok()?;
            let limit = MemoryLimit(group);
            fs::write(limit.0.join(file), bytes.to_string()).ok()?;
            // Swap would only make it slow.
            let _ = fs::write(limit.0.join("memory.swap.max"), "0");
            fs::write(limit.0.join("cgroup.procs"), process.to_string()).ok()?;
            Some(limit)
        })
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // Its processes end a moment after the board's power.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            let _ = Command::new("sleep").arg("0.02").status();
        }
    }
}
