# Pages of a report: what surrounds the sections.

## Headings

section-in-short = In short
section-answers = What to run
section-failed = What failed and why
section-history-link = Over the nights
section-overview = Measured and theoretical bandwidth
section-choose = Which model on which board
section-inference = Measured tokens per second on CPUs
section-imported = Results of other programs
section-hosts = Every host of this run
section-models = More pages
section-method = How to read this
section-provenance = Where this run comes from
section-files = Data files
section-host-chain = From memory to tokens
section-decision = What to run here
section-host-ladder = What quantisation buys
section-host-kv-cache = What the KV cache saves
section-host-interference = What other traffic costs
section-host-sustained = At first and after minutes
section-host-power = Power and energy
section-host-kernels = Kernels
section-host-threads = Threads and clusters
section-host-sizes = Bandwidth over the working set
section-host-latency = Latency
section-host-roofline = Arithmetic and the roofline
section-host-units = All units
section-host-samples = Samples
section-host-troubles = What did not work
section-host-left-out = Left out for want of time
section-host-health = What may have disturbed it
section-host-environment = The state of the host
section-host-facts = Facts the host told
section-board-memory = Theoretical bandwidth
section-board-models = Models on this board
section-model-places = On every board and host
section-model-facts = What it is made of
section-history-hosts = Hosts over the nights
section-history-changes = What changed
section-history-charts = Lines over the nights
section-history-runs = Runs without valid data
