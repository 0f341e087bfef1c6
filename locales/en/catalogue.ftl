# Pages of boards and models.

## What to run here

decision-intro = The models are sorted by how likely they reach { $pace } tokens/s, about the pace at which people read, with { $context } tokens of context. Each model is shown in the quantisation with the smallest loss of quality among the most certain ones.
# Before the RAM and its source.
decision-room = RAM for a model:
decision-on = On the { $processor }
decision-nothing-fits = no model of the catalogue fits
decision-answer = answer
decision-ram = RAM needed
decision-from = from { $capacity }
decision-longest = longest context
decision-help = Remedies for { $model }
decision-remedy = remedy
decision-figure = kind
decision-gain = gain
decision-price = Price: { $usd } US dollars on { $date } ({ $source }). This gives { $rate } tokens/s for 100 US dollars with { $model }.
decision-order = Answers are sorted by certainty, then by the number of parameters of the model, reduced by the loss of its quantisation. The data files contain no other measure of the ability of a model than its size.

## Theoretical bandwidth of a board

memory-system = system memory
memory-named = { $name } memory
# Before names of hosts.
board-measured-as = Measured in this run as
board-no-host = No host of this run is this board.
board-computed-from = computed from
board-others-quote = other sources state
board-sold-with = sold with
board-left = left for a model, largest size
board-used-by = used by
board-published = Published measurements
published-test = test
published-latency = latency of one load

## Models on a board

board-models-title = In { $memory }, { $rate } by theory
board-models-note = Upper bounds in tokens/s at depth 0, except where another depth is stated. Needed: weights, KV cache of { $context } tokens (f16) and compute buffers.
board-models-left = Available: { $size } on the largest size ({ $source }).
board-models-assumed = Available: the capacity minus { $size } for the system, which is an assumption.
board-models-by-bytes-tokens = tokens/s by bytes read
board-models-by-file = by file
board-models-by-bytes = by bytes read
board-models-in = in { $capacity }
board-models-needed = needed
board-models-too-large = too large

## A model on every board and host

model-chart = Tokens per second of this model on every board and host
model-chart-text = One row for each board and host. Dashed outline: the bound. Solid bar: measured. Hatched bar: predicted, with its interval.
model-bar-bound = bound { $bound }
model-bar-measured = measured { $rate } of { $bound }
model-bar-predicted = predicted { $low } to { $high } of { $bound }
model-caption = In { $quant }, with an empty KV cache. Dashed outline: bound by the bandwidth, measured for a host and theoretical for a board. Solid: measured. Hatched: predicted, the whisker is its interval. The figures are in the table.
model-longest = longest context, tokens

## The shape of a model

model-parameters = parameters
model-layers = layers
model-width = width of the residual stream
model-query-heads = query heads
model-kv-heads = key and value heads
model-head-elements = elements of a head
model-vocabulary = vocabulary
model-embeddings = embedding table
model-tied-embeddings = is also the output matrix: every token reads the whole table
model-own-embeddings = separate: a token reads one row of it
model-context = trained for a context of
model-quantisations = Bytes of each quantisation
model-bits = bits per weight
model-ram = RAM with { $n } tokens
model-quality-unknown = The loss is unknown where no measurement was published.
model-kv-cache = Bytes of the KV cache
model-stored-as = stored as
model-each-token = each token
model-kv-note = Each further token of context adds these bytes to the bytes that every following token reads.
decision-basis = { $label }: { $basis }
decision-room-from = { $room } ({ $label }: { $source })
