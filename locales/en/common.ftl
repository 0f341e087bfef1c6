# Words that several pages share.

threads = { $n ->
    [one] { $n } thread
   *[other] { $n } threads
 }
readers = { $n ->
    [one] { $n } reader
   *[other] { $n } readers
 }
measured = measured
solid-measured-medians = Solid: measured medians.
axis-gb-per-s = GB/s (10⁹ bytes per second)
axis-tokens-per-s = tokens/s
# Under a picture some of whose figures are suspect.
doubt = { $n_all ->
    [one] { $n } of { $n_all } figure here was disturbed
   *[other] { $n } of { $n_all } figures here were disturbed
 }: the picture proves nothing yet. Measure again.

## Words of tables

best-read = best read
board = board
bound = bound
bytes-per-token = bytes per token
cpus = CPUs { $cpus }
figures-of-picture = The figures of this picture
interval = 95 % interval
kernel = kernel
limit = limit
measured-over-bound = measured / bound
model = model
range = { $from } to { $to }
ratio = ratio
reason = reason
samples = samples
spread = spread
status = status
step = step
theoretical-bandwidth = theoretical bandwidth
theory = theory
thread-count = threads
unit = unit
variant = variant
verdict = verdict
working-set = working set

## Where a working set lives

residency-memory = memory
residency-caches = caches
residency-sweep = sweep

## Units of a model

with-threads = { $what }, { $threads }
extrapolated-from = { $what }, extrapolated from { $held } of { $all } layers

## What limits a unit

limit-disturbed = unknown (disturbed)
limit-kernel = kernel (cores)
limit-memory-only = memory (kernel not measured)
limit-set = another set of threads reads more
limit-threads = too few threads

## Words that several sections share

disturbed = disturbed
invalid = invalid
theory-only = theory only
host = host
board-or-host = board or host
processor = processor
quantisation = quantisation
kind-of-figure = kind
what-limits-it = limited by
column-threads = threads
measured-bound = measured / bound
emulated = emulated
best-measured-read = best measured read
column-units = units
cause-and-remedy = cause and remedy
of-theory = { $share } of theory
days = { $n ->
    [one] { $n } day
   *[other] { $n } days
 }
runs = { $n ->
    [one] { $n } run
   *[other] { $n } runs
 }
units = { $n ->
    [one] { $n } unit
   *[other] { $n } units
 }

no-reason-recorded = no reason was recorded
bound-tokens = bound, tokens/s
expected-tokens = expected, tokens/s

## Whether a model fits into the memory

fit = fit
fits = fits
fits-from = fits from { $capacity }
does-not-fit = does not fit
fit-unknown = fit unknown
tokens = { $n ->
    [one] { $n } token
   *[other] { $n } tokens
 }
quality-loss = quality loss
quality-source = Quality loss: { $metric } of { $model } relative to F16, published in { $source }.
certainty = certainty
figure = figure
imported = imported

## Which bytes a figure counts

counts-read = bytes read
counts-read-and-written = bytes read and written
counts-copied-once = copied bytes counted once
published = published
source = source
file = file
read-per-token = read per token
n-of-all = { $n } of { $n_all }
date = date
faster = faster
slower = slower
hosts = { $n ->
    [one] { $n } host
   *[other] { $n } hosts
 }

## Units of figures

unit-gb-per-s = GB/s
unit-tokens-per-s = tokens/s
unit-gop-per-s = Gop/s
unit-ns-per-load = ns per load

## Axes of charts

chart-median = median
chart-same = same
