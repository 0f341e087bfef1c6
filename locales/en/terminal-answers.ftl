# What the commands that answer questions print: bounds, recommend, compare, history, list, model, and those on runs.

## Several commands

disturbed-because = disturbed: { $reason }
report-file = report: { $file }

## The runs that answers come from

evidence-unreadable = Run `{ $run }` cannot be read and is not used: { $error }
evidence-measured = measured: host { $host } in run { $run }, { $age }
evidence-measured-before = measured: host { $host } in run { $run }, { $age }; { $n ->
    [one] { $n } newer run was disturbed and is not used
   *[other] { $n } newer runs were disturbed and are not used
 }
# The age of a run.
evidence-not-finished = not finished
evidence-minutes-ago = { $n ->
    [one] { $n } minute ago
   *[other] { $n } minutes ago
 }
evidence-hours-ago = { $n ->
    [one] { $n } hour ago
   *[other] { $n } hours ago
 }

## bounds

bounds-assumed = The bounds are of one sequence, with one token for each pass through the weights and with attention to its whole context. Several tokens in one pass (speculative decoding, multi-token prediction) may exceed them.
bounds-work = { $parameters } parameters; { $operations } operations for a token at depth { $depth }, { $of_prompt } for a prompt of 512 tokens
bounds-chain = bound chain of { $model } { $quant } on the { $processor }
bounds-share = share
bounds-share-of = { $share } of { $step }
bounds-limit = binding limit: { $limit }
bounds-on = on the { $processor }: { $expected }
bounds-expected = { $rate } tokens/s { $kind } ({ $basis })
bounds-needs = It needs { $flash } with flash attention (the default) and { $plain } without.
bounds-room-unknown = { $need } The available RAM is unknown.
bounds-room = Available: { $size } ({ $kind }: { $source }).
bounds-fits = It fits with { $tokens } of context. { $need } { $room } The longest context that fits: { $longest } with flash attention, { $longest_plain } without.
bounds-fits-not = With { $tokens } of context it does not fit: { $missing } are missing. { $need } { $room } { $instead }
bounds-fits-in-quant = It fits with { $quant }.
bounds-fits-in-none = No usual quantisation fits.
bounds-no-context = none
bounds-quant = quant
bounds-depth = depth
bounds-read-rate = read GB/s
# A rate, and the kind of figure that it is.
bounds-read-figure = { $rate } { $kind }
bounds-with-quant = with { $quant }
bounds-columns = Bound and tokens/s: tokens per second. Predicted figures are { $level } intervals; `bounds` of one board, model and quantisation shows the basis of each. Longest context: with flash attention.
bounds-ratio = { $board } against { $against }: bandwidth { $ratio } x, { $own } against { $of_first }
bounds-ratio-and-bound = { $board } against { $against }: bandwidth { $ratio } x, { $own } against { $of_first }; bound { $bound_ratio } x: { $bound } against { $bound_of_first } for { $what }
bounds-no-theory = { $board }: its theoretical bandwidth is unknown
bounds-formula = { $board }: { $bandwidth } / { $bytes } per token = { $bound } at most
bounds-formula-predicted = { $board }: { $bandwidth } / { $bytes } per token = { $bound } at most; { $low } to { $high } predicted

## recommend

recommend-asked = { $board } ({ $processor }), at least { $rate } with { $tokens } of context
recommend-room = { $size } of RAM for a model ({ $kind }: { $source })
recommend-room-unknown = RAM unknown
recommend-nothing-fits = No model of the catalogue fits. Allow a shorter `--context`, a smaller `--kv-format` or less `--ram-left`.
recommend-margin = margin
recommend-from = fits from
recommend-here = here
recommend-remedies = Remedies for { $model } { $quant }:
recommend-reading = How to read this
recommend-predicted = predicted: { $basis }
recommend-check = check of such intervals: { $check }
recommend-order = Answers are sorted by certainty, then by the number of parameters, reduced by the loss of the quantisation (Kaplan et al. 2020). Memory is counted with flash attention, which is the default.
recommend-too-short = left out: { $model } was trained for { $tokens } of context
recommend-left-out = left out: { $reason }

## compare

compare-regressions = confirmed to be slower by more than { $percent }: { $units }
compare-no-judgement-rounds = Not judged: { $units }. Measure both sides with `--rounds 3` or more.
compare-no-judgement = Not judged: { $units }. Measure again on an idle board.
compare-other-differences = Other differences:
compare-notes = Notes:
compare-all-units = all units
compare-units-left-out = Not compared:
compare-both = both sides

## history

history-warning = warning: { $problem }
history-no-hosts = Run `{ $run }` has no hosts and is not added to the history.
history-added = added run `{ $run }`
history-empty = The history `{ $folder }` is empty. Every run adds itself; `cargo xtask history --all` adds older runs.
history-span = { $runs } on { $days }, { $first } to { $last }
history-column-valid = valid
history-column-days = days before newest run
history-never = never
history-folder = history: { $folder }

## check

check-sound = The inventory is sound: { $boards }, { $models }, { $suites }, { $hosts }.
check-boards = { $n ->
    [one] { $n } board
   *[other] { $n } boards
 }
check-models = { $n ->
    [one] { $n } model
   *[other] { $n } models
 }
check-suites = { $n ->
    [one] { $n } suite
   *[other] { $n } suites
 }

## list

list-name = name
list-kind = kind
list-rate = rate
list-transfers = { $rate } MT/s x { $bits } bit
list-tags = tags
list-what = what
list-runs-here = runs on this machine

## export, import and merge

export-left-out = left out: { $n ->
    [one] { $n } unit
   *[other] { $n } units
 }
import-file = { $file }: { $figures } of { $tool }
import-known = { $n ->
    [one] { $n } of these files was already in the run.
   *[other] { $n } of these files were already in the run.
 }
merge-planned = planned
merge-column-missing = missing
merge-failed = host `{ $host }`, failed: { $units }
merge-missing = host `{ $host }`, missing: { $units }
merge-missing-shard = Shard { $shard } is missing. Its hosts: { $hosts }
merge-missing-shard-empty = Shard { $shard } is missing. It has no hosts.

## model

model-same-architecture = Model `{ $model }` of the catalogue has the same architecture.
model-left-out = left out: { $n ->
    [one] { $n } vector
   *[other] { $n } vectors
 } with { $bytes } together, for instance `{ $first }`; the catalogue does not model them
model-added = Model `{ $model }` is in `{ $file }`. It has the architecture of the file, and computed tensor lists for every quantisation.
model-bytes = { $n ->
    [one] { $n } byte
   *[other] { $n } bytes
 }
model-quantity = quantity
model-value = value
model-architecture = architecture
model-gguf-version = GGUF version
model-feed-forward = width of the feed-forward part
model-experts = experts
model-experts-used = { $n }, of which a token uses { $used }
model-files = files
model-file-bytes = file bytes
model-tensor-bytes = tensor bytes
model-kv-per-token = KV cache per token, f16
model-sliding-window = sliding window
model-window-layers = { $n ->
    [one] { $n } layer reads only the last { $tokens }
   *[other] { $n } layers read only the last { $tokens }
 }
model-window-some-layers = some layers read only the last { $tokens }
model-tensor = tensor
model-tensors = tensors
model-format = format
model-column-bytes = bytes
model-not-describable = The catalogue cannot describe this model:
model-not-in-catalogue = No model of the catalogue has this architecture; `cargo xtask model add` adds it.
model-in-catalogue = same architecture in the catalogue: { $models }
model-nearest-list = nearest computed list: { $quant }, { $bytes }, of which a token reads { $read }
model-against-list = Compared with that list, the tensors of the file have { $more } bytes, and a token reads { $more_read } bytes.
model-not-in-list = not in the computed list: { $n ->
    [one] { $n } vector
   *[other] { $n } vectors
 } with { $bytes }: { $names }
model-as-computed = Every tensor of the list has the computed format.
model-computed = computed
model-more-bytes = bytes more
