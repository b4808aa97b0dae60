# SPDX-License-Identifier: Apache-2.0
"""Runs one build over one capture and reads all that it wrote."""
import json
import pathlib
import shutil
import subprocess
import tempfile

import pcapng

TIMEOUT_S = 120
KINDS = ("exit", "message", "json", "eve", "packet", "alert")

# Fields that differ between two runs of one build, by name, and why. Paths need no entry: both builds
# read and write the same paths, one after the other. No output of a replay has a pid or a version.
NORMALISED = {"wall_s": "the time that the replay took"}
# A segment repeats an alert or a flow as JSON in a comment, after one of these words.
JSON_COMMENTS = ("nids-xdp alert ", "nids-xdp flow ")


def normalised(value):
    if isinstance(value, dict):
        return {key: None if key in NORMALISED else normalised(item) for key, item in value.items()}
    if isinstance(value, list):
        return [normalised(item) for item in value]
    return value


def parsed(text):
    """A text that is no JSON is compared as it is."""
    try:
        return normalised(json.loads(text))
    except ValueError:
        return text


def parsed_comment(text):
    for start in JSON_COMMENTS:
        if text.startswith(start):
            return {start.split()[1]: parsed(text[len(start):])}
    return text


def stored_packets(folder):
    for segment in sorted(folder.glob("*.pcapng")):
        try:
            for packet in pcapng.packets(segment.read_bytes()):
                packet["comments"] = [parsed_comment(comment) for comment in packet["comments"]]
                yield {"segment": segment.name, **packet}
        except (ValueError, LookupError, pcapng.struct.error) as error:
            yield {"segment": segment.name, "unreadable": str(error)}


def run(command):
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL,
                              timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"no end in {TIMEOUT_S} s", "", ""
    return (done.returncode, done.stdout.decode("utf-8", "replace"),
            done.stderr.decode("utf-8", "replace"))


def observe(binary, capture, place):
    """What the build reports about the capture: a list for each kind. `place` is an empty folder."""
    eve, store = place / "eve.json", place / "store"
    code, out, messages = run([binary, "replay", str(capture), "--json", "--eve", str(eve),
                               "--retain", str(store)])
    seen = {"exit": [code], "message": messages.splitlines(), "json": [parsed(out)] if out else [],
            "eve": [], "packet": list(stored_packets(store)), "alert": []}
    if eve.exists():
        lines = eve.read_text(encoding="utf-8", errors="replace").splitlines()
        seen["eve"] = [parsed(line) for line in lines]
    if seen["packet"]:
        code, out, messages = run([binary, "alerts", "--json", "--retain", str(store)])
        alerts = parsed(out)
        seen["alert"] = alerts if isinstance(alerts, list) else [alerts]
        if code != 0 or messages:
            seen["alert"].append({"exit": code, "message": messages})
    return seen


def observe_both(binaries, capture):
    """Runs them one after the other in one folder, so that the paths in the output are equal."""
    with tempfile.TemporaryDirectory(prefix="nids-compare-") as folder:
        place = pathlib.Path(folder)
        place.chmod(0o755)  # replay gives up root before it writes
        seen = []
        for binary in binaries:
            inner = place / "run"
            inner.mkdir()
            seen.append(observe(binary, capture, inner))
            shutil.rmtree(inner)
    return seen
