# SPDX-License-Identifier: Apache-2.0
"""The list of expected differences: which differences each entry accepts. expected.toml describes the
form."""
import fnmatch
import tomllib

import observation

TEXTS = {"why": str, "capture": str, "kind": str, "path": str, "event_type": str, "signature_id": int}


class Unusable(Exception):
    """The list cannot be read. The text says why."""


def check(entry, number):
    for key, value in entry.items():
        if type(value) is not TEXTS.get(key):
            known = ", ".join(TEXTS)
            raise Unusable(f"entry {number}: {key} = {value!r} is no field of an entry ({known})")
    if not entry.get("why", "").strip():
        raise Unusable(f"entry {number} has no reason: add why = \"...\"")
    if len(entry) == 1:
        raise Unusable(f"entry {number} accepts everything: name a capture, kind, path, event_type or "
                       "signature_id")
    if entry.get("kind", "exit") not in observation.KINDS:
        raise Unusable(f"entry {number}: kind is one of {', '.join(observation.KINDS)}")


class Expected:
    def __init__(self, path):
        try:
            with open(path, "rb") as file:
                content = tomllib.load(file)
        except (OSError, ValueError) as error:
            raise Unusable(str(error)) from error
        self.entries = content.pop("difference", [])
        if content or not isinstance(self.entries, list):
            raise Unusable("the list holds [[difference]] entries only")
        for number, entry in enumerate(self.entries, 1):
            check(entry, number)
        self.used = set()

    def accepts(self, difference):
        """Every entry that matches counts as used."""
        matching = {number for number, entry in enumerate(self.entries) if matches(entry, difference)}
        self.used |= matching
        return bool(matching)

    def unused(self):
        return [entry for number, entry in enumerate(self.entries) if number not in self.used]


def matches(entry, difference):
    return (fnmatch.fnmatchcase(difference.capture, entry.get("capture", "*"))
            and entry.get("kind", difference.kind) == difference.kind
            and fnmatch.fnmatchcase(difference.path, entry.get("path", "*"))
            and entry.get("event_type", difference.event_type) == difference.event_type
            and ("signature_id" not in entry or entry["signature_id"] in difference.signature_ids))
