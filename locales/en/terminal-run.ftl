# What the commands that plan, measure and prepare hosts print.

## run

run-interrupted = interrupted: memwall keeps the measured data; a second signal ends the program at once
run-host-error = host `{ $host }`: { $error }
run-host-left-out = host `{ $host }` is left out: { $error }
run-task-ended = the task of a host ended unexpectedly: { $error }
run-waiting = waiting for its turn
run-host-done = { $n ->
    [one] { $n } unit measured, { $n_skipped } skipped
   *[other] { $n } units measured, { $n_skipped } skipped
 }
run-host-ended = { $status }: { $reason }
run-stage = stage
run-empty-shard = { $n ->
    [one] the only host of the plan does not belong to shard { $shard }
   *[other] none of the { $n } hosts of the plan belongs to shard { $shard }
 }
run-left-out = { $n ->
    [one] host `{ $host }`: { $n } unit did not fit into the time budget of { $budget } s: { $units }
   *[other] host `{ $host }`: { $n } units did not fit into the time budget of { $budget } s: { $units }
 }
# A unit of which some rounds were left out.
run-rounds-left-out = { $unit } ({ $n } of { $n_all } rounds)
run-report = report: { $path }

## plan

plan-rounds = rounds
plan-sampling = sampling
plan-best-of = { $n ->
    [one] { $n } set
   *[other] best of { $n } sets
 }
plan-all-units = all units
# In the column of CPUs.
plan-assumed-cpus = { $n } assumed
plan-external = host `{ $host }`: unit `{ $unit }` runs the program { $program }
plan-left-out = { $n ->
    [one] host `{ $host }`: { $n } unit does not fit into the time budget of { $budget } s: { $units }
   *[other] host `{ $host }`: { $n } units do not fit into the time budget of { $budget } s: { $units }
 }
plan-setting = host `{ $host }`: during the measurement { $path } is set to `{ $value }`
plan-power-mode = host `{ $host }`: during the measurement the power mode is set to `{ $value }`
plan-cpu-governor = host `{ $host }`: during the measurement the CPU governor is set to `{ $value }`
plan-dram-governor = host `{ $host }`: during the measurement the DRAM governor is set to `{ $value }`
plan-service = host `{ $host }`: during the measurement the service { $service } is stopped
plan-other-processes = host `{ $host }`: during the measurement all other processes are confined to CPUs { $cpus }
plan-page-cache = host `{ $host }`: the page cache is dropped for the measurement
plan-model = model `{ $model }`: the exact tensors of its file are measured; emulated hosts measure the small model of the suite
plan-program = board program for { $target }: { $n } bytes, SHA-256 { $sha }
plan-host-time = host `{ $host }`: about { $time }
plan-time = all hosts: about { $seconds } s
plan-hash = plan { $hash }

## doctor

doctor-ok = memwall found nothing that would disturb a measurement

## restore

restore-nothing = no setting was left changed

## build

build-target = target
build-path = path

## add

add-facts = the machine answers: { $model }, { $arch }, { $n ->
    [one] { $n } CPU
   *[other] { $n } CPUs
 }, RAM { $ram }, { $os }; kernel variants that it can run: { $variants }
add-no-model = unnamed machine
add-no-os = unknown operating system
add-board = board `{ $board }`: { $reasons }
add-no-board = no matching board in the catalogue: { $reasons }. Name the board with `--board BOARD`: memwall needs it to compute the theoretical bandwidth.
add-done = host `{ $host }` is in `{ $path }`; measure it with `cargo xtask run --board { $host }`
add-no-name = the machine reports neither its model nor its processor
add-unknown-name = the machine reports the name `{ $name }`, and no board of the catalogue has this name
add-name = the machine reports the name `{ $name }`
add-ram = { $shown } of RAM match the size of { $size }
add-other-ram = the name matches `{ $board }`, but { $shown } of RAM match none of its sizes: { $sizes }
add-more-cpus = the name matches `{ $board }`, but the machine has { $n ->
    [one] { $n } CPU
   *[other] { $n } CPUs
 } and `{ $board }` has { $n_board }
add-cpus = { $n } of { $n_board } CPUs of the board are present

## trust

trust-same-key = host `{ $host }` still shows its pinned key: { $fingerprint }
trust-old-key = the pinned key of host `{ $host }` was { $kind } { $fingerprint }
trust-no-key = host `{ $host }` has no pinned key
trust-new-key = the pinned key of host `{ $host }` is now { $kind } { $fingerprint }

## Progress of a host

progress-same-machine = waiting for another host on the same machine
progress-again = { $cause }; trying again
progress-connecting = connecting
progress-deploying = deploying
progress-facts = asking for facts
progress-collecting = collecting the results that the board kept
progress-output = { $at }/{ $n } { $unit } ended after { $time }
progress-more-notes = further notes of this host are kept and not shown
progress-two-groups = samples of { $unit } fall into two groups, { $share } of them { $faster } times as fast as the rest: another program ran, or the clock changed
progress-drift = samples of { $unit } drift, the faster half { $faster } times as fast as the slower: another program ran, or the clock changed

## Keys of hosts

key-shown = `{ $host }` shows the key { $kind } { $fingerprint }
key-compare = compare it with the key on the board itself: ssh-keygen -lf /etc/ssh/ssh_host_{ $kind }_key.pub
key-question = Is it the same? Type yes to trust it:
key-yes = yes
build-adding-target = adding the Rust target `{ $target }`
