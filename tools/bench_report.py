#!/usr/bin/env python3
"""Prints results of benchmarks as a table, and writes them as JSON.

usage: bench_report.py [--json FILE] RESULT...

A RESULT is what a Google Benchmark program wrote with --benchmark_out. Of repetitions the median counts. A benchmark
that counts items is reported in items a second, any other in nanoseconds a run. The label "baseline=NAME" names the
benchmark that it is compared with; the ratio is how many times better than the baseline it is. Or a RESULT is what
bench/guests/measure.py wrote: such results are taken as they are.

The JSON: [{"name","unit","value"|null,"baseline":NAME|null,"ratio"|null,"runs"}]; a value of null was not measured.
"""
import json
import re
import statistics
import sys

NANOSECONDS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


def read(file):
    with open(file, encoding="utf-8") as text:
        return json.load(text)


def measurements(documents):
    """name: {"unit", "values", "baseline"}, in the order of the Google Benchmark documents."""
    found = {}
    for document in documents:
        for run in document["benchmarks"]:
            if run.get("run_type") != "iteration":
                continue
            name = run["run_name"]
            if run.get("error_occurred"):
                raise ValueError(f"{name}: {run.get('error_message', 'failed')}")
            rate = run.get("items_per_second")
            entry = found.setdefault(name, {"unit": "1/s" if rate else "ns", "values": [], "baseline": None})
            entry["values"].append(rate if rate else run["real_time"] * NANOSECONDS[run["time_unit"]])
            label = re.match(r"baseline=(\S+)", run.get("label", ""))
            entry["baseline"] = label[1] if label else None
    return found


def rows(found):
    for name, entry in found.items():
        value = statistics.median(entry["values"])
        base = found.get(entry["baseline"])
        ratio = None
        if base and base["unit"] == entry["unit"]:
            other = statistics.median(base["values"])
            ratio = value / other if entry["unit"] == "1/s" else other / value
        yield {"name": name, "unit": entry["unit"], "value": value, "baseline": entry["baseline"],
               "ratio": ratio, "runs": len(entry["values"])}


def in_words(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == 0 else f"{value:.4g}"


def table(results):
    width = max(len(row["name"]) for row in results)
    for row in results:
        line = f"{row['name']:{width}}  {in_words(row['value']):>16} {row['unit']:<4}"
        if row["value"] is None:
            line += "  (not measured)"
        elif row["ratio"] is not None:
            line += f"  {row['ratio']:.2f} x {row['baseline']}"
        elif row["baseline"]:
            line += f"  (not measured: {row['baseline']})"
        yield line.rstrip()


def main(arguments):
    target = None
    if arguments[:1] == ["--json"] and len(arguments) >= 2:
        target, arguments = arguments[1], arguments[2:]
    if not arguments or arguments[0].startswith("-"):
        print(__doc__.strip())
        return 0 if arguments[:1] == ["--help"] else 2
    documents = [read(file) for file in arguments]
    results = list(rows(measurements(each for each in documents if isinstance(each, dict))))
    results += [row for each in documents if isinstance(each, list) for row in each]
    if not results:
        print("bench_report: no results", file=sys.stderr)
        return 1
    print("\n".join(table(results)))
    if target:
        with open(target, "w", encoding="utf-8") as out:
            json.dump(results, out, indent=1)
            out.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
