#!/usr/bin/env python3
"""Times the controller itself on this machine: what a run costs beside measuring, with one host and with many.

Measures the debug build of xtask, which is what `cargo xtask` runs, called directly. Many hosts are played from one
recorded stream (transport `replay`), so that nothing else than the controller works. Also needs an SSH server.

    cargo build -p xtask
    python3 benchmarks/scale.py --work DIR [--hosts N] [--rounds N] [--seconds N] [--skip-one] [--skip-many]
"""

import argparse
import getpass
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
XTASK = ROOT / "target" / "debug" / "xtask"


def spread(values, digits=2):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


class Sshd:
    """A private SSH server on loopback with keys and a home of its own."""

    def __init__(self, folder):
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "home").mkdir(parents=True)
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        for key in ("hostkey", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", folder / key], check=True)
        shutil.copy(folder / "user.pub", folder / "authorized_keys")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (folder / "login").write_text(
            f"export HOME='{folder}/home'; unset XDG_CACHE_HOME; cd \"$HOME\"\nexec sh -c \"$SSH_ORIGINAL_COMMAND\"\n")
        (folder / "sshd_config").write_text(f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey "{folder}/hostkey"
PidFile "{folder}/pid"
AuthorizedKeysFile "{folder}/authorized_keys"
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
PermitRootLogin prohibit-password
PrintMotd no
ForceCommand exec sh "{folder}/login"
""")
        (folder / "ssh_config").write_text("Host *\n  IdentitiesOnly yes\n  IdentityAgent none\n")
        key = (folder / "hostkey.pub").read_text()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {key}")
        program = next(path for path in ("/usr/sbin/sshd", "/usr/bin/sshd") if os.path.exists(path))
        with open(folder / "sshd.log", "w") as log:
            self.process = subprocess.Popen([program, "-D", "-e", "-f", folder / "sshd_config"], stderr=log)
        until = time.monotonic() + 10
        while "Server listening" not in (folder / "sshd.log").read_text():
            if time.monotonic() > until:
                raise SystemExit("sshd does not listen")
            time.sleep(0.01)

    def entry(self):
        return {"transport": "ssh", "address": "127.0.0.1", "port": self.port, "user": getpass.getuser(),
                "identity-file": f"{self.folder}/user", "known-hosts": f"{self.folder}/known_hosts",
                "config-file": f"{self.folder}/ssh_config"}

    def end(self):
        self.process.terminate()
        self.process.wait()


class Outcome:
    """A call of xtask: its wall time, its largest resident memory and its events."""

    def __init__(self, work, *args):
        events = work / "events.jsonl"
        command = [XTASK, *args, "--format", "json", "--events", events]
        with open(work / "stdout", "w") as out, open(work / "stderr", "w") as err:
            started = time.monotonic()
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
            # The controller's own memory, without the programs that it starts; the mark only rises.
            marks = []
            watching = threading.Thread(target=watch_memory, args=(process.pid, started, marks))
            watching.start()
            code = process.wait()
            self.wall_s = time.monotonic() - started
            watching.join()
        if code != 0:
            raise SystemExit(f"xtask {args}: {code}\n{(work / 'stderr').read_text()[-2000:]}")
        self.run_dir = pathlib.Path(json.loads((work / "stdout").read_text())["run_dir"])
        at = {}
        for event in messages(events):
            at[event["event"]] = event["seconds"]
        # Until the programs are built and the run directory is there; until the last host ended; until the report is.
        self.started_s = at["run_started"]
        self.measured_s = at.get("host_finished", self.started_s)
        self.reported_s = at["run_finished"]
        self.peak_mb = marks[-1][1]
        self.peak_measuring_mb = max((mb for at_s, mb in marks if at_s <= self.measured_s), default=0.0)


def watch_memory(pid, started, marks):
    """Reads the high-water mark of resident memory every 20 ms until the process has ended. MB of 10^6 bytes."""
    while True:
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        if not found:
            return
        marks.append((time.monotonic() - started, int(found.group(1)) * 1024 / 1e6))
        time.sleep(0.02)


def fleet(work, name, hosts):
    # JSON is YAML.
    lines = [f"  {json.dumps(host)}: {json.dumps(entry)}\n" for host, entry in hosts.items()]
    path = work / f"{name}.yaml"
    path.write_text("hosts:\n" + "".join(lines))
    return path


def run(work, fleet_file, suite, *args):
    runs = work / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    return Outcome(work, "run", "--all-boards", "--fleet", fleet_file, "--suite", suite, "--runs-dir", runs, *args)


def resume(work, outcome):
    return Outcome(work, "run", "--resume", outcome.run_dir)


def messages(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def split(outcome, host):
    """Where the wall time of a run with one host went beside its units, by the supervisor's clock. Seconds."""
    host_dir = outcome.run_dir / "hosts" / host
    stages = json.loads((host_dir / "host.json").read_text())["stage_s"]
    units = [it for it in messages(host_dir / "stream.jsonl") if it["type"] == "unit_state"]
    units_s = sum(it["elapsed_ms"] for it in units) / 1000
    parts = {"build check, run directory": outcome.started_s}
    parts |= {stage: stages.get(stage, 0.0) for stage in ("connect", "probe", "deploy", "facts")}
    parts["measure, beside the units"] = stages["measure"] - units_s
    parts["report"] = outcome.reported_s - outcome.measured_s
    all_s = outcome.wall_s - units_s
    parts["the rest"] = all_s - sum(parts.values())
    parts["**all**"] = all_s
    return parts


def one_host(work, rounds):
    sshd = Sshd(work / "sshd")
    try:
        entries = {"local": {"transport": "local"}, "ssh": sshd.entry()}
        fleets = {name: fleet(work, name, {name: entry}) for name, entry in entries.items()}
        taken = {name: [] for name in entries}
        resumed = {name: [] for name in entries}
        for round_idx in range(rounds + 1):
            for name, file in fleets.items():
                outcome = run(work, file, "smoke")
                again_s = resume(work, outcome).wall_s
                # The first round brings the program to the host.
                if round_idx > 0:
                    taken[name].append(split(outcome, name))
                    resumed[name].append(again_s)
    finally:
        sshd.end()
    print("\n| one host, seconds beside its units | local | ssh |\n|---|--:|--:|")
    for part in taken["local"][0]:
        cells = [spread([parts[part] for parts in taken[name]]) for name in entries]
        print(f"| {part} | {' | '.join(cells)} |")
    cells = [spread(resumed[name]) for name in entries]
    print(f"| `run --resume` with nothing left | {' | '.join(cells)} |", flush=True)


def recording(work):
    """The stream of one quick suite on this machine."""
    path = work / "recorded.jsonl"
    if not path.exists():
        outcome = run(work, fleet(work, "recorded", {"here": {"transport": "local"}}), "quick")
        shutil.copy(outcome.run_dir / "hosts" / "here" / "stream.jsonl", path)
    return path.resolve()


def many_hosts(work, rounds, n_hosts, seconds):
    stream = recording(work)
    n_lines = len(stream.read_text().splitlines())
    print(f"\n{n_hosts} hosts that each play {n_lines} messages, {stream.stat().st_size / 1e3:.0f} kB, in {seconds} s")
    entry = {"transport": "replay", "stream": str(stream), "seconds": seconds}
    file = fleet(work, "many", {f"host-{idx:03}": entry for idx in range(n_hosts)})
    head = ["hosts at once", "measuring, s", "over ideal", "peak while measuring, MB", "report, s", "peak in all, MB",
            "all, s", "resume, s"]
    print(f"| {' | '.join(head)} |\n|{'--:|' * len(head)}")
    for n_parallel in (20, n_hosts):
        ideal_s = n_hosts / n_parallel * seconds
        outcomes, resumed = [], []
        for _ in range(rounds):
            outcomes.append(run(work, file, "quick", "--max-parallel", str(n_parallel)))
            resumed.append(resume(work, outcomes[-1]).wall_s)
        measuring = [it.measured_s - it.started_s for it in outcomes]
        cells = [str(n_parallel), spread(measuring), spread([s / ideal_s for s in measuring]),
                 spread([it.peak_measuring_mb for it in outcomes], 0),
                 spread([it.reported_s - it.measured_s for it in outcomes]), spread([it.peak_mb for it in outcomes], 0),
                 spread([it.wall_s for it in outcomes]), spread(resumed)]
        print(f"| {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--skip-one", action="store_true")
    parser.add_argument("--skip-many", action="store_true")
    args = parser.parse_args()
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    # What the controller checks on every run is not to be compiled within the first.
    subprocess.run([XTASK, "build"], cwd=ROOT, check=True, capture_output=True)
    if not args.skip_one:
        one_host(work, args.rounds)
    if not args.skip_many:
        many_hosts(work, args.rounds, args.hosts, args.seconds)


if __name__ == "__main__":
    main()
