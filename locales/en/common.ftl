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
suspect = suspect
solid-measured-medians = Solid: measured medians.
axis-tokens-per-s = tokens/s
# Under a picture some of whose figures are suspect.
doubt = { $n_all ->
    [one] { $n } of { $n_all } figure here was disturbed
   *[other] { $n } of { $n_all } figures here were disturbed
 }: the picture proves nothing yet. Measure again.
