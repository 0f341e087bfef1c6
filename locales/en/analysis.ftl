# What follows from the figures: verdicts, reasons, limits, answers.

## Verdicts of units

verdict-emulated-reason = run under an emulator: its output was checked, its timings are not meaningful
verdict-no-sample = the unit ended without a sample
verdict-skipped = skipped without a recorded reason
verdict-failed = failed without a recorded reason
verdict-truncated = the stream ended before the first sample of this unit
verdict-not-started = the stream ended before this unit
verdict-unchecked = its output was never checked: the record that the unit was ready is missing
verdict-wrong-output = the output of the kernel differs from the reference: error { $error }, allowed { $tolerance }
verdict-above-bound = { $share } of its bound is impossible
verdict-causes = likely causes, the likeliest first: { $causes }
cause-near-caches = the working set is not much larger than the caches
cause-low-read = the read measurement was disturbed, so the bound is too low
cause-part-cached = part of the working set stayed in a cache
cause-higher-clock = the clock was higher than during the measurement of the peak
cause-dram-raised = the DRAM clock was raised after it was read
cause-memory-entry = the memory in the catalogue (`mt-per-s`, `bus-bits`) is not the memory on the board
cause-counts-operations = the kernel counts operations that it does not execute
cause-counts-bytes = the kernel counts bytes that it does not move
verdict-low-share = only { $share } of theory
verdict-spread = samples spread by { $spread } around the median: another program ran, or the clock changed
verdict-rounds-apart = its rounds differ by { $apart }: the machine itself changes between rounds
verdict-fits-caches = the working set fits the caches: this may not be the rate of the memory
verdict-cut-off = the stream ended in the middle of this unit: it has fewer samples than requested
verdict-ended-badly = the unit ended with an error: { $reason }
no-reason = no reason recorded
cause-no-facts = the board sent no facts to look at
cause-few-cpus = { $n } of { $n_all } CPUs used, and few cores rarely fill the bus
cause-dram-low = the DRAM ran at { $clock }, below its highest clock
cause-governor = the cpufreq governor is `{ $governor }`
cause-virtual-machine = a virtual machine shares the bus with other virtual machines
cause-load = other programs ran (load { $load })
cause-channels = fewer memory channels are populated than the board has
clock-too-coarse = a sample took 0 ns: the clock of the board is too coarse for it
clock-impossible = its samples together took longer than the time that the unit had: the clock of the board or its program is wrong
counts-impossible = a sample counts more bytes or operations than any machine can do: the program of the board is wrong
round-other-work = it did different work than the first round
round-unused = round { $round } is not used: { $reason }
rounds-used = { $n } of { $n_all } rounds

## Disturbances

disturbed-throttled = the board was throttled: { $how }
throttled-counted = { $n ->
    [one] its CPUs counted { $n } thermal throttling event
   *[other] its CPUs counted { $n } thermal throttling events
 }
throttled-firmware = its firmware limited the clock when the unit ended
throttled-firmware-part = its firmware limited the clock for a part of the time
throttled-kernel = its Linux kernel limited clocks because of heat when the unit ended
remedy-throttled = cool it, or use the power supply that its maker names
disturbed-swapped = { $n ->
    [one] the board swapped during the unit ({ $n } page), so part of this is the speed of its disk
   *[other] the board swapped during the unit ({ $n } pages), so part of this is the speed of its disk
 }
remedy-swapped = free memory or take a smaller model
disturbed-quota = { $n ->
    [one] the CPU quota of its container or service stopped it { $n } time
   *[other] the CPU quota of its container or service stopped it { $n } times
 }
remedy-quota = measure without a quota, or with fewer threads
disturbed-load = other programs took { $share } of the CPUs at the same time
remedy-load = stop them, or see `prepare` in the fleet file
disturbed-cpu-clock = the clock of CPU { $cpu } fell to { $lowest }, its highest clock is { $highest }
remedy-cpu-clock = set its governor to `performance`, and look at its temperature
disturbed-memory-clock = the memory ran at { $lowest }, its highest clock is { $highest }
remedy-memory-clock = set `dram-governor: performance` under `prepare` in the fleet file
disturbed-unprepared = the board could not be prepared as the fleet file says: { $setting } { $problem }
disturbed-units = { $n_units ->
    [one] { $n } of { $n_units } unit was disturbed
   *[other] { $n } of { $n_units } units were disturbed
 }: { $cause }. Solve that and measure again; until then these figures prove nothing.
disturbed-on-host = On `{ $host }` { $sentence }
disturbed-hosts = { $n } of { $n_all } hosts were disturbed: { $sentence }
bound-theory = theoretical bandwidth
bound-best-read = best measured read (`{ $unit }`)
bound-peak = highest measured rate of arithmetic (`{ $unit }`)
host-not-analysed = host `{ $host }` could not be analysed, please report this: { $failure }

## Comparisons

pair-not-judged = not judged, because side { $side } was disturbed: { $reason }
pair-runs-left-out = { $n ->
    [one] { $n } disturbed run is left out
   *[other] { $n } disturbed runs are left out
 }: { $reason }
pair-external = an external program measured by itself: it has no samples
pair-unusable = { $verdict }: { $reason }
pair-bad-partner = its partner `{ $unit }` on side { $side } cannot be used
pair-no-partner = no unit of side { $side } measures the same
pair-of-runs = { $reason } ({ $n ->
    [one] run
   *[other] runs
 } { $runs })
pair-differs = { $what }: { $a } on A, { $b } on B
pair-suspect = suspect on { $side }: { $reason }
trait-cpus = CPUs
trait-threads = threads
trait-variant = variant
trait-shape = shape
trait-shape-choice = choice of the shape
shape-forced = forced
shape-tried = the fastest of those tried
trait-working-set = working set
trait-layers = layers held in memory
layers-held = { $n } of { $n_all }
layers-all = all
trait-iteration-bytes = bytes of an iteration

## The words of verdicts

verdict-ok = ok
verdict-suspect = suspect
verdict-invalid = invalid
verdict-emulated = emulated
verdict-not-measured = not measured
pair-other-metric = A counts { $a } and B counts { $b }
pair-few-samples = too few samples for an interval: { $a } and { $b }, at least { $least } are needed on each side
pair-few-runs = too few runs for an interval: { $a } and { $b } measured it, at least { $least } are needed on each side
pair-no-rate = it has samples, but the amount of work of an iteration is unknown, so no rate follows
pair-mixed-metrics = its runs count different quantities
pair-many-looked-at = its interval alone would show a difference, but { $n } pairs were tested
compare-nothing = No unit of one side can be compared with a unit of the other.
compare-no-difference = { $n ->
    [one] No difference is shown in { $n } unit.
   *[other] No difference is shown in any of { $n } units.
 }
compare-not-shown = In { $not_shown } of { $n } units no difference is shown.
compare-differences = Of { $n } units, B is faster in { $faster } and slower in { $slower }; in { $not_shown } no difference is shown.
compare-unconfirmed = { $n ->
    [one] { $n } unit differs
   *[other] { $n } units differ
 } between these two runs; one round on each side cannot confirm that.
compare-not-judged = { $n ->
    [one] { $n } unit is not judged because it was disturbed.
   *[other] { $n } units are not judged because they were disturbed.
 }
compare-basis-samples = The 95 % intervals come from the samples inside one run on each side. Samples of one run share the state of the board, so the intervals do not contain how far two runs of the same board differ, and no difference is confirmed. Measure both sides with `--rounds 3` or more, or several times with `--baseline` and `--against`, to include it.
compare-basis-rounds = Each round counts as one value per unit. The 95 % intervals are Student's t over the rounds of each run, so they contain how far the rounds of a unit differ, but not what changes over days. Units of one round have intervals from their samples, and no difference of these is confirmed.
compare-basis-runs = Each run counts as one value per unit. The 95 % intervals are Student's t over { $n_a } runs on side A and { $n_b } runs on side B, so they contain how far runs of the same board differ.
compare-control = { $n ->
    [one] { $n } pair was tested.
   *[other] { $n } pairs were tested at once.
 } "Faster" and "slower" are given so that on average at most { $share } of them are wrong (false discovery rate after Benjamini and Hochberg), and only where the interval excludes 0. "No difference shown" does not mean that there is none.
compare-subject = { $host }, run { $run }
compare-subject-as-found = { $host }, not prepared, run { $run }
ns-per-load = { $n } ns per load
n-samples = { $n ->
    [one] { $n } sample
   *[other] { $n } samples
 }
samples-of-rounds = { $samples } of { $n } rounds
samples-of-runs = { $samples } of { $n } runs
outcome-faster = faster
outcome-slower = slower
outcome-not-shown = no difference shown
outcome-not-confirmed = not confirmed
outcome-not-judged = not judged
times = { $n } ×

## Theoretical bandwidth of a host

theory-emulator = an emulator has no memory bus
theory-remedy = add `memory:` (`mt-per-s`, `bus-bits`, `source`) or a `board:` to host `{ $host }` in the fleet file
theory-no-cpu-memory = the catalogue has no memory of the CPU for board `{ $board }`
theory-unknown-board = board `{ $board }` is not in the catalogue of this run
theory-no-board-no-facts = the host names no board and sent no facts
theory-firmware-note = the host names no board, and its firmware does not tell the memory speed ({ $note })
theory-firmware-silent = the host names no board, and its firmware does not tell the memory speed
theory-clock-moves = the DRAM clock was { $clock } while the board was idle, and its governor `{ $governor }` changes it with the load; the clock of the data sheet is used
theory-clock-not-held = the DRAM clock was { $clock } while the board was idle, and is not held by a governor; the clock of the data sheet is used
theory-clock-observed = observed DRAM clock, { $clock }
theory-clock-highest = highest DRAM clock that can be chosen, { $clock }
theory-source-observed = { $clock } (`{ $path }`); bus width: { $source }
theory-note-observed = uses the { $clock }, which is below that of the data sheet, for which it would be { $rate }
theory-smbios = SMBIOS, { $devices } on { $channels }
devices = { $n ->
    [one] { $n } device
   *[other] { $n } devices
 }
channels = { $n ->
    [one] { $n } channel
   *[other] { $n } channels
 }
theory-hypervisor = a virtual machine ({ $name }): the hypervisor wrote the table of the firmware
theory-unnamed-slots = { $n ->
    [one] counts a module whose slot names no channel
   *[other] counts each of the { $n } modules whose slots name no channel
 } as a channel of its own; with two modules per channel the figure is twice too high; state `memory:` in the fleet file to be exact

## The state of a host

check-problem = problem
check-note = note
check-hypervisor = a virtual machine ({ $name }): other virtual machines share the memory bus, so figures drift
check-governor = governor `{ $governor }` on CPUs { $cpus }: short samples may run before the clock has risen
check-dram-clock = the DRAM is held at { $clock }, its highest clock is { $highest }
check-heat = the hottest zone is at { $temperature } before the measurement
check-heat-remedy = let it cool down, or improve its cooling
check-voltage-now = the supply voltage is too low now
check-capped-now = the clock is capped now
check-throttled-now = the firmware throttles now
check-soft-limit-now = the soft temperature limit is reached now
check-voltage = the supply voltage was too low since boot
check-capped = the clock was capped since boot
check-throttled = the firmware throttled since boot
check-soft-limit = the soft temperature limit was reached since boot
check-flags-unknown = the firmware reports throttling (flags { $flags })
check-flags = { $words } (flags { $flags })
check-flags-remedy = use the power supply that the maker of the board names, cool the board, then reboot it
check-throttling-unknown = it is unknown whether the firmware throttles: neither `get_throttled` nor the mailbox `/dev/vcio` can be read
check-throttling-unknown-remedy = use the kernel of Raspberry Pi OS, or let the user read `/dev/vcio` (group `video`)
check-quota = a quota lets a container or service use { $used } of { $n_cpus } CPUs at a time: further threads are stopped
check-quota-remedy = measure outside the container, or without `--cpus`, `CPUQuota=` or another limit of CPUs
check-load = other programs run: load { $load } over the last minute
check-load-remedy = stop programs that are not needed (`top` shows them), or wait a minute if they have ended
check-swap = { $used } of swap is in use: pages may come from disk
check-swap-remedy = free memory, then `sudo swapoff -a && sudo swapon -a`
check-ram-limit = a container or service may use { $limit } of { $total } of RAM
check-ram-limit-remedy = measure outside the container, or without its memory limit
check-ram = only { $available } of { $total } of RAM is available
check-ram-remedy = stop services that hold memory: larger models fit then, and the bus is free
check-huge-pages = transparent huge pages are off: walking through memory costs page-table look-ups
host-analysis-failed = memwall failed to analyse the data of this host ({ $failure }); please report this with the host's `stream.jsonl`

## Labels of figures

label-theory = theory
label-measured = measured
label-predicted = predicted
label-imported = imported
label-given = given
label-emulated = emulated
machines = { $n ->
    [one] { $n } machine
   *[other] { $n } machines
 }
figures = { $n ->
    [one] { $n } figure
   *[other] { $n } figures
 }

## Predictions

class-kin = { $family } { $processor }s
class-core-and-memory = { $kin } with { $core } and { $memory }
class-with = { $kin } with { $part }
class-family = { $kin } with { $family } of any kind
class-all = all { $kin }
class-own = shares of its own best read
basis-own = { $n ->
    [one] { $level } interval from { $n } figure of this machine ({ $class }), with the scatter of other machines
   *[other] { $level } interval from { $n } figures of this machine ({ $class }), with the scatter of other machines
 }
basis-and-own = { $n ->
    [one] { $machines } and { $n } figure of the same chip and memory
   *[other] { $machines } and { $n } figures of the same chip and memory
 }
basis-of = { $level } interval from { $machines }: { $class }
basis-floor = not below { $name }, which has the same cores and less bandwidth
basis-measured = { $n ->
    [one] 95 % interval of the median of { $n } sample (`{ $unit }`)
   *[other] 95 % interval of the median of { $n } samples (`{ $unit }`)
 }
calibration = predicted from the others, one by one, { $n_inside } of { $rows } on { $machines } lie in their interval; that is { $coverage } where { $level } is intended (95 % interval { $low } to { $high }); where other figures of the machine are known, { $n_single_inside } of { $n_single } do
no-prediction-class = no prediction: token rates are known of fewer than { $n } machines with { $kin }, and those of other families cannot stand for them
no-prediction-bandwidth = no prediction: a bandwidth alone does not describe a processor
no-prediction-host = no prediction: measure a decode unit on this host, or state its memory (`memory:` or `board:` in the fleet file)

## From theory to tokens

step-theory = theoretical bandwidth
step-given = given bandwidth
step-read = best read
step-kernel = compute limit of the cores
step-bound = bound of this model
step-decode = decoding
culprit-read = memory: controller, DRAM, fabric
culprit-kernel = cores and instruction set
culprit-decode = implementation: attention, norms, waiting threads
bound-from-read = bytes per token and the best read
bound-from-given = bytes per token and the given bandwidth
bound-from-theory = bytes per token and theory
bound-from-cores = bytes per token and the cores
limit-cores = kernel (the cores)
limit-memory = memory
limit-memory-known = memory, of the known limits
limit-memory-given = memory, as given
limit-memory-theory = memory, in theory
source-cached-products = matrix-times-vector kernels on matrices in the caches
source-given = given on the command line
source-theory = { $formula } ({ $source })
source-host-unit = host { $host }, `{ $unit }`
source-free-ram = RAM free on host { $host } before the measurement
source-assumed-system = capacity less { $system } for the system (assumed)
source-quoted = { $rate } ({ $source })
source-file = tensor list of the file
source-architecture = tensor list of the architecture ({ $source })
source-less-embedding = { $tensors }, less an untied embedding table
source-kv = 2 x layers x kv heads x head dimension, { $format } ({ $source })
source-kv-window = 2 x layers x kv heads x head dimension, { $format }; in { $n_layers } of { $n_all } layers a token reads those of the last { $n_tokens } tokens only ({ $source })
fits-with = fits: needs { $needed } of { $usable }
fits-not = does not fit: needs { $needed } of { $usable }
remark-as-given = as given
remark-as-quoted = as quoted ({ $source })
remark-rounded = { $stated }, { $how }, is { $formula } = { $computed }, rounded
remark-differs = { $stated }, { $how }, is { $difference } against { $formula } = { $computed }: it would need { $needed } MT/s on this bus
remark-given-bytes = { $bytes }, as given, is { $difference } against the { $model_bytes } of the tensors of { $model } in { $quant }, of which a token reads { $read }; a file has some megabytes of vocabulary and names more, and may store other types
remark-embedding = a token reads { $read } of the { $file }: it reads one row of the embedding table and all of the rest
bounds-board = board
bounds-model = model
bounds-bandwidth = bandwidth
bounds-file = file
bounds-read = read per token
bounds-kv = KV cache
bounds-kv-per-token = { $bytes } per token of context
bounds-of-file = bound (file)
bounds-of-read = bound (read, depth { $depth })
bounds-in = in { $capacity }
bounds-sources = sources

## Which model to run, and what would help

certainty-sure = sure
certainty-very-likely = very likely ({ $share })
certainty-likely = likely
certainty-unlikely = unlikely
certainty-no = no
remedy-quality = perplexity { $after } over F16 instead of { $before } ({ $model }: { $source })
remedy-quality-unknown = its loss of quality is not published in the catalogue
remedy-quantise = quantise to { $next } instead of { $now }
remedy-quantise-buys = { $speed } tokens/s if only bytes count, { $freed } less RAM; { $quality }
remedy-cache-buys = { $speed } tokens/s at the end of the context if only bytes count, { $freed } less RAM
remedy-kv-format = store keys and values as { $next } instead of { $now }
remedy-context = halve the context to { $n } tokens
remedy-services = stop services and fix the clocks
remedy-unknown-board = data sheets cannot tell: measure a host of this board with `--compare-environment`
remedy-unknown-host = unknown: give the host `prepare` and measure with `--compare-environment`
remedy-prepare = prepare the board as the fleet file says
remedy-prepare-buys = { $n ->
    [one] { $speed } tokens/s (median of { $n } unit of { $n_all } that was clearly faster after it)
   *[other] { $speed } tokens/s (median of { $n } units of { $n_all } that were clearly faster after it)
 }
remedy-bus = keep other programs off the memory bus
remedy-bus-buys = { $speed } for each GB/s that other programs stop reading
remedy-ram = free { $bytes } of RAM
remedy-ram-buys = { $model } in { $quant } would fit, and is likely fast enough
remedy-board = take board { $board } ({ $processor })
remedy-board-rate = { $rate } tokens/s ({ $label })
price = { $usd } US dollars on { $date }
price-unknown = price not in the catalogue

## Power and imported results

power-readings = sensor, while samples were taken
power-counter = energy counter, set-up and check included
import-small-block = not compared: so small a block may be in a cache
import-gpu = a graphics processor took part, and its memory is not compared
import-some-experts = a token reads only some of the experts
import-part = a token reads only a part of the model
import-likely-experts = likely a mixture of experts, of which a token reads a part: its architecture is not in the catalogue

## Facts that may differ between hosts

fact-firmware-board = board, by its firmware
fact-processor = processor
fact-cpu-clocks = CPUs and their highest clocks
fact-governors = CPU governors
fact-instruction-sets = instruction sets
fact-os = operating system
fact-firmware = firmware
fact-virtual-machine = virtual machine
fact-power-mode = power mode
fact-highest-dram-clock = highest DRAM clock
fact-dram-governor = DRAM governor
fact-huge-pages = transparent huge pages
fact-file-systems = file systems
fact-dram-clock = DRAM clock
fact-board-program = board program (start of its SHA-256)
fact-board = board of the catalogue
fact-forced-variant = forced instruction-set variant
fact-forced-shape = forced shape
fact-compiler = compiler
fact-transport = transport
fact-units-throttled = units that were throttled
fact-units-other-load = units disturbed by other programs
fact-units-slow-clocks = units with slow clocks
fact-units-suspect = suspect units
fact-units-invalid = invalid units
fact-load = load before the measurement

## How units and hosts ended

status-ok = ok
status-skipped = skipped
status-failed = failed
status-truncated = cut off
status-not-started = not started
status-unreachable = unreachable
status-interrupted = interrupted
stage-plan = plan
stage-connect = connect
stage-probe = probe
stage-deploy = deploy
stage-facts = facts
stage-measure = measure
stage-collect = collect
stage-restore = restore

## Names

board-and-memory = { $board }, { $memory }
