#!/usr/bin/env python3
"""Measures the benchmark guests on every emulator that is there, interleaved.

usage: measure.py FOLDER [--hyperstep FILE] [--guest NAME]... [--seconds N] [--runs N] [--json FILE]

  FOLDER             with the images (build/release/guests)
  --hyperstep FILE   our binary; its --result says how many instructions a repetition has
  --guest NAME       one of integer, calls, ...; may be given again. Default: all
  --seconds N        about as long is each run (1)
  --runs N           runs of each guest on each emulator, the best counts (3)
  --json FILE        the results as `./dev bench --json` has them

A value is repetitions a second, without the time to start: from a run of many repetitions and a run of one. With
--hyperstep it is millions of guest instructions a second, the count taken from our emulator for all of them. QEMU and
Bochs that are not installed are left out of the text, and are null as a baseline. Status: 0, 1 a guest failed, 2 usage.
"""
import argparse
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUESTS = ("integer", "calls", "chase", "strings", "spaces", "selfmod", "sse", "syscalls", "interrupts")
spec = importlib.util.spec_from_file_location("compare", ROOT / "tests" / "guests" / "compare.py")
compare = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compare)


def seconds(image, emulator, repetitions):
    """How long a run takes. Missing and Failed are compare's."""
    options = argparse.Namespace(image=image, smp=1, append=f"n={repetitions}", show=False, timeout=600,
                                 boot_sector=image.with_name("boot_disk.bin"))
    start = time.monotonic()
    compare.transcript(emulator, options)
    return time.monotonic() - start


def instructions(image, program, repetitions):
    with tempfile.NamedTemporaryFile(suffix=".json") as result:
        subprocess.run([program, "run", "--memory", f"{compare.MEMORY_MIB}M", "--append", f"n={repetitions}", "--result",
                        result.name, str(image)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return json.loads(pathlib.Path(result.name).read_text())["instructions"]


def repetitions_for(image, emulator, wanted):
    """Doubled until a run is about as long as wanted."""
    one = seconds(image, emulator, 1)
    count = 2
    while seconds(image, emulator, count) - one < wanted / 2 and count < 1 << 20:
        count *= 2
    return count


def measure(guest, image, emulators, options):
    """{emulator: repetitions a second}; one that is not installed is left out."""
    counts = {}
    for emulator in emulators:
        try:
            counts[emulator] = repetitions_for(image, emulator, options.seconds)
        except compare.Missing as missing:
            print(f"{guest}: {missing} is not installed", file=sys.stderr)
    best = {}
    for _ in range(options.runs):
        for emulator, count in counts.items():
            taken = seconds(image, emulator, count) - seconds(image, emulator, 1)
            best[emulator] = max(best.get(emulator, 0.0), (count - 1) / max(taken, 1e-6))
    return best


def rows(guest, rates, per_repetition, runs):
    """The results of one guest: each emulator's, compared with Bochs."""
    scale, unit = (per_repetition / 1e6, "MIPS") if per_repetition else (1, "repetitions/s")
    result = []
    for emulator, rate in rates.items():
        name = emulator if emulator in ("qemu", "bochs") else "hyperstep"
        baseline = "bochs" in rates and name != "bochs"
        result.append({"name": f"guests/{guest}/{name}", "unit": unit, "value": rate * scale,
                       "baseline": f"guests/{guest}/bochs" if baseline else None,
                       "ratio": rate / rates["bochs"] if baseline else None, "runs": runs})
    return result


def main():
    parser = argparse.ArgumentParser(description="see the head of this file")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--hyperstep")
    parser.add_argument("--guest", action="append", choices=GUESTS)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    emulators = ([options.hyperstep] if options.hyperstep else []) + ["qemu", "bochs"]
    results = []
    for guest in options.guest or GUESTS:
        image = options.folder / f"bench_{guest}"
        if not image.is_file():
            parser.error(f"there is no image {image}")
        try:
            rates = measure(guest, image, emulators, options)
            per_repetition = 0
            if options.hyperstep:
                per_repetition = (instructions(image, options.hyperstep, 3) - instructions(image, options.hyperstep, 1)) / 2
        except compare.Failed as failed:
            print(f"{guest}: {failed}", file=sys.stderr)
            return 1
        found = rows(guest, rates, per_repetition, options.runs)
        results += found
        for row in found:
            ratio = f", {row['ratio']:.2f} of Bochs" if row["ratio"] is not None else ""
            print(f"{row['name']:32} {row['value']:12.1f} {row['unit']}{ratio}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
