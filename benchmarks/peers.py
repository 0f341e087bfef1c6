#!/usr/bin/env python3
"""Times memwall's kernels beside other programs on this machine, in turn, and prints medians and ratios.

Rounds go program after program, so that a machine whose speed drifts is as fast for one as for the other.
Peers: likwid-bench (Debian package `likwid`), plain loops compiled by gcc, and llama-bench, built from the source
package of `llama-cpp-python`, on a synthetic GGUF file with the shapes and formats of Qwen2.5.

    apt-get install likwid gcc cmake
    python3 -m venv venv && venv/bin/pip install gguf numpy scikit-build-core
    venv/bin/python benchmarks/peers.py --work DIR [--rounds N] [--skip-streams] [--skip-llama]
        [--skip-decode] [--skip-prefill]
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODELS = {
    # layers, hidden, ffn, heads, key-value heads, head dimension, vocabulary (config.json of Qwen/Qwen2.5-*)
    "qwen2.5-0.5b": (24, 896, 4864, 14, 2, 64, 151936),
    "qwen2.5-1.5b": (28, 1536, 8960, 12, 2, 128, 151936),
}
LOOPS = r"""
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <omp.h>
int main(int argc, char **argv) {
    const char *kind = argv[1];
    int n_arrays = !strcmp(kind, "read") || !strcmp(kind, "write") ? 1 : !strcmp(kind, "copy") ? 2 : 3;
    size_t n = strtoull(argv[2], 0, 10) / 8 / n_arrays;
    double *a[3];
    for (int k = 0; k < n_arrays; k++) {
        a[k] = aligned_alloc(2 << 20, (n * 8 + (2 << 20)) >> 21 << 21);
        madvise(a[k], n * 8, MADV_HUGEPAGE);
        #pragma omp parallel for schedule(static)
        for (size_t i = 0; i < n; i++) a[k][i] = i % 509;
    }
    double best[64];
    int rounds = 10;
    volatile double sink = 0;
    for (int r = 0; r < rounds; r++) {
        struct timespec s, e;
        clock_gettime(CLOCK_MONOTONIC, &s);
        if (!strcmp(kind, "read")) {
            double sum = 0;
            #pragma omp parallel for simd reduction(+ : sum) schedule(static)
            for (size_t i = 0; i < n; i++) sum += a[0][i];
            sink += sum;
        } else if (!strcmp(kind, "write")) {
            #pragma omp parallel for simd schedule(static)
            for (size_t i = 0; i < n; i++) a[0][i] = r;
        } else if (!strcmp(kind, "copy")) {
            #pragma omp parallel for simd schedule(static)
            for (size_t i = 0; i < n; i++) a[0][i] = a[1][i];
        } else {
            #pragma omp parallel for simd schedule(static)
            for (size_t i = 0; i < n; i++) a[0][i] = a[1][i] + 3.0 * a[2][i];
        }
        clock_gettime(CLOCK_MONOTONIC, &e);
        best[r] = (e.tv_sec - s.tv_sec) + 1e-9 * (e.tv_nsec - s.tv_nsec);
    }
    for (int r = 1; r < rounds; r++) printf("%.4f\n", n * 8.0 * n_arrays / best[r] / 1e9);
    return 0;
}
"""
# likwid-bench kernels by ours; `_mem` uses stores that bypass the caches.
LIKWID = {
    "read": "load_avx512",
    "write": "store_avx512",
    "write_nt": "store_mem_avx512",
    "copy": "copy_avx512",
    "copy_nt": "copy_mem_avx512",
    "triad": "stream_avx512",
    "triad_nt": "stream_mem_avx512",
}


def median(values):
    return statistics.median(values)


def gguf_file(path, model, quant):
    """Writes a file with the real tensor list and random finite weights; llama.cpp needs nothing else to run it."""
    import gguf
    import numpy

    layers, hidden, ffn, heads, kv_heads, head_dim, vocab = MODELS[model]
    kinds = gguf.GGMLQuantizationType
    base_kind = {"q4_0": kinds.Q4_0, "q8_0": kinds.Q8_0, "q4_k_m": kinds.Q4_K}[quant]
    output_kind = kinds.Q8_0 if quant == "q8_0" else kinds.Q6_K
    # What llama.cpp takes where a row is no whole number of blocks.
    instead = {kinds.Q4_K: kinds.Q5_0, kinds.Q6_K: kinds.Q8_0}
    # Offsets of the half-precision scales of a block, and a high byte that keeps each small and finite.
    scales = {kinds.Q4_K: ([0, 2], 0x04), kinds.Q6_K: ([208], 0x04)}
    random = numpy.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_block_count(layers)
    writer.add_context_length(8192)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(ffn)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(vocab)
    writer.add_tokenizer_model("no_vocab")

    def matrix(name, rows, cols, kind):
        if cols % gguf.GGML_QUANT_SIZES[kind][0]:
            kind = instead[kind]
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = random.integers(0, 256, (rows, cols // elements, size), dtype=numpy.uint8)
        offsets, high_byte = scales.get(kind, ([0], 0x14))
        for at in offsets:
            blocks[:, :, at + 1] = high_byte
        writer.add_tensor(name, blocks.reshape(rows, -1), raw_dtype=kind)

    def vector(name, n):
        writer.add_tensor(name, random.uniform(0.9, 1.1, n).astype(numpy.float32))

    matrix("token_embd.weight", vocab, hidden, output_kind)
    vector("output_norm.weight", hidden)
    for i in range(layers):
        b = f"blk.{i}."
        # The layers that get 6 bits in a Q4_K_M file; inventory/src/model/tensors.rs has the rule.
        more_bits = i < layers // 8 or i >= 7 * layers // 8 or (i - layers // 8) % 3 == 2
        more_kind = kinds.Q6_K if quant == "q4_k_m" and more_bits else base_kind
        vector(b + "attn_norm.weight", hidden)
        vector(b + "ffn_norm.weight", hidden)
        for name, rows in (("q", heads * head_dim), ("k", kv_heads * head_dim), ("v", kv_heads * head_dim)):
            matrix(f"{b}attn_{name}.weight", rows, hidden, more_kind if name == "v" else base_kind)
            vector(f"{b}attn_{name}.bias", rows)
        matrix(b + "attn_output.weight", hidden, heads * head_dim, base_kind)
        matrix(b + "ffn_gate.weight", ffn, hidden, base_kind)
        matrix(b + "ffn_up.weight", ffn, hidden, base_kind)
        matrix(b + "ffn_down.weight", hidden, ffn, more_kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def keep_tile_configuration(source):
    """Built by gcc 12, prompts end in an invalid instruction where ggml uses AMX. A compiler barrier before the tile
    configuration is loaded cures it: the stores to the configuration are probably dropped without it."""
    file = source / "ggml" / "src" / "ggml-cpu" / "amx" / "mmq.cpp"
    text = file.read_text()
    barrier = '__asm__ volatile("" :: "r"(&tc) : "memory");'
    if barrier not in text:
        file.write_text(text.replace("_tile_loadconfig(&tc);", f"{barrier}\n    _tile_loadconfig(&tc);"))


def build_llama(work, folder, *more_options):
    """Builds llama-bench for this CPU into its own folder, unless it is there."""
    program = work / folder / "bin" / "llama-bench"
    if not program.exists():
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation"]
        subprocess.run(pip + ["--no-binary", ":all:", "llama-cpp-python", "-d", work], check=True)
        archive = next(work.glob("llama_cpp_python-*.tar.gz"))
        subprocess.run(["tar", "xzf", archive, "-C", work], check=True)
        source = archive.with_name(archive.name.removesuffix(".tar.gz")) / "vendor" / "llama.cpp"
        keep_tile_configuration(source)
        options = ["-DGGML_NATIVE=ON", "-DBUILD_SHARED_LIBS=OFF", "-DLLAMA_CURL=OFF", "-DLLAMA_BUILD_TESTS=OFF"]
        build = work / folder
        options += more_options
        subprocess.run(["cmake", "-S", source, "-B", build, "-DCMAKE_BUILD_TYPE=Release", *options], check=True)
        jobs = str(os.cpu_count())
        subprocess.run(["cmake", "--build", build, "--target", "llama-bench", "-j", jobs], check=True)
    return program


def llama_prompt(program, file, threads):
    command = [program, "-m", file, "-p", "512", "-n", "0", "-r", "1", "-t", str(threads), "-o", "json"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output)[0]["avg_ts"]


def llama(program, file, threads):
    command = [program, "-m", file, "-p", "0", "-n", "24", "-r", "1", "-t", str(threads), "-o", "json"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output)[0]["avg_ts"]


def loops(program, kind, threads, working_set):
    env = dict(os.environ, OMP_NUM_THREADS=str(threads), OMP_PROC_BIND="true")
    command = [program, kind, str(working_set)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout
    return median([float(line) for line in output.split()])


def likwid(kind, threads, working_set):
    command = ["likwid-bench", "-t", LIKWID[kind], "-w", f"S0:{working_set // 1000}kB:{threads}", "-s", "1"]
    output = subprocess.run(command, capture_output=True, text=True).stdout
    found = re.search(r"MByte/s:\s+([\d.]+)", output)
    return float(found.group(1)) / 1000 if found else None


def memwall(program, units):
    request = {"protocol": 4, "run_id": "peers", "units": units, "deadline_ms": 600_000}
    text = json.dumps(request) + "\n"
    output = subprocess.run([program, "run"], input=text, check=True, capture_output=True, text=True).stdout
    work, times = {}, {}
    for line in output.splitlines():
        message = json.loads(line)
        if message["type"] == "unit_ready":
            work[message["unit"]] = message["work"]["read_bytes"] + message["work"]["written_bytes"]
        elif message["type"] == "sample":
            times.setdefault(message["unit"], []).append(message["elapsed_ns"] / message["iterations"])
        elif message["type"] == "unit_end" and message["status"] != "ok":
            raise SystemExit(f"{message}")
    return {unit: (work[unit] / median(ns), 1e9 / median(ns)) for unit, ns in times.items()}


def unit(name, kernel, threads, job, variant=None, n_samples=9):
    sampling = {"min_samples": n_samples, "max_samples": n_samples, "budget_ms": 1}
    return {"unit": name, "kernel": kernel, "variant": variant, "cpus": list(range(threads)), "job": job,
            "sampling": sampling, "deadline_ms": 120_000}


def decode_job(model, quant, work):
    """The request that the controller itself makes for this model."""
    path = work / f"{model}-{quant}.json"
    if not path.exists():
        suite = ROOT / "inventory" / "suites" / "peers-temporary.yaml"
        text = (ROOT / "inventory" / "suites" / "smoke.yaml").read_text()
        text = text[:text.index("units:")] + f"""units:
  - kernel: decode
    threads: [1]
    decode: {{model: {model}, quant: {quant}, depths: [0]}}
    sampling: {{min-samples: 1, max-samples: 1, budget-ms: 1}}
    deadline-s: 60
"""
        suite.write_text(text)
        try:
            command = ["cargo", "xtask", "run", "--board", "this-machine", "--suite", "peers-temporary",
                       "--runs-dir", work / "runs", "--format", "json"]
            done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        finally:
            suite.unlink()
        run_dir = pathlib.Path(json.loads(done.stdout)["run_dir"])
        request = json.loads((run_dir / "hosts" / "this-machine" / "request.json").read_text())
        path.write_text(json.dumps(request["units"][0]["job"]))
    return json.loads(path.read_text())


def row(name, unit_name, ours, peers):
    best = max(peers, key=lambda peer: median(peers[peer])) if peers else None
    cells = [f"{median(ours):.2f} ({min(ours):.2f} to {max(ours):.2f})"]
    cells += [f"{best} {median(peers[best]):.2f} ({min(peers[best]):.2f} to {max(peers[best]):.2f})"] if best else ["-"]
    ratio = f"{median([a / b for a, b in zip(ours, peers[best])]):.2f}" if best else "-"
    print(f"| {name} | {unit_name} | {' | '.join(cells)} | {ratio} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, os.cpu_count()])
    parser.add_argument("--working-set", type=int, default=1 << 30)
    parser.add_argument("--skip-streams", action="store_true")
    parser.add_argument("--skip-llama", action="store_true")
    parser.add_argument("--skip-decode", action="store_true")
    parser.add_argument("--skip-prefill", action="store_true")
    parser.add_argument("--quants", nargs="+", default=["q4_0", "q8_0", "q4_k_m"])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    built = subprocess.run(["cargo", "xtask", "build", "--format", "json"], cwd=ROOT, check=True,
                           capture_output=True, text=True)
    arch = os.uname().machine
    program = next(item["path"] for item in json.loads(built.stdout) if item["target"].startswith(arch))
    source = args.work / "loops.c"
    source.write_text(LOOPS)
    gcc_loops = args.work / "loops"
    subprocess.run(["gcc", "-O3", "-march=native", "-fopenmp", "-ffast-math", source, "-o", gcc_loops], check=True)
    print("| what | unit | memwall | best peer | ratio, round by round |\n|---|---|--:|--:|--:|")
    for kind in [] if args.skip_streams else LIKWID:
        for threads in args.threads:
            ours, peers = [], {}
            for _ in range(args.rounds):
                job = {"stream": {"working_set_bytes": args.working_set, "residency": "dram"}}
                ours.append(memwall(program, [unit("u", kind, threads, job)])["u"][0])
                rate = likwid(kind, threads, args.working_set)
                if rate:
                    peers.setdefault("likwid-bench", []).append(rate)
                if not kind.endswith("_nt"):
                    peers.setdefault("gcc loop", []).append(loops(gcc_loops, kind, threads, args.working_set))
            row(f"{kind}, {threads} threads", "GB/s", ours, peers)
    if args.skip_llama:
        return
    # AMX is compiled in with -march=native; without it the same programs show what vectors alone do.
    benches = {"llama-bench": build_llama(args.work, "llama-build")}
    has_amx = "amx_int8" in pathlib.Path("/proc/cpuinfo").read_text()
    if has_amx:
        without = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
        flags = [f"-DCMAKE_C_FLAGS={without}", f"-DCMAKE_CXX_FLAGS={without}"]
        benches["llama-bench without AMX"] = build_llama(args.work, "llama-build-no-amx", *flags)
    for model in args.models:
        for quant in args.quants:
            file = args.work / f"{model}-{quant}.gguf"
            if not file.exists():
                gguf_file(file, model, quant)
            job = decode_job(model, quant, args.work)
            for threads in [] if args.skip_prefill else args.threads:
                # The best variant against the peer as it is, and vectors against vectors.
                for peer, variant in zip(benches, (None, "avx512-vnni")):
                    ours, peers = [], {peer: []}
                    for _ in range(args.rounds):
                        prompt = {"prefill": {"model": job["decode"]["model"], "n_prompt": 512}}
                        units = [unit("p", "prefill", threads, prompt, variant, 3)]
                        ours.append(512 * memwall(program, units)["p"][1])
                        peers[peer].append(llama_prompt(benches[peer], file, threads))
                    name = f"pp512 {model} {quant}, {threads} threads, {variant or 'best variant'}"
                    row(name, "tokens/s", ours, peers)
            for threads in [] if args.skip_decode else args.threads:
                ours, reads, peers = [], [], {"llama-bench": []}
                for _ in range(args.rounds):
                    read = {"stream": {"working_set_bytes": args.working_set, "residency": "dram"}}
                    units = [unit("d", "decode", threads, job), unit("r", "read", threads, read)]
                    result = memwall(program, units)
                    ours.append(result["d"][1])
                    reads.append(result["d"][0] / result["r"][0])
                    peers["llama-bench"].append(llama(benches["llama-bench"], file, threads))
                row(f"decode {model} {quant}, {threads} threads; {median(reads):.2f} of read", "tokens/s", ours, peers)


if __name__ == "__main__":
    main()
