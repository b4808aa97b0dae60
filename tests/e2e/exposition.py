# SPDX-License-Identifier: Apache-2.0
"""A strict reader of the Prometheus text format 0.0.4: any deviation is an error."""
import re
import shutil

import lab

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)+)\}})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def read(text):
    """{(name, labels as a sorted tuple of pairs): number}; checks the form of each line, and that
    each family comes once, with HELP, TYPE and samples in this order."""
    assert text == "" or text.endswith("\n"), "the last line has no end"
    samples, types, family = {}, {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family, text_of_help = line[7:].split(" ", 1)
            assert re.fullmatch(NAME, family) and text_of_help.strip(), line
            assert family not in types, f"{family} is there twice"
            types[family] = None
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name == family and types[name] is None, line
            assert kind in ("counter", "gauge"), line
            assert name.endswith("_total") == (kind == "counter"), line
            types[name] = kind
        else:
            found = SAMPLE.fullmatch(line)
            assert found, line
            name, labels, number = found.groups()
            assert name == family and types[name], line
            pairs = LABEL.findall(labels or "")
            assert ",".join(f'{key}="{value}"' for key, value in pairs) == (labels or ""), line
            assert len({key for key, _ in pairs}) == len(pairs), line
            assert re.fullmatch(r"\d+(\.\d+)?", number), line
            key = (name, tuple(sorted(pairs)))
            assert key not in samples, line
            samples[key] = float(number)
    assert all(any(key[0] == name for key in samples) for name in types), "a family without samples"
    return samples


def check(text):
    """Does the same, and runs promtool if it is installed (Debian: prometheus)."""
    samples = read(text)
    if shutil.which("promtool"):
        done = lab.run("promtool", "check", "metrics", input=text, check=False)
        assert done.returncode == 0 and not done.stdout.strip() and not done.stderr.strip(), \
            done.stdout + done.stderr
    return samples


def sample(samples, name, **labels):
    return samples[(name, tuple(sorted(labels.items())))]
