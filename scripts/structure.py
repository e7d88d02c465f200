#!/usr/bin/env python3
"""Measures the structure of TomboloCore: scripts/structure.py [CHECKOUT] [--edges]

For each folder: files, lines, functions, and the folders that it refers to. A folder refers to another one if a file
names a type that is declared there. For the machines: references from file to file (types, and functions whose name is
declared in one file alone), pairs of files that refer to each other, and the largest set of files that all reach each
other. For types: stored properties. It works on any commit: make a worktree of it and name its folder.
"""
import collections, os, re, sys

root = next((a for a in sys.argv[1:] if not a.startswith("--")), ".")
core = os.path.join(root, "Sources/TomboloCore")
TYPE = re.compile(r"^\s*(?:(?:public|package|internal|private|fileprivate|indirect|final)\s+)*(struct|class|enum|protocol|typealias|actor)\s+(\w+)", re.M)
FUNC = re.compile(r"\bfunc (\w+)")
CALL = re.compile(r"\b(\w+)\(")
WORD = re.compile(r"\b\w+\b")


def code(text):
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', text)
    return re.sub(r"//.*", "", text)


files = {}
for folder, _, names in os.walk(core):
    for name in names:
        if name.endswith(".swift"):
            path = os.path.relpath(os.path.join(folder, name), core)
            files[path] = open(os.path.join(folder, name), encoding="utf-8").read()


def top(path):
    return path.split("/")[0] if "/" in path else "(top)"


declared_in = collections.defaultdict(set)
nested = set()
for path, text in files.items():
    for match in TYPE.finditer(code(text)):
        (declared_in[match.group(2)].add(path) if not match.group(0).startswith((" ", "\n ")) else nested.add(match.group(2)))
types = {n: next(iter(p)) for n, p in declared_in.items() if len(p) == 1 and n not in nested}
function_files = collections.defaultdict(set)
for path, text in files.items():
    for name in FUNC.findall(code(text)):
        function_files[name].add(path)
# The names of enum cases, local functions and functions of the standard library do not identify the called function.
cases = set(re.findall(r"(?:\bcase |, )(\w+)\(", "\n".join(code(t) for t in files.values())))
local = set(re.findall(r"^ {8,}func (\w+)", "\n".join(files.values()), re.M))
common = {"contains", "firstIndex", "removeFirst", "append", "insert", "remove", "update", "allSatisfy", "map", "held"}
functions = {n: next(iter(p)) for n, p in function_files.items() if len(p) == 1 and n not in cases | local | common}

type_edges = collections.defaultdict(set)
file_edges = collections.defaultdict(set)
calls = collections.Counter()
for path, text in files.items():
    for word in WORD.findall(code(text)):
        if word in types and types[word] != path:
            type_edges[path].add((types[word], word))
            file_edges[path].add(types[word])
    for word in CALL.findall(re.sub(r"\bfunc \w+", "", code(text))):
        if word in functions and functions[word] != path:
            file_edges[path].add(functions[word])
            if top(functions[word]) != top(path):
                calls[(top(path), top(functions[word]))] += 1


def components(nodes, edges):
    index, low, stack, on, result, counter = {}, {}, [], set(), [], [0]

    def visit(v):
        work = [(v, iter(sorted(edges.get(v, ()))))]
        index[v] = low[v] = counter[0]; counter[0] += 1
        stack.append(v); on.add(v)
        while work:
            node, children = work[-1]
            for w in children:
                if w not in nodes:
                    continue
                if w not in index:
                    index[w] = low[w] = counter[0]; counter[0] += 1
                    stack.append(w); on.add(w)
                    work.append((w, iter(sorted(edges.get(w, ())))))
                    break
                if w in on:
                    low[node] = min(low[node], index[w])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    part = []
                    while True:
                        w = stack.pop(); on.discard(w); part.append(w)
                        if w == node:
                            break
                    result.append(part)

    for v in sorted(nodes):
        if v not in index:
            visit(v)
    return result


folder_edges = collections.defaultdict(set)
examples = {}
for path, targets in type_edges.items():
    for target, word in targets:
        if top(target) != top(path):
            folder_edges[top(path)].add(top(target))
            examples.setdefault((top(path), top(target)), f"{path}: {word}")

print("folder          files  lines  funcs  refers to")
for folder in sorted({top(p) for p in files}):
    inside = [p for p in files if top(p) == folder]
    lines = sum(files[p].count("\n") for p in inside)
    count = sum(len(FUNC.findall(code(files[p]))) for p in inside)
    print(f"{folder:15} {len(inside):5} {lines:6} {count:6}  {' '.join(sorted(folder_edges[folder]))}")
if "--edges" in sys.argv:
    for pair, example in sorted(examples.items()):
        print(" ", *pair, "|", example)

folders = {top(p) for p in files}
cycles = [c for c in components(folders, folder_edges) if len(c) > 1]
print("folders that reach each other:", " ".join(sorted(sum(cycles, []))) or "none")
print("calls from folder to folder (functions of one file alone):", sum(calls.values()))
machines = {p for p in files if top(p) in ("Engine", "Replica", "Sync", "Files", "MVDS", "Records", "Checkpoints", "Retention", "Visibility")}
engine = {p for p in files if os.path.basename(p).startswith("Engine")} if "--engine" in sys.argv else machines
largest = max(components(engine, file_edges), key=len)
pairs = sum(1 for a in engine for b in file_edges[a] if a < b and a in file_edges[b])
across = len({top(p) for p in largest})
print(f"machines: {len(engine)} files, {pairs} mutual pairs, largest set that reaches itself: {len(largest)} files in {across} folder(s)")

properties = collections.Counter()
for path, text in files.items():
    body, depth, scopes = code(text), 0, []
    for line in body.split("\n"):
        kind = TYPE.match(line)
        stored = re.match(r"\s*(?:@\w+\s+)*(?:(?:public|package|private|fileprivate|private\(set\)|internal)(?:\(set\))?\s+)*(?:let|var)\s+(\w+)", line)
        if stored and scopes and scopes[-1][1] == depth and not re.search(r"\{\s*(get|[^=]*\})?\s*$|\{.*\}\s*$", line) and "static" not in line:
            properties[scopes[-1][0]] += 1
        opened, closed = line.count("{"), line.count("}")
        if kind and kind.group(1) in ("struct", "class", "actor") and opened > closed:
            scopes.append((kind.group(2), depth + 1))
        depth += opened - closed
        while scopes and depth < scopes[-1][1]:
            scopes.pop()
print("stored properties:", ", ".join(f"{n} {c}" for n, c in properties.most_common(6)))
print("sessions[…].groups[…]:", sum(len(re.findall(r"sessions\[[^\]]*\]\.groups\[", t)) for t in files.values()))
print("sessions[…]:", sum(len(re.findall(r"\bsessions\[", t)) for t in files.values()))
print("parameters `_ store: any EventStore`:", sum(t.count("_ store: any EventStore") for p, t in files.items() if top(p) not in ("Store",)))
