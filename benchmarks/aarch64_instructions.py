#!/usr/bin/env python3
"""Counts the instructions of aarch64 inner loops per multiply-add or per 64 bytes, from a disassembly.

A loop is the run of instructions from the target of a backward branch to that branch; of each function named, the
innermost loops that multiply are listed. An instruction of SDOT makes 16 multiply-adds, one of SMMLA 32: what a loop
executes per multiply-add is its length divided by these. The last column is the length of the loop around it, with one
turn of the inner one; loops further out (rows, tiles of tokens) are not counted. With `--bytes` it is the loops that move
the most vectors of each function, and what is counted are the bytes that these loads and stores move.

A loop of ours has no unpacking: panels are unpacked before it, once for all tokens. One of ggml's for Q4_0 unpacks
nibbles; those for Q8_0 have nothing to unpack. Where a loop makes several turns inside another that belongs to the product,
as over the sub-blocks of a block of 256, add by hand: (loop around it - loop) + turns x loop.

    RUSTFLAGS='-C symbol-mangling-version=v0' CARGO_PROFILE_RELEASE_STRIP=false cargo build --release --package bench-kernels \\
        --target aarch64-unknown-linux-musl --target-dir DIR
    benchmarks/aarch64_instructions.py DIR/aarch64-unknown-linux-musl/release/bench-kernels 'neon.*(gemv|multiply)'
    benchmarks/aarch64_instructions.py --bytes DIR/aarch64-unknown-linux-musl/release/bench-kernels 'neon::STREAMS'

    aarch64-linux-gnu-g++ -O3 -std=gnu++17 -march=armv8.2-a+fp16+dotprod -I ggml/include -I ggml/src \\
        -I ggml/src/ggml-cpu -c ggml/src/ggml-cpu/arch/arm/repack.cpp -o repack.o
    benchmarks/aarch64_instructions.py repack.o 'ggml_gem[mv]_q[48]'
"""

import argparse
import re
import subprocess

LINE = re.compile(r"^\s*([0-9a-f]+):\s+(?:[0-9a-f]{8}\s+)?(\S+)\s*(.*)$")
FUNCTION = re.compile(r"^([0-9a-f]+) <(.*)>:$")
BRANCH = re.compile(r"^(b\.\w+|b|cbn?z|tbn?z)$")


def functions(objdump, file):
    name, body = None, []
    text = subprocess.run([objdump, "-d", "-C", "--no-show-raw-insn", file], check=True, capture_output=True, text=True)
    for line in text.stdout.splitlines():
        if found := FUNCTION.match(line):
            if name:
                yield name, body
            name, body = found.group(2), []
        elif found := LINE.match(line):
            body.append((int(found.group(1), 16), found.group(2), found.group(3)))
    if name:
        yield name, body


def loops(body):
    """Innermost loops: (first address, mnemonics, instructions of the loop around it with one turn of this one)."""
    index = {address: place for place, (address, _, _) in enumerate(body)}
    spans = []
    for place, (address, mnemonic, operands) in enumerate(body):
        if BRANCH.match(mnemonic):
            target = re.search(r"\b(?:0x)?([0-9a-f]+) <.*>(?:\s*//.*)?$", operands)
            first = index.get(int(target.group(1), 16)) if target else None
            if first is not None and first <= place:
                spans.append((first, place))
    for first, last in sorted(set(spans)):
        if not any((a, b) != (first, last) and first <= a and b <= last for a, b in spans):
            around = [b - a + 1 for a, b in spans if (a, b) != (first, last) and a <= first and last <= b]
            yield body[first][0], body[first:last + 1], min(around, default=0)


def moved_bytes(mnemonic, operands):
    """Bytes that a load or store of vectors of 128 bits moves; 0 for anything else."""
    registers = len(re.findall(r"\bq\d+", operands.split("[")[0]))
    return 16 * registers if re.match(r"(ld|st)n?[pr]", mnemonic) else 0


def print_bytes(name, body):
    loops_of = [[(mnemonic, moved_bytes(mnemonic, operands)) for _, mnemonic, operands in loop]
                for _, loop, _ in loops(body)]
    loop = max(loops_of, key=lambda loop: sum(moved for _, moved in loop), default=[])
    n_bytes = sum(moved for _, moved in loop)
    if n_bytes:
        memory = sum(moved > 0 for _, moved in loop)
        asked = sum(mnemonic == "prfm" for mnemonic, _ in loop)
        print(f"| {name} | {len(loop)} | {memory} | {asked} | {n_bytes} | {64 * len(loop) / n_bytes:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("pattern", help="regular expression for the names of functions")
    parser.add_argument("--bytes", action="store_true", help="count per 64 bytes that are moved")
    parser.add_argument("--objdump", default="aarch64-linux-gnu-objdump")
    args = parser.parse_args()
    if args.bytes:
        print("| function | instructions | loads and stores | prfm | bytes | instructions per 64 bytes |")
        print("|---|--:|--:|--:|--:|--:|")
        for name, body in functions(args.objdump, args.file):
            if re.search(args.pattern, name):
                print_bytes(name, body)
        return
    print("| function | loop at | instructions | sdot | smmla | loads and stores | instructions per 32 multiply-adds "
          "| loop around it |")
    print("|---|---|--:|--:|--:|--:|--:|--:|")
    for name, body in functions(args.objdump, args.file):
        if not re.search(args.pattern, name):
            continue
        for address, loop, around in loops(body):
            mnemonics = [mnemonic for _, mnemonic, _ in loop]
            sdot, smmla = mnemonics.count("sdot"), mnemonics.count("smmla")
            products = 16 * sdot + 32 * smmla
            if products:
                memory = sum(re.match(r"(ld|st)", mnemonic) is not None for mnemonic in mnemonics)
                rate = 32 * len(mnemonics) / products
                print(f"| {name} | {address:x} | {len(mnemonics)} | {sdot} | {smmla} | {memory} | {rate:.2f} | {around} |")


if __name__ == "__main__":
    main()
