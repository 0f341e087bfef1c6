#!/usr/bin/env python3
"""Times memwall's kernels beside other programs on this machine, in turn, and prints medians and ratios.

Rounds go program after program, so that a machine whose speed drifts is as fast for one as for the other.
Works on any x86_64 or aarch64 Linux; a peer that is not installed is left out. Peers: likwid-bench, mbw and sysbench
(Debian packages of these names), plain loops compiled by gcc and clang with ordinary and with non-temporal stores, and
llama-bench, built from the source package of `llama-cpp-python`, on a synthetic GGUF file with the shapes and formats of
Qwen2.5.

    apt-get install likwid mbw sysbench gcc g++ clang cmake python3-venv
    python3 -m venv venv && venv/bin/pip install gguf numpy scikit-build-core
    venv/bin/python benchmarks/peers.py --work DIR [--rounds N] [--skip-streams] [--skip-levels] [--skip-llama]
        [--skip-decode] [--skip-prefill] [--variants avx2]
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
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
// Plain loops, one contiguous part of each array a thread; `nontemporal` stores with compilers that have the builtin.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <sched.h>
#ifdef NT
#define STORE(at, value) __builtin_nontemporal_store(value, at)
#else
#define STORE(at, value) (*(at) = (value))
#endif
enum { ROUNDS = 10 };
static const char *kind;
static size_t n;
static int n_arrays;
static pthread_barrier_t barrier;
static volatile double sink;
static __attribute__((noinline)) double read_(const double *restrict a) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i];
    return sum;
}
static __attribute__((noinline)) void write_(double *restrict a, double value) {
    for (size_t i = 0; i < n; i++) STORE(a + i, value);
}
static __attribute__((noinline)) void copy_(double *restrict a, const double *restrict b) {
    for (size_t i = 0; i < n; i++) STORE(a + i, b[i]);
}
static __attribute__((noinline)) void triad_(double *restrict a, const double *restrict b, const double *restrict c) {
    for (size_t i = 0; i < n; i++) STORE(a + i, b[i] + 3.0 * c[i]);
}
static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}
static void *work(void *of) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET((size_t)of, &cpus);
    pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
    double *a[3];
    for (int k = 0; k < n_arrays; k++) {
        a[k] = __builtin_assume_aligned(aligned_alloc(2 << 20, (n * 8 + (2 << 20)) >> 21 << 21), 64);
        madvise(a[k], n * 8, MADV_HUGEPAGE);
        for (size_t i = 0; i < n; i++) a[k][i] = i % 509;
    }
    for (int r = 0; r < ROUNDS; r++) {
        pthread_barrier_wait(&barrier);
        double started = seconds();
        if (!strcmp(kind, "read")) sink += read_(a[0]);
        else if (!strcmp(kind, "write")) write_(a[0], r);
        else if (!strcmp(kind, "copy")) copy_(a[0], a[1]);
        else triad_(a[0], a[1], a[2]);
        pthread_barrier_wait(&barrier);
        if (r && !of) printf("%.9f\n", seconds() - started);
    }
    return 0;
}
int main(int argc, char **argv) {
    kind = argv[1];
    n_arrays = !strcmp(kind, "read") || !strcmp(kind, "write") ? 1 : !strcmp(kind, "copy") ? 2 : 3;
    size_t n_threads = atoi(argv[3]);
    n = strtoull(argv[2], 0, 10) / 8 / n_arrays / n_threads / 8 * 8;
    pthread_barrier_init(&barrier, 0, n_threads);
    pthread_t threads[256];
    for (size_t t = 1; t < n_threads; t++) pthread_create(threads + t, 0, work, (void *)t);
    work(0);
    for (size_t t = 1; t < n_threads; t++) pthread_join(threads[t], 0);
    return 0;
}
"""
CHASE = r"""
// Dependent loads in random order, one after the other, over lines of 64 bytes; prints nanoseconds per load.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
static uint64_t state = 88172645463325252u;
static uint64_t random_(void) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
}
int main(int argc, char **argv) {
    size_t n = strtoull(argv[1], 0, 10) / 64, steps = 1 << 22;
    char *base = aligned_alloc(2 << 20, (n * 64 + (2 << 20)) >> 21 << 21);
    madvise(base, n * 64, strcmp(argv[2], "huge") ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
    size_t *order = malloc(n * sizeof *order);
    for (size_t i = 0; i < n; i++) order[i] = i;
    for (size_t i = n - 1; i; i--) {
        size_t j = random_() % i, kept = order[i];
        order[i] = order[j], order[j] = kept;
    }
    for (size_t i = 0; i < n; i++) *(void **)(base + 64 * i) = base + 64 * order[i];
    void **at = (void **)base;
    for (int round = 0; round < 9; round++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (size_t i = 0; i < steps; i++) at = *at;
        clock_gettime(CLOCK_MONOTONIC, &b);
        if (round) printf("%.4f\n", ((b.tv_sec - a.tv_sec) * 1e9 + b.tv_nsec - a.tv_nsec) / steps);
    }
    return at == 0;
}
"""
KINDS = ["read", "write", "write_nt", "copy", "copy_nt", "triad", "triad_nt"]
# Ours by the stem of likwid-bench's kernels, each of which exists for several widths of vectors.
LIKWID = {"read": ["load"], "write": ["store"], "write_nt": ["store_mem"], "copy": ["copy"], "copy_nt": ["copy_mem"],
          "triad": ["stream"], "triad_nt": ["stream_mem"]}
# Widths as likwid-bench names them, by the flag in /proc/cpuinfo that they need.
WIDTHS = [("avx512_fma", "avx512f"), ("avx512", "avx512f"), ("avx_fma", "fma"), ("avx", "avx"), ("sse", "sse2"),
          ("sve512", "sve"), ("sve256", "sve"), ("sve128", "sve"), ("sve", "sve"), ("neon_fma", "asimd"),
          ("neon", "asimd")]


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


def rate_of(command, pattern=r"([\d.]+)", **more):
    """The first figure that matches; none where the program is missing or fails."""
    try:
        output = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more).stdout
    except FileNotFoundError:
        return None
    found = re.search(pattern, output)
    return float(found.group(1)) if found else None


def loops(program, kind, threads, working_set):
    command = [program, kind, str(working_set), str(threads)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    n_arrays = {"read": 1, "write": 1, "copy": 2, "triad": 3}[kind]
    n = working_set // 8 // n_arrays // threads // 8 * 8
    return n * 8 * n_arrays * threads / median([float(line) for line in output.split()]) / 1e9


def likwid(kernel, threads, working_set):
    rate = rate_of(["likwid-bench", "-t", kernel, "-w", f"S0:{working_set // 1000}kB:{threads}", "-s", "1"],
                   r"MByte/s:\s+([\d.]+)")
    return rate and rate / 1000


def mbw(threads, working_set):
    """Counts what it copied once."""
    command = ["taskset", "-c", "0", "mbw", "-q", "-t0", "-n", "5", str(working_set // 2 >> 20)]
    rate = rate_of(command, r"AVG.*Copy:\s+([\d.]+)")
    return rate and 2 * rate * (1 << 20) / 1e9


def sysbench(operation, threads, working_set):
    command = ["sysbench", "memory", f"--memory-block-size={working_set // threads}", f"--memory-oper={operation}",
               "--memory-scope=local", f"--threads={threads}", "--time=1", "--memory-total-size=1T", "run"]
    rate = rate_of(command, r"\(([\d.]+) MiB/sec\)")
    return rate and rate * (1 << 20) / 1e9


def stream_peers(args, kind, threads, size=None):
    """What a kernel is compared with here, by name."""
    flags = set(re.search(r"(?:flags|Features)\s*: (.*)", args.cpuinfo).group(1).split())
    listed = subprocess.run(["likwid-bench", "-a"], capture_output=True, text=True).stdout if args.has_likwid else ""
    names = {line.split(" - ")[0].strip() for line in listed.splitlines()}
    kernels = [name for stem in LIKWID[kind] for width, flag in WIDTHS if flag in flags
               for name in [f"{stem}_{width}"] if name in names]
    size = size or args.working_set
    peers = {f"likwid {kernel}": lambda kernel=kernel: likwid(kernel, threads, size) for kernel in kernels[:3]}
    if size < args.working_set:
        # Loops are timed pass by pass, and a pass over a cache is too short for a clock.
        return peers
    plain = kind.removesuffix("_nt")
    for compiler, program in args.loops[kind.endswith("_nt")].items():
        peers[f"{compiler} loop"] = lambda program=program: loops(program, plain, threads, size)
    if plain == "copy" and threads == 1:
        peers["mbw"] = lambda: mbw(threads, size)
    if kind in ("read", "write"):
        peers["sysbench"] = lambda: sysbench(kind, threads, size)
    return peers


def chase(program, working_set, pages):
    command = [program, str(working_set), pages]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return median([float(line) for line in output.split()])


def lat_mem_rd(working_set):
    """Of lmbench, with random order: it is slow to end with large sets, so the line of interest is waited for."""
    program = shutil.which("lat_mem_rd") or next(iter(pathlib.Path("/usr/lib/lmbench").rglob("lat_mem_rd")), None)
    if program is None:
        return None
    process = subprocess.Popen([program, "-t", "-P", "1", "-N", "3", f"{max(1, working_set >> 20)}M", "64"],
                               stderr=subprocess.PIPE, text=True, start_new_session=True)
    last = None
    for line in process.stderr:
        fields = line.split()
        if len(fields) == 2 and fields[0].replace(".", "").isdigit():
            size, last = float(fields[0]) * (1 << 20), float(fields[1])
            if size >= working_set:
                break
    # Its children do the work, and ignore a friendlier signal.
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return last


def levels(args, program):
    """One thread in half of each cache, an eighth of the last one, which others use too, and in memory: streams,
    dependent loads, arithmetic."""
    caches = subprocess.run(["lscpu", "-C=NAME,ONE-SIZE,TYPE", "-B"], capture_output=True, text=True).stdout
    sizes = {fields[0]: int(fields[1]) // 2 for fields in map(str.split, caches.splitlines()[1:])
             if fields[2] != "Instruction"}
    sizes[list(sizes)[-1]] //= 4
    sizes["memory"] = args.working_set // 4

    def table(name, unit_name, job, kernel, peers, threads=1, counted=None, **more):
        ours, rates = [], {peer: [] for peer in peers}
        for _ in range(args.rounds):
            result = memwall(program, [unit("u", kernel, threads, job, None, 100) | more], operations=counted)["u"]
            ours.append(1 / result[0] if counted == "ns" else result[0])
            for peer, measure in peers.items():
                rates[peer].append(measure() or 0)
        row(name, unit_name, ours, rates, SHAPES.pop("u", []), least=counted == "ns")

    for level, size in sizes.items():
        job = {"stream": {"working_set_bytes": size, "residency": "sweep"}}
        for kind in ("read", "copy"):
            peers = stream_peers(args, kind, 1, size)
            table(f"{kind} in {level}, {size >> 10} KiB", "GB/s", job, kind, peers)
    for level, size in sizes.items():
        for pages in ("huge", "small"):
            job = {"latency": {"working_set_bytes": size, "residency": "sweep", "n_chains": 1, "pages": pages}}
            peers = {"loop": lambda size=size, pages=pages: chase(args.chase, size, pages)}
            if pages == "small" and level != "memory":
                peers["lat_mem_rd"] = lambda size=size: lat_mem_rd(size)
            table(f"latency in {level}, {size >> 10} KiB, {pages} pages", "ns", job, "latency", peers, counted="ns")
    flags = args.cpuinfo.split()
    for width, flag in [("avx512_fma", "avx512f"), ("avx_fma", "fma"), ("neon_fma", "asimd")]:
        if flag in flags and args.has_likwid:
            peers = {f"likwid peakflops_sp_{width}": lambda width=width: likwid_flops(f"peakflops_sp_{width}")}
            table("peak_f32", "Gop/s", {"peak": {}}, "peak_f32", peers, counted="ops")


def likwid_flops(kernel):
    rate = rate_of(["likwid-bench", "-t", kernel, "-w", "S0:16kB:1", "-s", "1"], r"MFlops/s:\s+([\d.]+)")
    return rate and rate / 1000


def compile_loops(work):
    """The loops by whether their stores bypass the caches and by compiler, as far as each is here."""
    source = work / "loops.c"
    source.write_text(LOOPS)
    native = "-mcpu=native" if os.uname().machine == "aarch64" else "-march=native"
    programs = {False: {}, True: {}}
    # Or the loop that copies becomes a call of memcpy, whose stores bypass the caches.
    no_memcpy = {"gcc": "-fno-tree-loop-distribute-patterns", "clang": "-fno-builtin"}
    for bypass, compiler in ((False, "gcc"), (False, "clang"), (True, "clang")):
        program = work / f"loops-{compiler}{'-nt' if bypass else ''}"
        command = [compiler, "-O3", native, "-ffast-math", "-pthread", "-D_GNU_SOURCE",
                   no_memcpy[compiler], *["-DNT"] * bypass, source,
                   "-o", program]
        try:
            subprocess.run(command, check=True)
            programs[bypass][compiler] = program
        except FileNotFoundError:
            print(f"{compiler} is not installed", file=sys.stderr)
    return programs


def protocol_of(program):
    """The version that the board program speaks, from its greeting."""
    greeting = subprocess.run([program, "facts"], check=True, capture_output=True, text=True).stdout
    return json.loads(greeting.splitlines()[0])["protocol"]


def memwall(program, units, operations=False):
    """Bytes, or operations, in a nanosecond and iterations in a second, by unit."""
    request = {"protocol": protocol_of(program), "run_id": "peers", "units": units, "deadline_ms": 600_000}
    text = json.dumps(request) + "\n"
    output = subprocess.run([program, "run"], input=text, check=True, capture_output=True, text=True).stdout
    ready, times = {}, {}
    for line in output.splitlines():
        message = json.loads(line)
        if message["type"] == "unit_ready":
            ready[message["unit"]] = message
        elif message["type"] == "sample":
            times.setdefault(message["unit"], []).append(message["elapsed_ns"] / message["iterations"])
        elif message["type"] == "unit_end" and message["status"] != "ok":
            raise SystemExit(f"{message}")
    for name, message in ready.items():
        race = message.get("race")
        if race:
            SHAPES.setdefault(name, []).append(message["shape"])
            RACE_MS.append(race["elapsed_ns"] / 1e6)
    counted = ("ops",) if operations else ("read_bytes", "written_bytes")
    work = {name: sum(message["work"][key] for key in counted) for name, message in ready.items()}
    return {unit: (work[unit] / median(ns), 1e9 / median(ns)) for unit, ns in times.items()}


# Shapes that won, by unit, and what choosing them took.
SHAPES, RACE_MS = {}, []


def unit(name, kernel, threads, job, variant=None, n_samples=9):
    sampling = {"min_samples": n_samples, "max_samples": n_samples, "budget_ms": 4000}
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


def row(name, unit_name, ours, peers, shapes=(), least=False):
    peers = {peer: rates for peer, rates in peers.items() if all(rates)}
    best = (min if least else max)(peers, key=lambda peer: median(peers[peer])) if peers else None
    cells = [f"{median(ours):.2f} ({min(ours):.2f} to {max(ours):.2f})"]
    cells += [f"{best} {median(peers[best]):.2f} ({min(peers[best]):.2f} to {max(peers[best]):.2f})"] if best else ["-"]
    ratio = f"{median([a / b for a, b in zip(ours, peers[best])]):.2f}" if best else "-"
    others = ", ".join(f"{peer} {median(rates):.2f}" for peer, rates in peers.items() if peer != best)
    shapes = ", ".join(sorted(set(shapes), key=lambda shape: -list(shapes).count(shape)))
    print(f"| {name} | {unit_name} | {' | '.join(cells)} | {ratio} | {shapes} | {others} |", flush=True)


def streams(args, program):
    for kind in args.kinds:
        for threads in args.threads:
            peers = stream_peers(args, kind, threads)
            for variant in args.variants:
                ours, rates = [], {peer: [] for peer in peers}
                SHAPES.clear()
                for _ in range(args.rounds):
                    job = {"stream": {"working_set_bytes": args.working_set, "residency": "dram"}}
                    ours.append(memwall(program, [unit("u", kind, threads, job, variant)])["u"][0])
                    for peer, measure in peers.items():
                        rates[peer].append(measure())
                name = f"{kind}, {threads} threads" + (f", {variant}" if variant else "")
                row(name, "GB/s", ours, rates, SHAPES.get("u", []))
    if RACE_MS:
        print(f"\n{len(RACE_MS)} races took {median(RACE_MS):.0f} ms ({min(RACE_MS):.0f} to {max(RACE_MS):.0f})\n")


def print_cpu(args):
    """What every table must say: rates are of one machine."""
    lines = subprocess.run(["lscpu"], capture_output=True, text=True, env=dict(os.environ, LC_ALL="C")).stdout
    facts = dict(line.split(":", 1) for line in lines.splitlines() if ":" in line)
    names = ("Vendor ID", "Model name", "CPU family", "Model", "CPU(s)", "L2 cache", "L3 cache", "Hypervisor vendor")
    print("; ".join(f"{name} {facts[name].strip()}" for name in names if name in facts))
    vectors = re.findall(r"\b(?:avx\w*|amx\w*|fma|asimd\w*|sve\w*|i8mm)\b", args.cpuinfo.split("\n\n")[0])
    print(f"Vectors: {' '.join(dict.fromkeys(vectors))}; {args.rounds} rounds\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, os.cpu_count()}))
    parser.add_argument("--working-set", type=int, default=1 << 30)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--variants", nargs="+", default=[None], help="force these (`avx2`) instead of the best")
    parser.add_argument("--skip-streams", action="store_true")
    parser.add_argument("--skip-levels", action="store_true")
    parser.add_argument("--skip-llama", action="store_true")
    parser.add_argument("--skip-decode", action="store_true")
    parser.add_argument("--skip-prefill", action="store_true")
    parser.add_argument("--quants", nargs="+", default=["q4_0", "q8_0", "q4_k_m"])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    args.cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    args.has_likwid = shutil.which("likwid-bench") is not None
    built = subprocess.run(["cargo", "xtask", "build", "--format", "json"], cwd=ROOT, check=True,
                           capture_output=True, text=True)
    arch = os.uname().machine
    program = next(item["path"] for item in json.loads(built.stdout) if item["target"].startswith(arch))
    args.loops = compile_loops(args.work)
    args.chase = args.work / "chase"
    (args.work / "chase.c").write_text(CHASE)
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", args.work / "chase.c", "-o", args.chase], check=True)
    print_cpu(args)
    print("| what | unit | memwall | best peer | ratio, round by round | shapes | other peers |")
    print("|---|---|--:|--:|--:|---|---|")
    if not args.skip_streams:
        streams(args, program)
    if not args.skip_levels:
        levels(args, program)
    if args.skip_llama:
        return
    # AMX is compiled in with -march=native; without it the same programs show what vectors alone do.
    benches = {"llama-bench": build_llama(args.work, "llama-build")}
    has_amx = "amx_int8" in args.cpuinfo
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
                pairs = [("llama-bench", variant) for variant in args.variants]
                pairs += [("llama-bench without AMX", "avx512-vnni")] if has_amx else []
                for peer, variant in pairs:
                    ours, peers = [], {peer: []}
                    for _ in range(args.rounds):
                        prompt = {"prefill": {"model": job["decode"]["model"], "n_prompt": 512}}
                        units = [unit("p", "prefill", threads, prompt, variant, 3)]
                        ours.append(512 * memwall(program, units)["p"][1])
                        peers[peer].append(llama_prompt(benches[peer], file, threads))
                    name = f"pp512 {model} {quant}, {threads} threads, {variant or 'best variant'}"
                    row(name, "tokens/s", ours, peers)
            for threads in [] if args.skip_decode else args.threads:
                for variant in args.variants:
                    ours, reads, peers = [], [], {"llama-bench": []}
                    SHAPES.clear()
                    for _ in range(args.rounds):
                        read = {"stream": {"working_set_bytes": args.working_set, "residency": "dram"}}
                        units = [unit("d", "decode", threads, job, variant), unit("r", "read", threads, read, variant)]
                        result = memwall(program, units)
                        ours.append(result["d"][1])
                        reads.append(result["d"][0] / result["r"][0])
                        peers["llama-bench"].append(llama(benches["llama-bench"], file, threads))
                    name = f"decode {model} {quant}, {threads} threads, {variant or 'best variant'}"
                    row(f"{name}; {median(reads):.2f} of read", "tokens/s", ours, peers, SHAPES.get("d", []))


if __name__ == "__main__":
    main()
