# What a run found, in sentences.

## The three findings of a run

finding-no-host = No host was measured in this run: everything below is theory.
finding-all-emulated = Every host ran under an emulator, where timings are not meaningful: everything below is theory.
finding-no-usable-host = No host gave a usable measurement of its memory bandwidth: every bound below is theory.
finding-share = { $host } reaches { $share } of its memory bandwidth: it reads { $read } of { $theory } in theory.
finding-read = { $host } reads { $read }.
finding-theory-unknown = Its theoretical bandwidth is unknown, so the share cannot be given.
finding-disturbed = That measurement was disturbed.
finding-reads = { $n } hosts were measured; { $host } reads most, { $read }. Their theoretical bandwidth is unknown, so the share cannot be given.
finding-share-and-most = { $host } reaches { $share } of its memory bandwidth; { $fastest } reads most of all hosts, { $read }.
finding-shares = The hosts reach between { $low } ({ $slow }) and { $high } ({ $fast }) of their memory bandwidth; { $fastest } reads most, { $read }.
finding-interval = The 95 % interval of that read over { $n } rounds is { $low } to { $high }.
finding-interval-and-bound = The 95 % interval of that read over { $n } rounds is { $low } to { $high }, so the bound is { $bound_low } to { $bound_high }.
model-in-quant = { $model } in { $quant }
finding-bound = { $model } in { $quant } is bounded at { $bound } there.
finding-bound-disturbed = { $model } in { $quant } is bounded at { $bound } there, by a disturbed read.
finding-measured = It makes { $rate }, as measured.
finding-predicted = { $rate } tokens/s are predicted.
finding-fits = It fits the free RAM.
finding-fits-not = It does not fit the free RAM.
finding-fits-unknown = It is unknown whether it fits.
finding-bounds = { $model } in { $quant } is bounded at { $low } on { $slowest } and at { $high } on { $fastest }; it fits the free RAM of { $n_fitting } of { $n } hosts.
finding-by-theory = By theory alone, the board with the fastest memory of { $n } in the catalogue is { $board }: { $bandwidth } bound { $model } in { $quant } at { $bound }.
finding-fits-there = It fits there.
finding-fits-not-there = It does not fit there.
finding-limit-not-decoded = It is unknown whether the memory or the kernel limits token generation: no host decoded a model.
finding-limit-disturbed = It is unknown whether the memory or the kernel limits token generation: every decode unit was disturbed.
finding-limit-known = Of the known limits, memory limits token generation; the limit of the kernel was not measured.
finding-limit-memory = { $n ->
    [one] Memory, not the kernel, limits token generation in the one measured case.
   *[other] Memory, not the kernel, limits token generation in all { $n } measured cases.
 }
finding-limit-kernel = { $n ->
    [one] The kernel, not the memory, limits token generation in the one measured case.
   *[other] The kernel, not the memory, limits token generation in all { $n } measured cases.
 }
finding-limit-some = The kernel, not the memory, limits token generation in { $n } of { $n_all } measured cases: { $where }.
finding-limit-unknown = For { $n } of them the limit of the kernel was not measured.
finding-reaches = It makes { $share } of the tokens that its measured limits allow.
finding-best-reaches = The best, on { $host }, makes { $share } of the tokens that its measured limits allow.
finding-host-models = { $host } ({ $models })
finding-more-hosts = { $n ->
    [one] { $n } more host
   *[other] { $n } more hosts
 }
finding-more = { $n } more

## A host in a few sentences, which follow its name

host-skipped = was skipped: { $reason }.
host-emulated = { $n ->
    [one] ran under an emulator: { $n } unit gave the right output.
   *[other] ran under an emulator: { $n } units gave the right output.
 } Its timings are not meaningful and are not compared.
host-emulated-wrong = { $n ->
    [one] ran under an emulator: { $n } output is right, { $n_wrong } wrong.
   *[other] ran under an emulator: { $n } outputs are right, { $n_wrong } wrong.
 } Its timings are not meaningful and are not compared.
host-remark = Noted: { $reason }.
host-reads = reads { $rate }.
host-board-reads = ({ $board }) reads { $rate }.
host-read-before = Before that it read { $rate }.
read-with-threads = { $rate } with { $threads }
read-with-share = { $rate } with { $threads }: { $share } of the theoretical { $theory }
host-theory-unknown = Its theoretical bandwidth is unknown: { $why }.
host-fastest-reader = The fastest reader was `{ $kernel }`.
host-no-read = has no usable measurement of its read bandwidth: its page gives the reasons.
host-invalid-units = { $n ->
    [one] { $n } unit is invalid and not used.
   *[other] { $n } units are invalid and not used.
 }
host-not-reached = was not reached
host-not-finished = did not finish
host-interrupted = was interrupted
host-trouble = { $what }: { $reason }.
host-trouble-in-stage = { $what } (stage: { $stage }): { $reason }.
host-decodes = Decoding { $model } in { $quant } at depth { $depth } with { $threads }, it makes { $rate }, { $share } of what its measured limits allow.
host-bound = { $model } is bounded at { $bound } there.
host-bound-and-theory = { $model } is bounded at { $bound } there ({ $theory } by theory).

## The summary in Markdown

summary-title = Run { $run }
summary-incomplete-run = incomplete run: { $problem }
summary-theory-note = theory of **{ $host }**: { $note }
summary-files = Report: `{ $folder }/index.html`. Data: `frames/units.parquet`, `frames/samples.parquet`.
summary-host = host
summary-status = status
summary-best-read = best read, measured
summary-theory = theory
summary-of-theory = of theory
