#!/usr/bin/env python3
"""Writes the small GGUF files beside it, and what the format's own reader says of them.

Needs the package `gguf` from PyPI (written with 0.19.0). The weights are arbitrary, all else is as in real files.
"""

import json
import struct
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Q
from gguf import GGUFReader, GGUFWriter, quants

HERE = Path(__file__).parent
RNG = np.random.default_rng(1)


def add(writer, name, shape, kind):
    data = RNG.standard_normal(shape, dtype=np.float32)
    if kind == Q.F32:
        writer.add_tensor(name, data)
    else:
        writer.add_tensor(name, quants.quantize(data, kind), raw_dtype=kind)


def describe(writer, arch, layers, heads, kv_heads, vocab):
    writer.add_name("Tiny " + arch.capitalize())
    writer.add_block_count(layers)
    writer.add_context_length(256)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f"<token {i}>" for i in range(vocab)])
    writer.add_token_scores([-float(i) for i in range(vocab)])
    writer.add_token_types([1] * vocab)
    writer.add_chat_template("{{ message }} " * 80)


def layer(writer, idx, kv_rows, kind, bias=False):
    blk = f"blk.{idx}."
    add(writer, blk + "attn_norm.weight", (32,), Q.F32)
    for letter, rows in (("q", 32), ("k", kv_rows), ("v", kv_rows)):
        add(writer, f"{blk}attn_{letter}.weight", (rows, 32), kind)
        if bias:
            add(writer, f"{blk}attn_{letter}.bias", (rows,), Q.F32)
    add(writer, blk + "attn_output.weight", (32, 32), kind)
    add(writer, blk + "ffn_norm.weight", (32,), Q.F32)


def dense(writer, idx, kind):
    add(writer, f"blk.{idx}.ffn_gate.weight", (64, 32), kind)
    add(writer, f"blk.{idx}.ffn_up.weight", (64, 32), kind)
    add(writer, f"blk.{idx}.ffn_down.weight", (32, 64), kind)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tied(path, **options):
    """Llama with a tied table and rotary frequency factors, Q4_0."""
    writer = GGUFWriter(path, "llama", **options)
    describe(writer, "llama", 2, 4, 2, 64)
    add(writer, "token_embd.weight", (64, 32), Q.Q8_0)
    add(writer, "rope_freqs.weight", (4,), Q.F32)
    for idx in range(2):
        layer(writer, idx, 16, Q.Q4_0)
        dense(writer, idx, Q.Q4_0)
    add(writer, "output_norm.weight", (32,), Q.F32)
    finish(writer)


def untied(path):
    """Qwen 2 with biases, a separate output matrix, values of every type and alignment 64, Q8_0."""
    writer = GGUFWriter(path, "qwen2")
    writer.add_custom_alignment(64)
    describe(writer, "qwen2", 1, 2, [2], 48)
    writer.add_uint8("test.uint8", 255)
    writer.add_int8("test.int8", -128)
    writer.add_uint16("test.uint16", 65535)
    writer.add_int16("test.int16", -32768)
    writer.add_int32("test.int32", -2147483648)
    writer.add_uint64("test.uint64", 2**64 - 1)
    writer.add_int64("test.int64", -(2**63))
    writer.add_float64("test.float64", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_array("test.nested", [[1, 2], [3]])
    add(writer, "token_embd.weight", (48, 32), Q.Q8_0)
    layer(writer, 0, 32, Q.Q8_0, bias=True)
    dense(writer, 0, Q.Q8_0)
    add(writer, "output_norm.weight", (32,), Q.F32)
    add(writer, "output.weight", (48, 32), Q.Q8_0)
    finish(writer)


def experts(path):
    """Four experts in one layer, two of them in use, Q4_0."""
    writer = GGUFWriter(path, "llama")
    describe(writer, "llama", 1, 4, 4, 64)
    writer.add_expert_count(4)
    writer.add_expert_used_count(2)
    add(writer, "token_embd.weight", (64, 32), Q.Q8_0)
    layer(writer, 0, 32, Q.Q4_0)
    add(writer, "blk.0.ffn_gate_inp.weight", (4, 32), Q.F32)
    add(writer, "blk.0.ffn_gate_exps.weight", (4, 32, 32), Q.Q4_0)
    add(writer, "blk.0.ffn_up_exps.weight", (4, 32, 32), Q.Q4_0)
    add(writer, "blk.0.ffn_down_exps.weight", (4, 32, 32), Q.Q4_0)
    add(writer, "output_norm.weight", (32,), Q.F32)
    add(writer, "output.weight", (64, 32), Q.Q8_0)
    finish(writer)


def expected(path):
    reader = GGUFReader(path)
    return {
        "data_start": int(reader.data_offset),
        "tensors": [
            {
                "name": tensor.name,
                "dims": [int(dim) for dim in tensor.shape],
                "type": tensor.tensor_type.name.lower(),
                "n_elements": int(tensor.n_elements),
                "n_bytes": int(tensor.n_bytes),
                "data_offset": int(tensor.data_offset),
            }
            for tensor in reader.tensors
        ],
    }


for old in HERE.glob("*.gguf"):
    old.unlink()
tied(HERE / "tied.gguf")
untied(HERE / "untied.gguf")
experts(HERE / "experts.gguf")
tied(HERE / "split.gguf", split_max_tensors=8)
# Versions 2 and 3 differ in nothing but the number, as far as little-endian files go.
bytes_v3 = (HERE / "experts.gguf").read_bytes()
(HERE / "version2.gguf").write_bytes(bytes_v3[:4] + struct.pack("<I", 2) + bytes_v3[8:])
files = sorted(HERE.glob("*.gguf"))
golden = {path.name: expected(path) for path in files}
text = json.dumps(golden).replace('{"name"', '\n{"name"')
(HERE / "expected.json").write_text(text + "\n")
