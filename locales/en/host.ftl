# The page of a host.

## What other traffic costs

interference-intro = Other programs use the same bus. Here the cores that the model does not use read memory at increasing rates. Read from right to left, this is what closing other programs gains.
interference-title = { $model }, { $threads }, { $readers } at the same time
interference-chart = Tokens per second while other cores read, { $title }
interference-chart-text = To the right, other cores read more; lower down, fewer tokens per second are left.
interference-axis = GB/s read by the other cores at the same time
interference-cost = Each GB/s that other cores read costs { $cost }.
interference-no-cost = The reading of other cores costs nothing that stands out from the scatter of these figures.
interference-most = At most they read { $traffic }; the speed was { $loaded } then and { $quiet } on a quiet bus.
interference-most-of = At most they read { $traffic } ({ $alone } when they run alone); the speed was { $loaded } then and { $quiet } on a quiet bus.
interference-others-read = other cores read
interference-of-quiet = of the quiet bus

## From memory to tokens

chain-intro = Each step can only lose speed, and each loss has its own cause. The rate of the cores is measured with the same weight format in the caches: on the same CPUs, or on as many other CPUs where these lack that measurement. Of several thread counts the fastest is shown; the table of units has all of them.
chain-chart = Bound chain of { $what }
chain-chart-text = From top to bottom: theoretical bandwidth, best measured read, compute limit of the cores, the resulting bound, and the measured speed, all in tokens per second of this model.
chain-axis = tokens/s of { $model }
chain-token = One token moves { $bytes }.
chain-kind = kind of figure
chain-cause = cause of a loss
chain-read = best measured read
chain-threads = read with { $threads }
chain-cores = compute limit of the cores
chain-bound = bound of this model
chain-decoding = measured decoding
chain-of-theory = { $share } of theory
chain-of-read = { $share } of the best read
chain-of-cores = { $share } of the compute limit
chain-of-bound = { $share } of the bound
chain-cause-read = memory: controller, DRAM, interconnect
chain-cause-threads = the threads of this unit use the bus less than another set of threads does
chain-cause-cores = cores and instruction set
chain-cause-bound = the smaller of best read and compute limit
chain-cause-decoding = implementation: attention, norms, waiting threads
chain-limited-disturbed = The limit cannot be determined, because this unit was disturbed.
chain-limited-threads = Limited by the number of threads: { $n ->
    [one] { $n } thread reads
   *[other] { $n } threads read
 } only { $rate }.
chain-limited-set = Limited by the set of threads: { $others ->
    [one] { $others } thread reads
   *[other] { $others } threads read
 } more than { $threads }.
chain-limited-memory = Limited by memory: it delivers weights more slowly than the cores process them.
chain-limited-kernel = Limited by the kernel: the cores process weights more slowly than the memory delivers them.
chain-limited-memory-only = Memory is the only measured limit; the limit of the kernel was not measured.
chain-limited-unknown = The limit is unknown, because the read bandwidth was not measured.
chain-others = All others
chain-others-model = model, rates in tokens/s
chain-others-cores = cores

## All units

units-none = This host has no units: none was requested, or no result arrived.
units-swept = { $n ->
    [one] { $n } unit over working sets
   *[other] { $n } units over working sets
 }
units-per-load = { $time } per load
units-best = fastest sample
units-median = median time, 95 % interval
units-counted = bytes counted
units-kernel = { $kernel }, { $place }
units-shape = shape <span translate="no">{ $shape }</span>
units-shape-forced = forced shape <span translate="no">{ $shape }</span>
units-extrapolated = extrapolated: { $held } of { $all } layers in memory, used repeatedly
units-counted-read-written = read + written
units-counted-weights = weights
units-counted-token = weights and KV cache
units-counted-loads = loads
units-counted-arithmetic = arithmetic
units-bimodal = The samples form two groups: { $fast } in { $share } of them, { $slow } in the rest. { $cause }
units-drifting = The samples drift: { $fast } in the faster half, { $slow } in the slower half. { $cause }
units-cause = An external program ran, or the clock changed.
units-cause-memory = An external program used the memory, or the clock changed.

## The state of the host

environment-gains = Effect of preparing the board
environment-gains-text = Each unit was measured on the board as found, and again after the changes below. The 95 % interval is in brackets. A difference is confirmed only where each state was measured in several rounds.
environment-as-found = as found
environment-prepared = prepared
environment-gain = gain
environment-meaning = meaning
environment-settings = Settings changed and restored
environment-setting = setting
environment-before = before
environment-after = after
environment-outcome = outcome
environment-changed-it = changed
environment-put-back = restored
environment-previous = Changes since the previous run
environment-changed = These facts about the host differ from run <bdi>{ $run }</bdi>. In this sense, the figures of the two runs are of different boards.
environment-unchanged = The host did not change since run <bdi>{ $run }</bdi>: kernel, firmware, governors, memory and power mode are the same.
environment-fact = fact
environment-then = then
environment-now = now
environment-notes = Notes of the supervisor on the board
environment-state = State of the host: <code>{ $state }</code>. Runs with the same word used the same hardware, kernel, firmware and settings.

## Facts

facts-intro = Read on the host when it was measured. Facts that could not be read are left out.
facts-none = This host reported no facts.
facts-stages = Time spent in each stage
facts-host-name = host name
facts-board = board, by its firmware
facts-processor = processor
facts-architecture = architecture
facts-cpus = CPUs
facts-highest-clock = up to { $clock }
facts-governor = governor { $governor }
facts-caches = caches
facts-cache = L{ $level } { $kind } { $size } (CPUs { $cpus })
facts-cache-unified = unified
facts-cache-data = data
facts-cache-instruction = instruction
facts-instruction-sets = instruction sets
facts-variants = kernel variants
facts-variant-missing = { $variant } unavailable
facts-variant-missing-why = { $variant } unavailable ({ $reason })
facts-os = operating system
facts-linux = Linux
facts-virtual-machine = virtual machine
facts-firmware = firmware
facts-power-mode = power mode
facts-file-systems = file systems
facts-ram = RAM
facts-swap = swap
facts-free = { $total }, { $free } free
facts-no-swap = none
facts-memory-devices = memory devices
facts-dram-clock = DRAM clock
facts-clock-of = { $clock } of at most { $max }
facts-dram-clock-now = { $clock } ({ $path })
facts-dram-clock-governor = { $clock }, governor { $governor } ({ $path })
facts-huge-pages = transparent huge pages
facts-page = page
facts-load = load over one minute
facts-program = board program
facts-program-protocol = { $program }, protocol { $protocol }
facts-program-sha256 = its SHA-256

## Kernels

kernels-emulated = These rates are the rates of the emulator. They are not compared with any other rate.
kernels-memory = Through memory
kernels-memory-chart = Kernels that walk through memory
kernels-memory-chart-text = One row per unit: the median of its samples, with its 95 % interval. Dashed tick: its bound.
kernels-memory-text = Bar: measured median, with its 95 % interval. Dashed tick: bound (theory, or the best measured read for matrix kernels).
kernels-memory-emulated-text = Grey bar: median under the emulator, with its 95 % interval.
kernels-caches = From the caches
kernels-caches-chart = Kernels that stay in the caches
kernels-caches-chart-text = One row per unit: the median of its samples. It is the rate of the cores, which memory does not bound.
kernels-caches-text = The rate of the cores; memory does not bound it.
kernels-table = The same as a table, with links to the units
kernels-from = reads from
kernels-measured = measured, GB/s
kernels-bound = bound, GB/s
kernels-bar = { $kernel } · { $threads } · { $variant }
kernels-rate = { $rate }, { $share }

## What did not work

troubles-stage = in stage <strong>{ $stage }</strong>
troubles-stderr = Last lines of its standard error
troubles-unreadable = { $n ->
    [one] { $n } unreadable line
   *[other] { $n } unreadable lines
 } in its stream
troubles-line = line { $line }

## Arithmetic and the roofline

roofline-intro = A unit below the rising line waits for memory; a unit below a level line waits for arithmetic. Token generation is at the left: each byte is used for a few operations. Reading a prompt is at the right: each weight is used for many tokens.
roofline-key = Dashed: measured limits (read bandwidth, peaks of arithmetic with all threads). Dots: measured. Both axes are logarithmic.
roofline-chart = Roofline
roofline-chart-text = Dashed: the limit of the memory, rising, and the limits of the cores, level. Dots: measured units of language models.
roofline-axis = operations per byte moved
roofline-axis-rate = Gop/s (10⁹ operations per second)
roofline-peaks = Peaks of arithmetic
roofline-models = Language models below the roofline
roofline-intensity = operations per byte
roofline-share = of the highest peak

## Latency

latency-load = A load from memory that waits for the previous load takes { $time } ({ $size } of memory, random order).
latency-axis = ns per load
latency-sizes-chart = Time of one load over the working set
latency-sizes-chart-text = The address of each load comes from the previous load. Dashed upright lines: sizes of the caches.
latency-chains = Several loads at once
latency-chains-text = A core that waits for one load can start further loads. With more independent chains it receives more lines of 64 bytes in the same time, up to its own limit.
latency-chains-per-thread = chains per thread
latency-time = time per load
latency-loads = loads
latency-lines = lines received
latency-rate = { $n } million loads/s
latency-loaded = While other cores read
latency-loaded-key = Solid: measured. Where the curve turns upwards, the memory is saturated.
latency-loaded-chart = Time of one load while other cores read
latency-loaded-chart-text = To the right, other cores read more; higher up, a load takes longer.

## At first and after minutes

sustained-key = Solid: measured, one point per sample.
sustained-kernel-key = As the kernel reported it at the end of each sample.
sustained-speed-chart = Tokens per second over time, { $title }
sustained-clock-chart = Clock of the slowest CPU over time, { $title }
sustained-temperature-chart = Temperature of the hottest zone over time, { $title }
sustained-chart-text = From left to right: seconds since the first sample began.
sustained-time-axis = seconds since the first sample began
sustained-clock-axis = MHz of the slowest CPU
sustained-temperature-axis = °C of the hottest zone
sustained-kept = { $first } at first, { $later } in the second half of { $time }: { $share } is kept.
sustained-no-clock = This board does not report its clock.
sustained-no-temperature = This board does not report its temperature.
sustained-no-clock-no-temperature = This board reports neither its clock nor its temperature.
sustained-table = The same as a table, medians of equal spans
sustained-seconds = seconds
sustained-clock = slowest CPU, MHz
sustained-temperature = hottest zone, °C

## Threads and clusters

threads-intro = More threads are not always faster. A few fast cores can saturate the bus, and slow cores can hold them back. The table shows the best measured set of CPUs.
threads-key = Measured, through memory. The ring marks the best number of threads.
threads-key-theory = Dashed: theory.
threads-chart = Bandwidth over threads
threads-chart-text = One line per kernel that walks through memory, with the best CPUs of each thread count. More threads are not always faster.
threads-theory = theory { $rate }
threads-what = kernel or model
threads-best = best
threads-cpus = CPUs
threads-most = with the most threads
threads-gain = best against most
threads-rate-with = { $rate } with { $n }
threads-same = the same

## What the KV cache saves

kv-cache-intro = Without a KV cache, each new token needs the keys and values of the whole history: the history is read again as a prompt. With the cache, only the new token is computed, and the keys and values of the other tokens are read from memory.
kv-cache-chart = Time of the next token over its position, { $title }
kv-cache-chart-text = Two lines: with the KV cache only the new token is computed; without it the whole history is computed again.
kv-cache-axis-position = position of the token, counted from 1
kv-cache-axis-time = ms for the next token
kv-cache-key = Solid: measured medians. Both axes are logarithmic.
kv-cache-cached = with cache
kv-cache-recomputed = recomputed
kv-cache-way = method
kv-cache-position = position
kv-cache-time = time of the token
kv-cache-bytes = bytes moved
kv-cache-operations = operations
kv-cache-from-first = The cache is faster from position { $position } on, which is the first measured position.
kv-cache-from = The cache is faster from about position { $position } on.
kv-cache-saving = At position { $position }, the token is { $factor } times faster with the cache.
kv-cache-never = Recomputing was never slower at the measured positions.

## Bandwidth over the working set

sizes-intro = The same kernels over working sets from a few KiB to far more than the caches hold. A curve bends where a cache ends. Its level at the right is the bandwidth of the memory; only this level counts for a model.
sizes-key = Solid: measured medians. Both axes are logarithmic. Dashed upright: a cache of one core ends there.
sizes-key-theory = Dashed level: theory of the memory.
sizes-chart = Bandwidth over the working set
sizes-chart-text = One line per kernel and number of threads. Dashed upright lines: sizes of the caches. The level at the right is that of the memory.
sizes-axis = working set, all arrays and threads together
sizes-chains = { $what }, { $n } chains
small-pages = { $what }, small pages

## What quantisation buys

ladder-intro = Fewer bits per weight mean fewer bytes per token. If only the memory limited the speed, the speed would grow exactly as the bytes shrink. Where it grows less, unpacking the weights costs more than the memory saves.
ladder-key = Solid: measured. Dashed tick: expected from the bytes.
ladder-chart = Tokens per second over quantisations, { $title }
ladder-chart-text = One bar per quantisation, from many bytes to few. Dashed tick: expected from the bytes alone, relative to the first bar.
ladder-quantisation = quantisation
ladder-fewer-bytes = fewer bytes
ladder-faster = faster
ladder-deviation = against expected
ladder-extrapolated = extrapolated: not all layers fit
ladder-gain = From { $first } to { $last } a token moves { $fewer } times fewer bytes and comes { $faster } times faster.
ladder-as-expected = Each step is as fast as expected from its bytes, within 5 %.
ladder-less = Slower than expected from their bytes, by more than 5 %: { $steps }. There the cores limit the speed, not the memory.

## Samples

samples-summary = Every sample as a dot
samples-key = Right of the line: slower than the median. Samples beyond the axis are drawn at its edge.
samples-chart = Samples around their median
samples-chart-text = One row per unit, one dot per sample. Dots to the right of the line took longer than the median.
samples-axis = sample time / median of its unit
samples-fastest = fastest
samples-median = median
samples-slowest = slowest
samples-spread = spread (quartiles over median)
samples-with-spread = { $n ->
    [one] { $n } sample
   *[other] { $n } samples
 }, spread { $spread }

## Power and energy

power-intro = Power as the sensors of the board reported it, and the energy per token that follows from it. A sensor of the supply of the whole board counts everything. A sensor of a part, for instance the processor package, leaves out the rest: compare only figures of the same sensor. Nothing here is estimated.
power-sensor = sensor
power-power = power
power-measured = All figures are measured by this run.

## Left out for want of time

left-out-intro = The time budget of this host was { $budget }. These units did not fit into it and were not measured. The most valuable units come first.
left-out-estimate = estimated time, s

## The state of the host before measuring

health-intro = The state that the host reported before the measurements. <code>cargo xtask doctor</code> asks for the same without measuring.
health-weight = severity
health-found = finding
health-remedy = remedy

## In short

summary-published = Published measurements of this board
environment-gain-of = { $gain } ({ $interval })
environment-gain-few = { $gain } (too few samples)
