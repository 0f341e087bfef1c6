# The pages of the history.

## Hosts

last-valid-run = last valid run
no-valid-run = no valid run
history-newest-run = newest run
history-valid-runs = valid runs
history-last-confirmed = last confirmed change
history-hosts-note = Each small line has its own scale. The page of a host has the figures.
history-spark = Best read over { $runs }: { $low } to { $high }
# The age of the last valid run.
history-same-day = on the day of this run
history-days-ago = { $days } ago
history-ago = { $days } ago. { $n ->
    [one] { $n } run since then gave no valid data
   *[other] { $n } runs since then gave no valid data
 }
# Why a run has no valid data of a host.
history-nothing-measured = { $status }, nothing was measured
history-all-invalid = { $status }, but no figure is valid: { $n ->
    [one] { $n } unit is invalid
   *[other] { $n } units are invalid
 }

## In short

history-extent = The history has { $runs } from { $first } to { $last } of { $hosts }. Emulated hosts are left out.
history-all-valid = Every host gave valid data in the newest run.
history-all-some-disturbed = Every host gave data in the newest run, but some of them were disturbed.
history-without-data = { $n ->
    [one] { $n } host has no valid data in the newest run: { $hosts }.
   *[other] { $n } hosts have no valid data in the newest run: { $hosts }.
 }
history-many-without-data = { $n ->
    [one] { $n } host has no valid data in the newest run. The table of hosts names it.
   *[other] { $n } hosts have no valid data in the newest run. The table of hosts names them.
 }
history-changes = { $n ->
    [one] { $n } change is confirmed
   *[other] { $n } changes are confirmed
 } in total, { $n_recent } of the last { $days } days.
history-power-of-one = Three runs confirm a step of { $step } in the only line.
history-power = Three runs confirm a step of { $half } in half of the { $n } lines, and a step of { $all } in all of them.
history-note = A line is interrupted where the state of the host or the board program changed, because the figures before and after it are of different things. A single run that stands out is not a change. A change is confirmed when three runs agree.
history-disturbed = Most units of { $hosts } were disturbed in the newest run. Measure again before you rely on a change.
history-many-disturbed = Most units of { $n } hosts were disturbed in the newest run. Measure again before you rely on a change.
history-host-disturbed = { $n_all ->
    [one] { $n } of { $n_all } unit was disturbed
   *[other] { $n } of { $n_all } units were disturbed
 } in the newest run. Measure again before you rely on a change.
history-left-out = Run `{ $name }` of the history is left out: { $error }. If its run directory still exists, `cargo xtask history --add { $name }` writes it again.

## One host

history-visits = { $runs } from { $first } to { $last }, { $n_valid } with valid data.
history-newest-valid = The newest run gave valid data.
history-last-valid = The last valid run is `{ $run }`, { $age }.
history-never-valid = No run gave valid data.
history-host-in-run = This host in this run
history-of-all-hosts = The history of all hosts
history-link = Lines over the runs, and changes
history-valid-of = { $n_all ->
    [one] { $n } of { $n_all } run with this host gave valid data.
   *[other] { $n } of { $n_all } runs with this host gave valid data.
 }
# Before a change.
history-last-change = The last confirmed change:
history-none-confirmed = No change is confirmed.

## Changes

history-from-to = from, to
history-ratio = ratio
history-other-changes = other changes at the same time
history-no-other-change = none known
history-older-changes = { $n ->
    [one] { $n } older change is left out here. It is on the page of its host.
   *[other] { $n } older changes are left out here. They are on the pages of the hosts.
 }
history-no-change = No line changed by more than the scatter of its runs.
history-passed = Runs that stood out, with a return to the earlier figure
history-changes-note = The first figure is the median of the valid runs since the change before. The second figure is the median of up to seven valid runs after it. Another change at the same time may be the cause, but this is not proven.
history-change = { $date }, { $line }: { $before } to { $after }, { $difference }
standing-confirmed = confirmed
standing-newest = { $n ->
    [one] only the newest run
   *[other] { $n } runs, not yet confirmed
 }
standing-passed = { $n ->
    [one] only { $n } run
   *[other] only { $n } runs
 }

## Causes

cause-board-program = board program
cause-program = { $program } (revision { $revision })
cause-variant = variant
# Between this word and a state of the board: as found, prepared.
cause-measured = measured
cause-as-found = as found
cause-prepared = prepared
cause-state = state of the host
cause-none = none

## Lines and their pictures

line-name = { $name }
line-chains = { $line }, { $n ->
    [one] { $n } chain
   *[other] { $n } chains
 }
line-small-pages = { $line }, small pages
line-pages = { $line }, { $pages } pages
line-suite = { $line } ({ $suite })
line-threads = { $line }, { $n ->
    [one] { $n } thread
   *[other] { $n } threads
 }
chart-streams = Memory bandwidth
chart-products = Matrices times a vector, from memory
chart-decode = Generating tokens
chart-prefill = Reading prompts
chart-latency = Latency
chart-caches = Kernels that stay in the caches
chart-arithmetic = Arithmetic
history-chart-part = { $title }, part { $n } of { $n_all }
history-less-is-better = less is better
history-charts-note = Medians of the samples of each run. Dashed: the environment changed, and new lines begin. Hollow: disturbed or invalid. A triangle at the edge stands for a figure beyond it. The axis need not begin at 0. Each kernel has one line, at its best number of threads.
history-as-table = The figures as a table
history-older-runs = { $n ->
    [one] { $n } older run is only in the picture
   *[other] { $n } older runs are only in the picture
 }
history-line-range = { $line }: { $low } to { $high }, last { $last } on { $date }.
history-line-empty = { $line }: no valid figure.
history-line-unusable = { $n ->
    [one] { $n } figure of it is invalid.
   *[other] { $n } figures of it are invalid.
 }
history-environment-same = The environment did not change.
history-environment-changed = { $n ->
    [one] The environment changed { $n } time.
   *[other] The environment changed { $n } times.
 }

## Runs without valid data

history-column-runs = runs
history-runs-of-day = { $date } ({ $runs })
history-runs-of-days = { $first } to { $last } ({ $runs })
history-older-rows = { $n ->
    [one] { $n } older row is left out.
   *[other] { $n } older rows are left out.
 }
