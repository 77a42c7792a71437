#!/usr/bin/env python3
"""Measures the benchmark guests on every emulator that is there, interleaved.

usage: measure.py FOLDER [--hyperstep FILE] [--filter REGEX] [--seconds N] [--runs N] [--json FILE]

  FOLDER             with the images (build/release/guests)
  --hyperstep FILE   our binary; its --result says how many instructions a repetition has
  --filter REGEX     only the guests in whose name (guests/integer ...) it is found
  --seconds N        about as long is each run (1)
  --runs N           runs of each guest on each emulator (3)
  --json FILE        the results as `./dev bench --json` has them

The value of an emulator is millions of guest instructions a second, the count taken from our emulator for all of them;
without --hyperstep, repetitions a second. The time is that of a run of many repetitions less that of a run of one, of
each the shortest, so that neither the start nor a disturbance counts. It is processor time, of the emulator's threads
together; only `interrupts`, which waits for timers, is measured by the clock. Everything is compared with Bochs.

With --hyperstep there are two more values of each guest: instructions decoded for each one that was executed, in the
long run; and instructions of the host for each one of the guest, counted by callgrind, start-up subtracted.

What could not be measured because something is not installed has the value null. Status: 0, 1 a guest failed, 2 usage.
"""
import argparse
import importlib.util
import json
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUESTS = ("integer", "calls", "chase", "strings", "spaces", "selfmod", "sse", "syscalls", "interrupts")
WAITING = ("interrupts",)  # by the clock
# Those whose code never changes: nothing is decoded twice. (`selfmod` is there to be decoded.)
LOOPS = ("integer", "calls", "chase", "strings", "sse")
MOST_DECODES = 0.001  # an instruction, on loops
spec = importlib.util.spec_from_file_location("compare", ROOT / "tests" / "guests" / "compare.py")
compare = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compare)


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seconds(image, emulator, repetitions, clock=processor_seconds):
    """How long a run takes. Missing and Failed are compare's."""
    options = argparse.Namespace(image=image, smp=1, append=f"n={repetitions}", show=False, timeout=600,
                                 boot_sector=image.with_name("boot_disk.bin"))
    start = clock()
    compare.transcript(emulator, options)
    return clock() - start


def repetitions_for(run, wanted):
    """So many that `run(count)` takes about `wanted` seconds longer than run(1)."""
    one = run(1)
    count = 2
    while count < 1 << 20:
        taken = run(count) - one
        if taken >= wanted / 2:
            break
        # The shorter the run, the less it says.
        growth = 8 if taken < wanted / 16 else wanted / taken
        count = min(max(count + 1, int(count * growth)), 1 << 20)
    return count


def rate_of(longs, ones, count):
    """Repetitions a second, from runs of `count` and of one."""
    return (count - 1) / max(min(longs) - min(ones), 1e-6)


def rates(guest, image, emulators, options):
    """{emulator: repetitions a second}, None for one that is not installed. The emulators take turns."""
    clock = time.monotonic if guest in WAITING else processor_seconds
    lengths, taken = {}, {}
    for emulator in emulators:
        try:
            lengths[emulator] = repetitions_for(lambda n, on=emulator: seconds(image, on, n, clock), options.seconds)
            taken[emulator] = ([], [])
        except compare.Missing as missing:
            print(f"{guest}: {missing} is not installed", file=sys.stderr)
    for _ in range(options.runs):
        for emulator, count in lengths.items():
            longs, ones = taken[emulator]
            longs.append(seconds(image, emulator, count, clock))
            ones.append(seconds(image, emulator, 1, clock))
    return {emulator: rate_of(*taken[emulator], lengths[emulator]) if emulator in lengths else None
            for emulator in emulators}


# ---- what our own emulator counts ----

def run_command(program, image, repetitions):
    return [program, "run", "--memory", f"{compare.MEMORY_MIB}M", "--append", f"n={repetitions}", str(image)]


def counted(image, program, repetitions):
    """The --result of a run."""
    with tempfile.TemporaryDirectory() as folder:
        result = pathlib.Path(folder) / "result.json"
        done = subprocess.run(run_command(program, image, repetitions) + ["--result", str(result)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if done.returncode != 1:
            raise compare.Failed(f"{image.name} with n={repetitions}: status {done.returncode}")
        return json.loads(result.read_text())


def collected(words):
    """The number of instructions in what callgrind prints; None if it is not there."""
    found = re.search(r"^==\d+== Collected : (\d+)", words, re.MULTILINE)
    return int(found[1]) if found else None


def host_instructions(image, program, repetitions):
    """Of a run under callgrind; None without valgrind, or where the guest does not succeed under it."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return None
    done = subprocess.run([valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null"] +
                          run_command(program, image, repetitions),
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    return collected(done.stderr.decode(errors="replace")) if done.returncode == 1 else None


def counts(image, program):
    """(instructions of a repetition, decodes an instruction, host instructions a guest instruction or None)."""
    few, many = counted(image, program, 1), counted(image, program, 3)
    executed = many["instructions"] - few["instructions"]
    host = [host_instructions(image, program, n) for n in (1, 3)]
    cost = None if None in host else (host[1] - host[0]) / executed
    return executed / 2, (many["decoded"] - few["decoded"]) / executed, cost


# ---- the results ----

def row(guest, what, unit, value, runs, baseline=None, ratio=None):
    return {"name": f"guests/{guest}/{what}", "unit": unit, "value": value, "baseline": baseline, "ratio": ratio,
            "runs": runs}


def rows(guest, found, per_repetition, runs):
    """A result of each emulator of `found`, the others compared with Bochs. Without per_repetition in repetitions."""
    scale, unit = (per_repetition / 1e6, "MIPS") if per_repetition else (1, "repetitions/s")
    bochs = found.get("bochs")
    for emulator, rate in found.items():
        name = emulator if emulator in ("qemu", "bochs") else "hyperstep"
        is_compared = bochs is not None and name != "bochs"
        yield row(guest, name, unit, None if rate is None else rate * scale, 0 if rate is None else runs,
                  f"guests/{guest}/bochs" if is_compared else None,
                  rate / bochs if is_compared and rate is not None else None)


def measure(guest, emulators, options):
    image = options.folder / f"bench_{guest}"
    per_repetition, more = 0, []
    if options.hyperstep:
        per_repetition, decodes, cost = counts(image, options.hyperstep)
        if guest in LOOPS and decodes >= MOST_DECODES:
            print(f"{guest}: {decodes:.4f} decodes an instruction: a loop is decoded again and again", file=sys.stderr)
        more = [row(guest, "decodes", "per instruction", decodes, 1),
                row(guest, "callgrind", "host instructions per instruction", cost, 0 if cost is None else 1)]
    return list(rows(guest, rates(guest, image, emulators, options), per_repetition, options.runs)) + more


def line(result):
    value = "not measured" if result["value"] is None else f"{result['value']:12.4g}"
    ratio = "" if result["ratio"] is None else f", {result['ratio']:.2f} of Bochs"
    return f"{result['name']:28} {value:>12} {result['unit']}{ratio}"


def main():
    parser = argparse.ArgumentParser(description="see the head of this file")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--hyperstep")
    parser.add_argument("--filter", type=re.compile, default=re.compile(""))
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    emulators = ([options.hyperstep] if options.hyperstep else []) + ["qemu", "bochs"]
    results = []
    for guest in GUESTS:
        if not options.filter.search(f"guests/{guest}"):
            continue
        if not (options.folder / f"bench_{guest}").is_file():
            parser.error(f"there is no image bench_{guest} in {options.folder}")
        try:
            found = measure(guest, emulators, options)
        except compare.Failed as failed:
            print(f"{guest}: {failed}", file=sys.stderr)
            return 1
        results += found
        for result in found:
            print(line(result), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
