"""tools/check_layers.py on small trees: each wrong include is found, with its file and line."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools" / "check_layers.py"

GOOD_TREE = {
    "base/word.hpp": "#pragma once\n#include <cstdint>\n",
    "vmx/rules/row.hpp": '#pragma once\n#include "base/word.hpp"\n#include "vmx/rules/rows.def"\n',
    "vmx/rules/rows.def": "ROW(a)\n",
    "vmx/entry.cpp": '#include "vmx/rules/row.hpp"\n#include "base/word.hpp"\n',
    "explain/text.cpp": '#include <fmt/core.h>\n#include <nlohmann/json.hpp>\n#include "vmx/rules/row.hpp"\n',
    "explain/text.hpp": "#pragma once\n",
    "cli/main.cpp": '#include <CLI/CLI.hpp>\n#include "explain/text.hpp"\n',
    "tests/explain/text_test.cpp": '#include <gtest/gtest.h>\n#include "explain/text.hpp"\n',
    "bench/rows_bench.cpp": '#include <benchmark/benchmark.h>\n#include "vmx/rules/row.hpp"\n',
    "docs/notes.cpp": '#include "nowhere.hpp"\n',
}


def run_on(tree):
    with tempfile.TemporaryDirectory() as folder:
        for path, text in tree.items():
            file = pathlib.Path(folder) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True, check=False)


class CheckLayers(unittest.TestCase):
    def test_a_good_tree_passes(self):
        result = run_on(GOOD_TREE)
        self.assertEqual((result.returncode, result.stdout), (0, "layers: every include goes down\n"))

    def expect(self, path, text, finding):
        result = run_on({**GOOD_TREE, path: text})
        self.assertEqual(result.returncode, 1, f"{path} must be refused")
        self.assertIn(finding, result.stdout)
        self.assertEqual(len(result.stdout.splitlines()), 1, result.stdout)

    def test_an_include_that_goes_up_or_sideways_fails(self):
        self.expect("base/up.cpp", '\n#include "explain/text.hpp"\n', "base/up.cpp:2: base/ may not include explain/")
        self.expect("base/rows.hpp", '#pragma once\n#  include "vmx/rules/rows.def"\n',
                    "base/rows.hpp:2: base/ may not include vmx/rules/")
        self.expect("explain/wide.cpp", '#include "cpu/op.hpp"\n', "no file cpu/op.hpp")
        self.expect("vmx/rules/up.cpp", '#include "vmx/outer.hpp"\n', "no file vmx/outer.hpp")

    def test_rules_may_not_see_the_room_around_them(self):
        tree = {**GOOD_TREE, "vmx/outer.hpp": "#pragma once\n", "vmx/rules/up.cpp": '#include "vmx/outer.hpp"\n'}
        result = run_on(tree)
        self.assertEqual(result.returncode, 1)
        self.assertIn("vmx/rules/up.cpp:1: vmx/rules/ may not include vmx/", result.stdout)

    def test_siblings_may_not_see_each_other(self):
        pairs = [("arm64", "cpu"), ("arm64", "vmx"), ("devices", "mmu"), ("kvm", "replay"), ("debug", "explain"),
                 ("explain", "machine"), ("cpu", "vmx/rules"), ("replay", "kvm"), ("embed", "explain")]
        for here, there in pairs:
            with self.subTest(f"{here} -> {there}"):
                tree = {f"{there}/a.hpp": "#pragma once\n", f"{here}/b.cpp": f'#include "{there}/a.hpp"\n'}
                result = run_on(tree)
                self.assertEqual(result.returncode, 1)
                self.assertIn(f"{here}/b.cpp:1: {here}/ may not include {there}/", result.stdout)

    def test_every_arrow_of_the_design_is_open(self):
        pairs = [("mmu", "base"), ("exec", "mmu"), ("cpu", "exec"), ("vmx", "cpu"), ("machine", "devices"),
                 ("kvm", "machine"), ("replay", "machine"), ("scenario", "kvm"), ("scenario", "explain"),
                 ("debug", "replay"), ("cli", "scenario"), ("cli", "base"), ("tests", "vmx"), ("bench", "cli"),
                 ("embed", "vmx/rules")]
        for here, there in pairs:
            with self.subTest(f"{here} -> {there}"):
                tree = {f"{there}/a.hpp": "#pragma once\n", f"{here}/b.cpp": f'#include "{there}/a.hpp"\n'}
                self.assertEqual(run_on(tree).returncode, 0)

    def test_heavy_headers_stay_in_their_room(self):
        self.expect("base/json.cpp", "#include <nlohmann/json.hpp>\n", "base/json.cpp:1: nlohmann belongs in")
        self.expect("explain/json.hpp", "#pragma once\n#include <nlohmann/json.hpp>\n",
                    "explain/json.hpp:2: nlohmann belongs in .cpp files")
        self.expect("cli/text.cpp", "#include <fmt/core.h>\n", "cli/text.cpp:1: fmt belongs in")
        self.expect("explain/options.cpp", "#include <CLI/CLI.hpp>\n", "explain/options.cpp:1: CLI belongs in")
        self.expect("base/property.cpp", "#include <rapidcheck.h>\n", "base/property.cpp:1: rapidcheck belongs in")
        self.expect("vmx/code.cpp", '#include "xbyak/xbyak.h"\n', "vmx/code.cpp:1: xbyak belongs in")

    def test_rooms_do_not_see_tests(self):
        self.expect("base/tested.cpp", '#include "tests/explain/text_test.cpp"\n', "base/ may not include tests/")

    def test_includes_are_written_from_the_root(self):
        self.expect("vmx/rules/near.cpp", '#include "row.hpp"\n', 'near.cpp:1: "row.hpp" is not a path from the root')
        self.expect("vmx/rules/near.cpp", '#include "../../base/word.hpp"\n', "is not a path from the root")
        self.expect("explain/angle.cpp", "#include <base/word.hpp>\n", "our own base/word.hpp is included in quotes")

    def test_a_header_without_a_guard_fails(self):
        self.expect("base/bare.hpp", "int x;\n", "base/bare.hpp:1: a header begins with #pragma once")

    def test_bad_usage(self):
        result = subprocess.run([sys.executable, SCRIPT, "/nowhere/at/all"], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 2)


if __name__ == "__main__":
    unittest.main()
