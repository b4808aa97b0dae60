# SPDX-License-Identifier: Apache-2.0
"""Finds the differences between two observations of a capture. Judges none of them."""
import collections
import dataclasses
import json

MISSING = object()  # the path, or the item, is only on the other side


@dataclasses.dataclass(frozen=True)
class Difference:
    capture: str
    kind: str  # of observation.KINDS
    # Of the JSON value that differs; empty: the complete item differs. "(lines)" is the order of the items,
    # "(keys)" the order of an object's keys.
    path: str
    base: object
    new: object
    event_type: str = ""
    signature_ids: frozenset = frozenset()

    def __str__(self):
        place = " ".join([self.kind, *filter(None, [self.event_type]),
                          *map(str, sorted(self.signature_ids, key=str)), *filter(None, [self.path])])
        return f"{place}: {shown(self.base)} -> {shown(self.new)}"


def shown(value):
    if value is MISSING:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else text[:300] + "..."


def canonical(item):
    return json.dumps(item)  # the order of keys is part of the output


def event_of(item):
    return str(item.get("event_type", "")) if isinstance(item, dict) else ""


def signature_ids(item):
    """The ids of an alert, or of all alerts in a packet's comments."""
    if isinstance(item, dict):
        own = {item["signature_id"]} if isinstance(item.get("signature_id"), int) else set()
        return own.union(*map(signature_ids, item.values()))
    if isinstance(item, list):
        return set().union(*map(signature_ids, item))
    return set()


def keys(item):
    """Two items with an equal key are about the same thing. The strongest key is first."""
    if not isinstance(item, dict):
        return [("text",)]
    signatures = tuple(sorted(signature_ids(item)))
    kind = (event_of(item), *signatures)
    if "data" in item:
        return [("packet", item["time"], item["data"]), ("packet", item["time"])]
    return [(*kind, item.get("flow_id"), item.get("timestamp")), (*kind, item.get("flow_id")), kind]


def leaves(base, new, path=()):
    """Path and both values of each place where two JSON values differ."""
    if isinstance(base, dict) and isinstance(new, dict):
        pairs = {key: (base.get(key, MISSING), new.get(key, MISSING)) for key in [*base, *new]}
        common = [[key for key in one if key in other] for one, other in ((base, new), (new, base))]
        if common[0] != common[1]:
            yield (*path, "(keys)"), *common
    elif isinstance(base, list) and isinstance(new, list):
        length = max(len(base), len(new))
        fill = [MISSING] * length
        pairs = dict(enumerate(zip((base + fill)[:length], (new + fill)[:length])))
    else:
        if canonical_or_missing(base) != canonical_or_missing(new):
            yield path, base, new
        return
    for key, (one, other) in pairs.items():
        yield from leaves(one, other, (*path, str(key)))


def canonical_or_missing(value):
    return MISSING if value is MISSING else canonical(value)


def without_common(base, new):
    """The items of each side that the other side lacks, and whether the rest has the same order."""
    texts = [[canonical(item) for item in side] for side in (base, new)]
    counts = [collections.Counter(side) for side in texts]
    common = counts[0] & counts[1]
    kept, rest = [], []
    for side, items in zip(texts, (base, new)):
        left = common.copy()
        kept.append([])
        rest.append([])
        for text, item in zip(side, items):
            if left[text]:
                left[text] -= 1
                kept[-1].append(text)
            else:
                rest[-1].append(item)
    return rest, kept


def pairs_of(base, new):
    """Each item with its counterpart, or with MISSING."""
    for level in range(3):
        waiting = collections.defaultdict(collections.deque)
        for item in new:
            waiting[keys(item)[min(level, len(keys(item)) - 1)]].append(item)
        unpaired = []
        for item in base:
            candidates = waiting[keys(item)[min(level, len(keys(item)) - 1)]]
            if candidates:
                yield item, candidates.popleft()
            else:
                unpaired.append(item)
        base, new = unpaired, [item for items in waiting.values() for item in items]
    yield from ((item, MISSING) for item in base)
    yield from ((MISSING, item) for item in new)


def compare_kind(capture, kind, base, new):
    (base, new), (base_order, new_order) = without_common(base, new)
    if base_order != new_order:
        first = next(pair for pair in zip(base_order, new_order) if pair[0] != pair[1])
        yield Difference(capture, kind, "(lines)", *first)
    for one, other in pairs_of(base, new):
        item = other if one is MISSING else one
        about = {"event_type": event_of(item), "signature_ids": frozenset(signature_ids(item))}
        for path, *values in leaves(one, other):
            yield Difference(capture, kind, ".".join(path), *values, **about)


def compare(capture, base, new):
    return [difference for kind in base
            for difference in compare_kind(capture, kind, base[kind], new[kind])]
