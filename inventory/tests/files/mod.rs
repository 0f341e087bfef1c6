//! One file of each kind without a mistake, to make mistakes in.

/// A board without a mistake.
pub fn board() -> String {
    "\
name: Rock
soc: RK3588
arch: aarch64
source: data sheet
memories:
  - name: system
    kind: LPDDR4X
    mt-per-s: 4224
    bus-bits: 64
    source: boot log
    capacities: {gib: [4, 8], source: vendor page}
    processors: [cpu]
"
    .to_owned()
}

/// A model without a mistake.
pub fn model() -> String {
    "\
name: Qwen
source: config.json
layers: 24
hidden: 896
ffn: 4864
heads: 14
kv-heads: 2
head-dim: 64
vocab: 151936
tied-embeddings: true
"
    .to_owned()
}

/// A suite without a mistake.
pub fn suite() -> String {
    "\
description: one unit
emulated:
  working-set-kib: 64
  decode-model: qwen
  sampling: {min-samples: 2, max-samples: 2, budget-ms: 1}
units:
  - kernel: decode
    threads: [1, half]
    decode: {model: qwen, quant: q4_0, depths: [0]}
    sampling: {min-samples: 5, max-samples: 30, budget-ms: 1500}
    deadline-s: 60
"
    .to_owned()
}
