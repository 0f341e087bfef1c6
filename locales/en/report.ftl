# Pages of a report: what surrounds the sections.

## Headings

section-in-short = In short
section-answers = What to run
section-failed = Failures
section-history-link = Over the runs
section-overview = Measured and theoretical bandwidth
section-choose = Which model on which board
section-inference = Measured tokens per second on CPUs
section-imported = Results of external programs
section-hosts = Every host of this run
section-models = More pages
section-method = How to read this
section-provenance = Origin of this run
section-files = Data files
section-host-chain = From memory to tokens
section-decision = What to run here
section-host-ladder = Gain from quantisation
section-host-kv-cache = Gain from the KV cache
section-host-interference = Cost of other memory traffic
section-host-sustained = Speed over minutes
section-host-power = Power and energy
section-host-kernels = Kernels
section-host-threads = Threads and clusters
section-host-sizes = Bandwidth over the working set
section-host-latency = Latency
section-host-roofline = Arithmetic and the roofline
section-host-units = All units
section-host-samples = Samples
section-host-troubles = Problems
section-host-left-out = Skipped: time budget used up
section-host-health = Possible disturbances
section-host-environment = State of the host
section-host-facts = Facts about the host
section-board-memory = Theoretical bandwidth
section-board-models = Models on this board
section-model-places = On every board and host
section-model-facts = Structure
section-history-hosts = Hosts over the runs
section-history-changes = Changes
section-history-charts = Measurements over the runs
section-history-runs = Runs without valid data

## Around the sections

page-skip = Skip to the results
page-all-boards = All boards
page-run = run <bdi>{ $run }</bdi>
page-sections = Sections
page-source-rows = Rows behind the picture:
page-units-of-host = all units of this host
page-failed-section = This section could not be written because of an error in memwall. Please report it.
footer-units = 1 GB is 10<sup>9</sup> bytes, 1 GiB is 2<sup>30</sup> bytes.
footer-marks = Dashed outlines are theory. Solid bars are measured. Grey bars ran under an emulator and are compared with nothing. Hollow bars are invalid. Hatched bars are predicted.

## Titles

title-run = Memory bandwidth, run { $run }
title-host = Host { $host }
title-history = History
title-host-history = History of { $host }
subtitle-emulated = { $name } (emulated: only the correctness of its output is checked)

## What the script adds

script-light = Light
script-dark = Dark
script-rows = { $n } of { $n_all } rows
script-all-places = all boards and hosts
script-all-models = all models
script-only-fitting = only models that fit
# Before a field for a number.
script-least-rate = at least, tokens/s
