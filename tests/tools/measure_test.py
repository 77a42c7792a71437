#!/usr/bin/env python3
"""bench/guests/measure.py and tools/bench_report.py: what becomes of times, counts, and what is not installed."""
import contextlib
import importlib.util
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import types
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
REPORT = ROOT / "tools" / "bench_report.py"
spec = importlib.util.spec_from_file_location("measure", ROOT / "bench" / "guests" / "measure.py")
measure = importlib.util.module_from_spec(spec)
spec.loader.exec_module(measure)

KEYS = {"name", "unit", "value", "baseline", "ratio", "runs"}


class Times(unittest.TestCase):
    def test_a_rate_is_without_the_start_and_without_disturbances(self):
        # Starting takes 2 s, a repetition 0.5 s; one run of each was disturbed.
        self.assertAlmostEqual(measure.rate_of([52.0, 90.0], [7.0, 2.5], 100), 99 / 49.5)

    def test_runs_become_about_as_long_as_wanted(self):
        for repetition in (0.7, 0.01, 0.0001):
            count = measure.repetitions_for(lambda n, each=repetition: 2 + n * each, 1.0)
            self.assertGreaterEqual(count * repetition, 0.5)
            self.assertLessEqual(count * repetition, 2.0)

    def test_a_guest_that_takes_no_time_ends_the_search(self):
        self.assertEqual(measure.repetitions_for(lambda n: 1.0, 1.0), 1 << 20)

    def test_the_emulators_take_turns(self):
        order = []

        def run(_image, emulator, repetitions, _clock):
            if emulator == "bochs":
                raise measure.compare.Missing("bochs")
            order.append((emulator, repetitions))
            return 1.0 + (repetitions - 1) * (0.5 if emulator == "qemu" else 1.0)

        options = types.SimpleNamespace(seconds=1.0, runs=2)
        before, measure.seconds = measure.seconds, run
        try:
            with contextlib.redirect_stderr(io.StringIO()) as said:
                found = measure.rates("calls", pathlib.Path("image"), ["ours", "qemu", "bochs"], options)
        finally:
            measure.seconds = before
        self.assertEqual(found, {"ours": 1.0, "qemu": 2.0, "bochs": None})
        self.assertEqual([each for each, _ in order[-8:]], ["ours", "ours", "qemu", "qemu"] * 2)
        self.assertIn("bochs is not installed", said.getvalue())


class Rows(unittest.TestCase):
    def test_compared_with_bochs_in_millions_of_instructions(self):
        ours, bochs = measure.rows("calls", {"build/hyperstep": 30.0, "bochs": 60.0}, 2e6, 3)
        self.assertEqual(ours, {"name": "guests/calls/hyperstep", "unit": "MIPS", "value": 60.0,
                                "baseline": "guests/calls/bochs", "ratio": 0.5, "runs": 3})
        self.assertEqual((bochs["value"], bochs["baseline"], bochs["ratio"]), (120.0, None, None))

    def test_what_is_not_installed_is_null_and_not_left_out(self):
        ours, qemu, bochs = measure.rows("calls", {"ours": 30.0, "qemu": None, "bochs": None}, 2e6, 3)
        for each in (ours, qemu, bochs):
            self.assertEqual(set(each), KEYS)
            self.assertIsNone(each["baseline"])
            self.assertIsNone(each["ratio"])
        self.assertEqual(ours["value"], 60.0)
        self.assertEqual((qemu["name"], qemu["value"], qemu["runs"]), ("guests/calls/qemu", None, 0))
        self.assertEqual((bochs["name"], bochs["value"], bochs["runs"]), ("guests/calls/bochs", None, 0))

    def test_one_that_is_missing_beside_bochs(self):
        _, qemu, _ = measure.rows("calls", {"ours": 30.0, "qemu": None, "bochs": 60.0}, 2e6, 3)
        self.assertEqual((qemu["value"], qemu["baseline"], qemu["ratio"]), (None, "guests/calls/bochs", None))

    def test_the_total_of_callgrind(self):
        self.assertEqual(measure.collected("==12== Events    : Ir\n==12== Collected : 4711\n==12==\n"), 4711)
        self.assertIsNone(measure.collected("valgrind: failed to start\n"))


class Report(unittest.TestCase):
    def report(self, *documents):
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for number, document in enumerate(documents):
                files.append(pathlib.Path(folder) / f"{number}.json")
                files[-1].write_text(json.dumps(document))
            target = pathlib.Path(folder) / "out.json"
            done = subprocess.run([sys.executable, "-B", str(REPORT), "--json", str(target), *map(str, files)],
                                  capture_output=True, text=True, check=True)
            return done.stdout, json.loads(target.read_text())

    def test_both_kinds_of_results_in_one_document(self):
        google = {"benchmarks": [{"run_type": "iteration", "run_name": "walk", "real_time": 2.0, "time_unit": "us"}]}
        guests = list(measure.rows("calls", {"ours": 30.0, "qemu": None, "bochs": 60.0}, 2e6, 3))
        text, results = self.report(guests, google)
        self.assertEqual(results[0], {"name": "walk", "unit": "ns", "value": 2000.0, "baseline": None, "ratio": None,
                                      "runs": 1})
        self.assertEqual(results[1:], guests)
        lines = text.splitlines()
        self.assertRegex(lines[0], r"^walk +2,000 ns$")
        self.assertRegex(lines[1], r"^guests/calls/hyperstep +60 MIPS +0\.50 x guests/calls/bochs$")
        self.assertRegex(lines[2], r"^guests/calls/qemu +- MIPS +\(not measured\)$")


if __name__ == "__main__":
    unittest.main()
