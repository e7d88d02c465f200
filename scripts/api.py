#!/usr/bin/env python3
"""Checks the public API: compares it with the lists in docs/api, one file for each module.

    scripts/api.py            exits with 1 and prints the difference if a public declaration has changed
    scripts/api.py --update   writes the lists again, to be reviewed and committed with the change

It builds the package into .build-test, as `make test` does, and reads the compiler's symbol graphs.
"""
import difflib
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LISTS = ROOT / "docs" / "api"
SCRATCH = ROOT / ".build-test"
MODULES = ["Tombolo", "TomboloImport", "TomboloObservation", "TomboloTesting"]


def extract():
    subprocess.run(
        [
            "swift", "package", "--scratch-path", str(SCRATCH), "--disable-build-manifest-caching",
            "dump-symbol-graph", "--minimum-access-level", "public", "--skip-synthesized-members",
        ],
        cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return next(path for path in SCRATCH.glob("*/symbolgraph") if path.is_dir())


def lines(folder, module):
    """Each public declaration by its path, and each conformance, sorted."""
    found = set()
    for file in sorted(folder.glob(f"{module}.symbols.json")) + sorted(folder.glob(f"{module}@*.symbols.json")):
        graph = json.loads(file.read_text())
        names = {symbol["identifier"]["precise"]: ".".join(symbol["pathComponents"]) for symbol in graph["symbols"]}
        for symbol in graph["symbols"]:
            declaration = "".join(part["spelling"] for part in symbol["declarationFragments"])
            found.add(f"{'.'.join(symbol['pathComponents'])}  {' '.join(declaration.split())}")
        for relation in graph["relationships"]:
            if relation["kind"] == "conformsTo" and relation["source"] in names:
                target = names.get(relation["target"]) or relation.get("targetFallback", relation["target"])
                target = target.removeprefix("Swift.").removeprefix("_Concurrency.")
                # The compiler derives this conformance from Sendable.
                if target != "SendableMetatype":
                    found.add(f"{names[relation['source']]}  : {target}")
    exports = ROOT / "Sources" / module / "Exports.swift"
    if exports.exists():
        for line in exports.read_text().splitlines():
            if line.startswith("@_exported public import "):
                found.add(f"(exported)  {line.removeprefix('@_exported public import ')}")
    return sorted(found)


def main():
    folder = extract()
    LISTS.mkdir(parents=True, exist_ok=True)
    changed = False
    for module in MODULES:
        new, file = lines(folder, module), LISTS / f"{module}.txt"
        old = file.read_text().splitlines() if file.exists() else []
        if "--update" in sys.argv[1:]:
            file.write_text("\n".join(new) + "\n")
            continue
        difference = list(difflib.unified_diff(old, new, f"docs/api/{module}.txt", "the sources", lineterm="", n=0))
        changed = changed or bool(difference)
        print("\n".join(difference), end="\n" if difference else "")
    if changed:
        sys.exit("The public API has changed. If that is meant: scripts/api.py --update, and say it in CHANGELOG.md.")


main()
