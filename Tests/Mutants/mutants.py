#!/usr/bin/env python3
"""Plants one-line mutants into the floors that decide, all at once, each behind a switch, and sees which of them nobody notices.

    Tests/Mutants/mutants.py [--seed 1] [--count 200] [--work DIR] [--sim-seeds 1..60] [--jobs 2] [--report FILE]

Copies the sources to DIR, rewrites the chosen lines to `mutant(N) ? changed : original`, builds the simulator and the tests once, and runs
both with COVEY_MUTANT=N for every N. A mutant is caught when the simulator or a test fails, traps or does not come to an end.
Lines that do not compile are replaced by others. The same seed chooses the same lines of the same sources.
Exit status: 0 when at least 90 % are caught.
"""
import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = ["Membership", "Replication", "RingLog"]
SUITES = ["MembershipTests", "ReplicationTests", "RingLogTests", "GatewayCoreTests", "SinksTests"]
SWITCH = """#if canImport(Glibc)
    import Glibc
#endif

package let activeMutant: Int = getenv("COVEY_MUTANT").flatMap { Int(String(cString: $0)) } ?? 0
package func mutant(_ number: Int) -> Bool { activeMutant == number }
"""
SWAPS = [
    (" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > "), (" == ", " != "), (" != ", " == "),
    (" && ", " || "), (" || ", " && "), (" + ", " - "), (" - ", " + "), ("min(", "max("), ("max(", "min("),
    (".lowerBound", ".upperBound"), (".upperBound", ".lowerBound"), ("true", "false"), ("false", "true"),
]


def balanced(text):
    depth = 0
    quoted = False
    for character in text:
        if character == '"':
            quoted = not quoted
        if quoted:
            continue
        depth += character in "([{"
        depth -= character in ")]}"
        if depth < 0:
            return False
    return depth == 0 and not quoted


def clauses(text):
    """Top-level parts between commas."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += character in "([{"
        depth -= character in ")]}"
        if character == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return parts + [text[start:]]


def changed(expression, is_condition):
    """Every way to change the expression by one token."""
    found = []
    for old, new in SWAPS:
        if old in expression and '"' not in expression:
            found.append(expression.replace(old, new, 1))
    for number in re.finditer(r"(?<![\w.\"])(\d+)(?![\w.\"])", expression):
        if '"' not in expression:
            found.append(expression[: number.start()] + str(int(number.group(1)) + 1) + expression[number.end():])
    if is_condition:
        found.append(f"!({expression.strip()})")
    return found


def variants(line):
    """Every mutant of one line: pairs of the line with a switch in it (`@` for its number) and what it does in words."""
    text = line.strip()
    if not text or text.startswith(("//", "@", "import", "package import", "case ", "}", "precondition", "default")):
        return []
    indent = line[: len(line) - len(line.lstrip())]
    found = []

    def add(prefix, expression, suffix, is_condition):
        for new in changed(expression, is_condition):
            switched = f"(mutant(@) ? ({new.strip()}) : ({expression.strip()}))"
            found.append((f"{indent}{prefix}{switched}{suffix}", f"{expression.strip()} -> {new.strip()}"))

    condition = re.fullmatch(r"(\} else if |if |guard |while )(.*?)( else \{.*| \{.*| else)?", text)
    if condition and condition.group(3) and not text.startswith("guard let self"):
        parts = clauses(condition.group(2))
        for index, part in enumerate(parts):
            if re.match(r"\s*(let|var|case|#)", part) or not balanced(part) or "{" in part:
                continue
            before = ",".join(parts[:index]) + ("," if index else "")
            after = "".join("," + other for other in parts[index + 1:])
            space = " " if index else ""
            add(condition.group(1) + before + space, part, after + condition.group(3), True)
        return found
    returned = re.fullmatch(r"(return )(.+)", text)
    if returned and balanced(returned.group(2)) and not returned.group(2).startswith("."):
        add("return ", returned.group(2), "", False)
        return found
    assigned = re.fullmatch(r"((?:let |var )?[\w.\[\]?!]+(?:: [\w.<>\[\]: ]+)? [+-]?= )(.+)", text)
    if assigned and balanced(text):
        add(assigned.group(1), assigned.group(2), "", False)
        if not text.startswith(("let ", "var ")):
            found.append((f"{indent}if !mutant(@) {{ {text} }}", f"without: {text}"))
        return found
    call = re.fullmatch(r"(?!return|func|init|package|private|mutating|static|var|let|for|switch|throw|break|continue)"
                        r"[\w.\[\]?!]+\(.*\)", text)
    if call and balanced(text):
        found.append((f"{indent}if !mutant(@) {{ {text} }}", f"without: {text}"))
    return found


def sites():
    found = []
    for target in TARGETS:
        for path in sorted((ROOT / "Sources" / target).rglob("*.swift")):
            for number, line in enumerate(path.read_text().splitlines()):
                for new, words in variants(line):
                    found.append((str(path.relative_to(ROOT)), number, new, words))
    return found


def write(work, chosen):
    """The sources with the chosen mutants in them; at most one in a line."""
    by_file = {}
    for number, site in chosen.items():
        by_file.setdefault(site[0], []).append((site[1], site[2], number))
    for target in TARGETS:
        for path in sorted((ROOT / "Sources" / target).rglob("*.swift")):
            name = str(path.relative_to(ROOT))
            lines = path.read_text().splitlines()
            for place, new, number in by_file.get(name, []):
                lines[place] = new.replace("@", str(number), 1)
            text = "\n".join(lines) + "\n"
            if name in by_file and not re.search(r"^(package |public )?import Model$", text, re.M):
                text = "import Model\n" + text
            copy = work / name
            if not copy.exists() or copy.read_text() != text:
                copy.write_text(text)


def prepare(work):
    work.mkdir(parents=True, exist_ok=True)
    for name in ["Sources", "Tests", "Benchmarks"]:
        shutil.copytree(ROOT / name, work / name, dirs_exist_ok=True, symlinks=True)
    for name in ROOT.glob("Package*.swift"):
        text = name.read_text().replace(".treatAllWarnings(as: .error),", "")
        (work / name.name).write_text(text)
    (work / "Sources/Model/Mutant.swift").write_text(SWITCH)


def build(work):
    """Builds all that is run; returns the lines of the sources that do not compile."""
    broken = set()
    for command in [["--product", "covey-sim", "-c", "release", "--scratch-path", ".build-release"], ["--build-tests"]]:
        done = subprocess.run(["swift", "build", *command], cwd=work, capture_output=True, text=True)
        if done.returncode == 0:
            continue
        for file, line in re.findall(r"(Sources/[\w/+-]+\.swift):(\d+):\d+: error", done.stdout + done.stderr):
            broken.add((file, int(line) - 1))
        if not broken:
            sys.exit("the build fails, and not for a mutant's sake:\n" + (done.stdout + done.stderr)[-3000:])
        return broken
    return broken


def plant(work, seed, count):
    order = sites()
    random.Random(seed).shuffle(order)
    pool = iter(order)
    chosen, taken = {}, set()

    def fill(number):
        for site in pool:
            if (site[0], site[1]) not in taken:
                taken.add((site[0], site[1]))
                chosen[number] = site
                return

    for number in range(1, count + 1):
        fill(number)
    while True:
        write(work, chosen)
        broken = build(work)
        if not broken:
            return chosen, len(order)
        bad = [number for number, site in chosen.items() if (site[0], site[1]) in broken]
        if not bad:
            sys.exit(f"the build fails beside the mutants: {sorted(broken)[:5]}")
        print(f"{len(bad)} mutants do not compile, others take their places", flush=True)
        for number in bad:
            del chosen[number]
            fill(number)


def run(command, work, number, limit):
    """How the program ended: None where it found nothing wrong."""
    environment = dict(os.environ, COVEY_MUTANT=str(number))
    try:
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return "does not come to an end"
    if done.returncode == 0:
        return None
    output = done.stdout + done.stderr
    for pattern in [r"✘ Test (?!run)(.+?) (?:recorded|failed)", r"^\s*(S\d+|L\d+|seed.*)$", r"Fatal error: (.*)"]:
        match = re.search(pattern, output, re.M)
        if match:
            return match.group(1)[:90]
    return f"exit status {done.returncode}"


def judge(work, number, seeds):
    simulator = [str(work / ".build-release/release/covey-sim"), "run", "--seeds", seeds]
    found = run(simulator, work, number, 180)
    if found:
        return "simulator", found
    bundle = next((work / ".build/debug").glob("*PackageTests.xctest"))
    for suite in SUITES:
        found = run([str(bundle), "--testing-library", "swift-testing", "--filter", suite], work, number, 180)
        if found:
            return suite, found
    return None, ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / ".build-mutants")
    parser.add_argument("--sim-seeds", default="1..60")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--report", type=pathlib.Path)
    options = parser.parse_args()
    prepare(options.work)
    chosen, all_sites = plant(options.work, options.seed, options.count)
    sound = judge(options.work, 0, options.sim_seeds)
    if sound[0]:
        sys.exit(f"without a mutant {sound[0]} fails already: {sound[1]}")
    lines, caught = [], 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        verdicts = pool.map(lambda number: judge(options.work, number, options.sim_seeds), sorted(chosen))
        for number, (who, what) in zip(sorted(chosen), verdicts):
            file, line, _, words = chosen[number]
            caught += who is not None
            lines.append(f"{number:3} {'caught by ' + who if who else 'SURVIVES':28} {file}:{line + 1}  {words}  {what}")
            print(lines[-1], flush=True)
    summary = f"{caught} of {len(chosen)} caught ({100 * caught / len(chosen):.1f} %), out of {all_sites} possible"
    print(summary)
    if options.report:
        options.report.write_text("\n".join(lines + [summary]) + "\n")
    sys.exit(0 if caught >= 0.9 * len(chosen) else 1)


main()
