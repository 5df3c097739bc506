#!/usr/bin/env python3
"""Plants one-line mutants into the floors that decide, all at once, each behind a switch, and sees which of them nobody notices.

    Tests/Mutants/mutants.py [--seed 1] [--count 200] [--only FIRST..LAST] [--again]
        [--sim-seeds 1..40] [--skip TESTS] [--work DIR] [--jobs 2]

Copies the sources to DIR, rewrites the chosen lines to `mutant(N) ? changed : original`, builds the simulator and the tests once
(in release), and runs them with COVEY_MUTANT=N for every N: first the tests of the mutant's own target, then those of the core that
holds it, then the simulator. A mutant is caught when one of them fails, traps, or takes five times as long as usual (20 s at least).
The seed shuffles all places that could be mutated; N is a place in that order, and places that do not compile are passed over.
DIR/results.jsonl keeps every verdict: another run judges only what has none, or with --again also what survived.
Exit status: 0 when at least 90 % of those judged are caught.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import re
import resource
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = ["Membership", "Replication", "RingLog"]
ABOVE = ["GatewayCoreTests", "simulator"]  # what runs all targets, the cheaper first
MEMORY = 4 << 30  # bytes of address space: a mutant that only ever allocates must not take the machine with it
BUILD = ["swift", "build", "-c", "release", "-Xswiftc", "-enable-testing"]  # release, since most of the time goes into runs
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


def variants(line, can_drop):
    """Every mutant of one line: pairs of the line with a switch in it (`@` for its number) and what it does in words.
    Where `can_drop` is false no statement is left out: an initializer must set every property."""
    text = line.strip()
    if not text or text.startswith(("//", "@", "import", "package import", "case ", "}", "precondition", "default", ".")):
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
        if can_drop and not text.startswith(("let ", "var ")):
            found.append((f"{indent}if !mutant(@) {{ {text} }}", f"without: {text}"))
        return found
    call = re.fullmatch(r"(?!return|func|init|package|private|mutating|static|var|let|for|switch|throw|break|continue)"
                        r"[\w.\[\]?!]+\(.*\)", text)
    if call and can_drop and balanced(text):
        found.append((f"{indent}if !mutant(@) {{ {text} }}", f"without: {text}"))
    return found


def sites():
    found = []
    for target in TARGETS:
        for path in sorted((ROOT / "Sources" / target).rglob("*.swift")):
            end_of_init = None
            for number, line in enumerate(path.read_text().splitlines()):
                if re.search(r"\binit\??[(<]", line) and not line.endswith("}") and not line.strip().startswith(("self.", "//")):
                    end_of_init = line[: len(line) - len(line.lstrip())] + "}"
                elif line == end_of_init:
                    end_of_init = None
                for new, words in variants(line, end_of_init is None):
                    found.append((str(path.relative_to(ROOT)), number, new, words))
    return found


def name(site):
    return f"{site[0]}:{site[1] + 1}  {site[3]}"


class Results:
    """A verdict for every mutant, by its name: who caught it and how, that it survives, or that it does not compile."""

    def __init__(self, path):
        self.path = path
        self.all = {}
        if path.exists():
            for line in path.read_text().splitlines():
                entry = json.loads(line)
                self.all[entry["mutant"]] = entry

    def add(self, site, verdict, by="", how=""):
        entry = {"mutant": name(site), "verdict": verdict, "by": by, "how": how}
        self.all[entry["mutant"]] = entry
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def verdict(self, site):
        return self.all.get(name(site), {}).get("verdict")


def prepare(work):
    for folder in ["Sources", "Tests", "Benchmarks"]:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and not any(path.is_relative_to(ROOT / "Sources" / target) for target in TARGETS):
                refresh(work / path.relative_to(ROOT), path.read_bytes())
    for path in ROOT.glob("Package*.swift"):
        # The mutants give warnings, of results that nobody uses for one.
        refresh(work / path.name, re.sub(rb"\.treatAllWarnings\(as: \.error\),?", b"", path.read_bytes()))
    refresh(work / "Sources/Model/Mutant.swift", SWITCH.encode())


def refresh(path, content):
    """Leaves a file alone that is as it should be: what has not changed is not built again."""
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def write(work, chosen):
    """The sources with the chosen mutants in them."""
    by_file = {}
    for number, site in chosen.items():
        by_file.setdefault(site[0], []).append((site[1], site[2], number))
    for target in TARGETS:
        for path in sorted((ROOT / "Sources" / target).rglob("*.swift")):
            file = str(path.relative_to(ROOT))
            lines = path.read_text().splitlines()
            for place, new, number in by_file.get(file, []):
                lines[place] = new.replace("@", str(number), 1)
            text = "\n".join(lines) + "\n"
            if file in by_file and not re.search(r"^(package |public )?import Model$", text, re.M):
                text = "import Model; " + text  # in the first line, so that the others keep their numbers
            refresh(work / file, text.encode())


def choose(order, count, results):
    """The first `count` places that compile, one in a line at most."""
    chosen, taken = {}, set()
    for number, site in enumerate(order, 1):
        if len(chosen) == count:
            break
        if (site[0], site[1]) not in taken and results.verdict(site) != "does not compile":
            taken.add((site[0], site[1]))
            chosen[number] = site
    return chosen


def build(work, arguments):
    """The places of the errors: pairs of file and line index."""
    done = subprocess.run([*BUILD, *arguments], cwd=work, capture_output=True, text=True)
    if done.returncode == 0:
        return []
    output = done.stdout + done.stderr
    places = {(file, int(line) - 1) for file, line in re.findall(r"(Sources/[\w/+-]+\.swift):(\d+):\d+: error", output)}
    if not places:
        sys.exit("the build fails, and not for a mutant's sake:\n" + output[-3000:])
    return sorted(places)


def plant(work, order, count, results):
    """Builds all that is run, with `count` mutants in it that compile."""
    steps = [["--target", target] for target in TARGETS] + [["--build-tests"]]
    while True:
        chosen = choose(order, count, results)
        write(work, chosen)
        bad = {}
        for step in steps:
            if bad and step == steps[-1]:
                break
            for file, line in build(work, step):
                # Some errors stand below the line that is to blame: a missing return at the end of its function.
                above = [(site[1], number) for number, site in chosen.items() if site[0] == file and site[1] <= line]
                if not above:
                    sys.exit(f"the build fails beside the mutants: {file}:{line + 1}")
                number = max(above)[1]
                bad[number] = chosen[number]
        if not bad:
            return chosen
        print(f"{len(bad)} mutants do not compile, others take their places", flush=True)
        for site in bad.values():
            results.add(site, "does not compile")


def run(command, work, number, limit):
    """How the program ended: None where it found nothing wrong."""
    environment = dict(os.environ, COVEY_MUTANT=str(number), SWIFT_BACKTRACE="enable=no")
    process = subprocess.Popen(
        command, cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    is_late = threading.Event()
    timer = threading.Timer(limit, lambda: (is_late.set(), process.kill()))
    timer.start()
    found = None
    for line in process.stdout:
        match = re.search(r"Test (.+?) recorded an issue|^(seed \d+ breaks .*)|(Fatal error.*)", line)
        if match:
            found = next(group for group in match.groups() if group)[:90]
            process.kill()  # one failure is enough
            break
    process.stdout.close()
    status = process.wait()
    timer.cancel()
    if is_late.is_set():
        return "does not come to an end"
    return found or (f"exit status {status}" if status else None)


class Court:
    def __init__(self, work, seeds, skip):
        self.work = work
        self.limits = {}
        self.seeds = seeds
        self.skip = ["--skip", skip] if skip else []

    def ask(self, who, number):
        if who == "simulator":
            command = [str(self.work / ".build/release/covey-sim"), "run", "--stop", "--seeds", self.seeds]
        else:
            bundle = next((self.work / ".build/release/").glob("*PackageTests.xctest"))
            command = [str(bundle), "--testing-library", "swift-testing", "--filter", rf"^{who}\.", *self.skip]
        return run(command, self.work, number, self.limits.get(who, 300))

    def calibrate(self):
        """Everybody must be content without a mutant; the time that this takes sets the limits."""
        for who in [target + "Tests" for target in TARGETS] + ABOVE:
            start = time.monotonic()
            found = self.ask(who, 0)
            if found:
                sys.exit(f"without a mutant {who} fails already: {found}")
            took = time.monotonic() - start
            self.limits[who] = max(20, 5 * took)
            print(f"{who} takes {took:.1f} s", flush=True)

    def judge(self, number, site):
        """Who catches the mutant, and how."""
        for who in [site[0].split("/")[1] + "Tests"] + ABOVE:
            found = self.ask(who, number)
            if found:
                return who, found
        return None, ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--only", default="", help="numbers of mutants to judge: 1..60")
    parser.add_argument("--again", action="store_true", help="judge survivors of earlier runs again")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / ".build-mutants")
    parser.add_argument("--sim-seeds", default="1..40")
    parser.add_argument("--skip", help="a pattern of tests to leave out, such as one that fails without a mutant")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    os.nice(5)
    prepare(options.work)
    results = Results(options.work / "results.jsonl")
    order = sites()
    random.Random(options.seed).shuffle(order)
    chosen = plant(options.work, order, options.count, results)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    court = Court(options.work, options.sim_seeds, options.skip)
    court.calibrate()
    ends = [int(end) for end in options.only.split("..")] if options.only else [1, len(order)]
    due = [number for number in chosen if ends[0] <= number <= ends[-1]
           and (results.verdict(chosen[number]) is None or options.again and results.verdict(chosen[number]) == "survives")]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        asked = {pool.submit(court.judge, number, chosen[number]): number for number in due}
        for future in concurrent.futures.as_completed(asked):
            (who, how), site = future.result(), chosen[asked[future]]
            results.add(site, "caught" if who else "survives", who or "", how)
            print(f"{asked[future]:4} {'caught by ' + who if who else 'SURVIVES':28} {name(site)}  {how}", flush=True)
    verdicts = [results.verdict(site) for site in chosen.values()]
    caught, judged = verdicts.count("caught"), len(verdicts) - verdicts.count(None)
    print(f"{caught} of {judged} judged are caught ({100 * caught / max(judged, 1):.1f} %), "
          f"{len(chosen)} planted, {len(order)} possible, seed {options.seed}")
    sys.exit(0 if caught >= 0.9 * judged else 1)


main()
