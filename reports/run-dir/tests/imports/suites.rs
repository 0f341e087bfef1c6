//! Suites and reports name the same programs.

use bench_inventory::{FileKind, load_text};
use bench_run_dir::readers::Tool;

/// A program that can be imported can be a unit, too: whoever adds a reader adds the name for suites.
#[test]
fn every_tool_can_be_the_output_of_a_unit() {
    for tool in Tool::ALL {
        let suite = format!(
            "description: one program\nemulated:\n  working-set-kib: 1024\n  decode-model: any\n  \
             sampling: {{min-samples: 1, max-samples: 1, budget-ms: 1}}\nunits:\n  - kernel: external\n    \
             threads: [1]\n    external: {{program: it, output: {}}}\n    deadline-s: 10\n",
            tool.id()
        );
        if let Err(error) = load_text(FileKind::Suite, "it", &suite) {
            panic!("{error}");
        }
    }
}
