"""docs/SOURCES.md has a row for every section that the checks cite, and no other."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Sources(unittest.TestCase):
    def test_each_cited_section_has_its_row(self):
        definitions = (ROOT / "vmx" / "rules" / "sections.def").read_text(encoding="utf-8")
        cited = {(identifier, title) for identifier, title in
                 re.findall(r'^SECTION\((\w+), "([^"]+)"\)', definitions, re.MULTILINE)}
        page = (ROOT / "docs" / "SOURCES.md").read_text(encoding="utf-8")
        rows = {(identifier, title) for title, _, _, identifier in
                re.findall(r"^\| ([^|]+?) \| ([0-9.]+) \| ([^|]+) \| `(\w+)` \|$", page, re.MULTILINE)}
        self.assertGreater(len(cited), 10)
        self.assertEqual(rows, cited)


if __name__ == "__main__":
    unittest.main()
