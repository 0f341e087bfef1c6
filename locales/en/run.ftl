# The first page of a report.

## Measured and theoretical bandwidth

overview-chart = Measured read bandwidth inside the theoretical bandwidth
overview-chart-text = One row for each host, and for each board without a measurement. Dashed outline: theory. Solid bar: measured.
overview-bar = { $read } of { $theory }, { $share }
overview-bar-unknown = { $read }, theory unknown
overview-bar-theory = theory { $theory }
overview-others-quote = other sources state { $rates }
overview-caption = Solid: best read measured on the CPU. Dashed outline: theory. Boards without a measurement have theory only.
overview-as-table = The same as a table, with sources
overview-kind = kind of figure
overview-measured-read = measured read
overview-measured-theory = measured / theory
overview-measured-by = measured with
overview-theory-from = source of the theory
overview-nothing = This run has neither measurements nor a catalogue of boards.

## Measured tokens per second

inference-intro = Tokens are generated one after the other. <code>@ d512</code> means that 512 tokens were in the KV cache before. The bound is the smaller of two measured limits of the same host: the bandwidth of its memory and the compute limit of its cores.
inference-chart-text = One row for each decode unit. Solid bar: measured. Dashed tick: bound by the measured limits of the host.
inference-caption = Solid: measured. Dashed tick: bound by measured limits.
inference-more = { $n ->
    [one] { $n } more is in the table.
   *[other] { $n } more are in the table.
 }

## Every host

hosts-status = status
hosts-no-board = none
hosts-stage = stage: { $stage }
hosts-stderr = last lines of its standard error
hosts-none = This run has no hosts.
hosts-this-run = this run
hosts-ago = { $days } and { $runs } ago
hosts-garbage-lines = { $n ->
    [one] { $n } line of the stream is not a message
   *[other] { $n } lines of the stream are not messages
 }
hosts-units-ok = { $n } ok
hosts-units-suspect = { $n } suspect
hosts-units-invalid = { $n } invalid
hosts-units-emulated = { $n } emulated
hosts-units-not-measured = { $n } not measured

## Failures

failed-at-stage = at stage <code>{ $stage }</code>
failed-units = { $n } ({ $units })
failed-more-units = { $n } more
failed-more-causes = { $n ->
    [one] { $n } more cause is on the page of the host.
   *[other] { $n } more causes are on the page of the host.
 }
# How a unit failed.
failed-failed = failed
failed-invalid = invalid
failed-cut-off = cut off
failed-not-started = not started

## Which model on which board

choose-intro = Generated tokens per second with an empty KV cache. The bound is the limit that the bandwidth sets: measured for a host of this run, theoretical for a board. <i>Measured</i> is measured by this run. <i>Predicted</i> is the interval in which { $level } of new measurements are expected, from measurements on similar machines. A model fits when its weights, the KV cache of { $context } tokens and the compute buffers fit into the RAM that is free on a host, or that the largest size of a board leaves. People read about { $pace } tokens/s.
choose-short = Of each model, the table has the largest quantisation that fits and reaches { $pace } tokens/s, or else the fastest that fits. All { $n } rows are on the pages of the models and in <a href="{ $href }">decisions.csv</a>.
choose-check = Check of the predictions:

## What to run

answers-intro = For each board and host, the table has the best model among those that most likely reach { $pace } tokens/s, about the pace at which people read, with { $context } tokens of context. Each name leads to the reasons, the alternatives and the remedies.
answers-bandwidth = bandwidth
answers-too-slow = no model reaches that pace
answers-nothing-fits = no model fits

## In short

summary-incomplete = incomplete run
summary-hosts-ok = hosts completed
summary-measured = with a measured bandwidth
summary-units-ok = units ok
summary-units-suspect = units suspect
summary-units-invalid = units invalid
summary-samples = samples

## How to read this

method-intro = A language model reads all its weights from memory for every token that it generates. So the speed is at most <strong>bandwidth / bytes read per token</strong>, however fast the processor computes. This report shows which share of the theoretical bandwidth each board delivers, and the speed of models that follows.
method-theory = Transfers per second × bus width / 8, from the source named beside it. Dashed.
method-measured = Median of the samples on that host. The output of the kernel was compared with a reference. Solid.
method-emulated = An emulator ran the program to check its output. Its times are meaningless. Grey, and never in one series with measurements.
method-ok = Nothing indicates an error in the figure.
method-suspect = Below { $efficiency } of theory, or samples that spread by more than { $spread } (interquartile range / median), or a unit that was cut off. The reason stands beside it.
method-invalid = Above its bound, or a wrong output. Shown as measured, never clipped, and not used for anything else. Hollow.
method-bytes = bytes
method-bytes-text = Bandwidth kernels count bytes read plus bytes written. Bytes that a cache fetches before a write are not counted. Matrix kernels count the bytes of the weights. Decode units count the bytes of the weights and of the KV cache.
method-limit = limit of a model
method-limit-text = The memory, when it delivers weights more slowly than the cores process them from their caches. Otherwise the kernel.

## More pages

models-models = One model on every board
models-boards = One board with every model

## Where this run comes from

provenance-run = run
provenance-started = started
provenance-finished = finished
provenance-interrupted = { $at }, interrupted
provenance-not-finished = not recorded: the controller was killed or is still running
provenance-suite = suite
provenance-command = command
provenance-plan = plan
provenance-shard = shard
provenance-shard-text = { $n } of { $n_all }, with { $n_hosts } of the { $n_planned } hosts of the plan
provenance-budget = time budget
provenance-budget-text = { $seconds } s for each host
provenance-memwall = memwall
provenance-revision = source revision
provenance-changed = { $revision }, with changes
provenance-compiler = compiler
provenance-program = board program
provenance-program-text = { $target }, { $size }, SHA-256 { $sha }

## Data files

files-units = one row per unit: rates, bounds, verdicts (CSV)
files-samples = one row per sample (CSV)
files-bounds = every model on every board, by theory (CSV)
files-decisions = every model and quantisation on every board and host (CSV)
files-report = this report (JSON)
files-schema = meaning of the fields of that file (JSON Schema)
files-imported = one row per figure of another program (CSV)
files-units-frame = one row per unit (Parquet, in the run directory)
files-samples-frame = one row per sample (Parquet, in the run directory)

## Results of other programs

imported-intro = Other programs printed these figures. A user ran them, or this run started them as units. memwall measured none of these figures, and they are not part of any figure, bound or verdict of this report. <b>Imported</b> is the figure of the program, with its own way of counting. <b>Theory</b> is the theoretical bandwidth of the board. <b>Measured</b> is the measurement of memwall on the same host in this run.
imported-program-host = program, host
imported-implausible = implausible
# Before a link to the data file.
imported-hidden = { $n ->
    [one] { $n } more figure is in
   *[other] { $n } more figures are in
 }
# Between a program and a host.
imported-on = on
imported-figures = { $n ->
    [one] { $n } figure
   *[other] { $n } figures
 } from <code>{ $file }</code>
imported-more-remarks = { $n ->
    [one] { $n } more remark of this kind
   *[other] { $n } more remarks of this kind
 }
imported-unknown-host = this run has no host of that name
imported-no-theory-of-unit = not compared with theory, because neither the board nor the host states a memory. Give the host a `board:` or `memory:` in the fleet file.
imported-no-theory = not compared with theory, because neither the board nor the host states a memory. Import the file with `--board` or `--host`.
# Before a verdict.
imported-by-this-run = started by this run, with the same supervision as every unit: { $verdict }
imported-by-this-run-because = started by this run, with the same supervision as every unit: { $verdict }, { $reason }
imported-tokens = Tokens per second
imported-tokens-note = The bound divides the theoretical bandwidth by the bytes of the model file. It applies to generating tokens, not to reading prompts. Measured is the decode unit of memwall with the same model, quantisation and depth, or else the best read bandwidth of the host.
imported-theory-bound = theory: bound (file)
imported-bandwidth = Bandwidth
imported-bandwidth-note = A copy that counts its bytes once moves twice as many bytes. Its figure is doubled before it is compared with theory. Where a mean is shown, its single repetitions are only in the data file.
imported-share-of-theory = share of theory
imported-latency-note = Figures of the largest block of each test. The other blocks are in the data file.
imported-implausible-note = <b>Implausible</b> figures are above theory. Possible causes: arrays that fit into the caches, a model that is not read as a whole for a token, a wrong name of the board or host, or a wrong figure. They are shown as imported.
imported-arrays = arrays of { $size }
imported-fastest = fastest
imported-mean = mean
imported-single = single
imported-doubled = doubled: { $rate } read and written
imported-mean-of = mean of { $n }
imported-share = { $share } of it; model of { $size }
imported-own-decode = decode unit of memwall, { $threads }
imported-best-read = best read, { $threads }
imported-over-first-cache = added to a hit in the first cache
imported-one-step = one step of a chain
imported-deviation-mean = deviation / mean
imported-deviation-fastest = deviation / fastest
imported-range-mean = range / mean
