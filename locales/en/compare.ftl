# The page of a comparison: side B against side A.

comparison-title = Comparison of measurements
comparison-b-against-a = B against A
comparison-marks = Triangles are confirmed differences and point to the side of B. Hollow circles are differences that are not shown, not confirmed or not judged. Lines are { $level } intervals.

## Other differences

comparison-changes = Other differences
comparison-changes-note = Each of these may be the cause of a difference.
comparison-what = fact
comparison-no-changes = The facts that the hosts report are the same: kernel, firmware, governors, memory, power mode and programs.

## Unit by unit

comparison-pairs = Unit by unit
comparison-chart = Speed of B divided by speed of A, unit by unit
comparison-chart-text = One row per unit, the largest difference first. A mark shows the difference, and a line shows its { $level } interval. The table below has the same figures.
comparison-slower = B is slower
comparison-faster = B is faster
comparison-chart-note = The picture shows the { $n } largest differences, the table all { $n_all }.
comparison-caption = Speed of B divided by speed of A on a logarithmic axis, the largest difference first.
comparison-interval = { $level } interval
comparison-outcome = in words
comparison-notes = notes
comparison-not-shown = not shown

## Units that are not compared

comparison-left-out = Not compared
comparison-side = side
comparison-reason = reason
