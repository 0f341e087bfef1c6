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
