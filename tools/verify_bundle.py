#!/usr/bin/env python3
"""Whether a bundle gives here what it gave its maker: `anomalyclr verify` for people with Python.

    pip install onnxruntime onnx numpy
    python tools/verify_bundle.py BUNDLE.onnx [--provider CUDAExecutionProvider]

Recomputes the reference events of the model card, one by one and together, as the card has them and with their objects
spread over all 64 slots in another order. Prints a line per event; exit code 1 where a figure does not agree.
"""

import argparse
import json
import sys

import numpy as np
import onnx
import onnxruntime as ort

SLOTS = 64
# the verdict is computed in f32 whatever the precision of the encoder
VERDICT_TOLERANCE = 1e-4


def read_card(file):
    """The model card inside a bundle, as a dict."""
    try:
        model = onnx.load(file, load_external_data=False)
    except Exception as error:  # whatever protobuf calls it
        sys.exit(f"{file}: cannot be read as ONNX ({error})")
    for entry in model.metadata_props:
        if entry.key == "anomalyclr.card":
            card = json.loads(entry.value)
            if card.get("format") != "anomalyclr.bundle.1":
                sys.exit(f"{file}: format {card.get('format')} is not one that this script knows")
            return card
    sys.exit(f"{file}: an ONNX file, but not a bundle of anomalyclr")


def pad(events, slots, place):
    """[events, slots, 4] of lists of objects, row i of an event in slot place(i)."""
    objects = np.zeros((len(events), slots, 4), np.float32)
    for e, rows in enumerate(events):
        for i, row in enumerate(rows):
            objects[e, place(i)] = row
    return objects


def ways(events):
    """(how, index of the first event, input) for every way to compute the events."""
    longest = max(1, *(len(rows) for rows in events)) if events else 1

    def scattered(i):
        return (37 * i + 11) % SLOTS

    for e, rows in enumerate(events):
        yield "alone", e, pad([rows], max(1, len(rows)), int)
        yield "alone, its objects spread over 64 slots", e, pad([rows], SLOTS, scattered)
    yield "together with the others", 0, pad(events, longest, int)
    yield "together with the others, its objects spread over 64 slots", 0, pad(events, SLOTS, scattered)


def differences(expected, found, e, scale):
    """name -> (how far off, how it is told) of the figures of one event; scores below scale relative to that."""
    tiny = np.finfo(np.float64).tiny
    want = np.asarray(expected["representation"], np.float64)
    off = np.abs(found["representation"][e] - want).max(initial=0) / max(np.abs(want).max(initial=0), tiny)
    result = {"representation": (off, f"off by {off:.2g} of its largest number")}
    if expected["score"] is not None:
        score = float(found["score"][e])
        off = abs(score - expected["score"]) / max(abs(expected["score"]), scale, tiny)
        result["score"] = (off, f"{score}, expected {expected['score']}")
    distance = float(found["domain_distance"][e])
    off = abs(distance - expected["distance"]) / max(1, expected["distance"])
    result["domain_distance"] = (off, f"{distance}, expected {expected['distance']}")
    inside = bool(found["in_domain"][e])
    result["in_domain"] = (float(inside != expected["inDomain"]), f"{inside}, expected {expected['inDomain']}")
    crossed = found["crossed"][e].ravel().tolist()
    result["crossed"] = (float(crossed != expected["crossed"]), f"{crossed}, expected {expected['crossed']}")
    return result


def verify(file, providers):
    """Prints what agrees and what does not. Returns whether all does."""
    card = read_card(file)
    reference = card["reference"]
    tolerance = reference["tolerance"]
    events = reference["events"]
    scale = reference.get("scoreScale", 0)
    if not events:
        sys.exit(f"{file}: its card has no reference events")
    session = ort.InferenceSession(file, providers=providers)
    names = [output.name for output in session.get_outputs()]
    worst = [dict() for _ in events]
    faults = [dict() for _ in events]
    for how, first, objects in ways([event["objects"] for event in events]):
        found = dict(zip(names, session.run(None, {"objects": objects})))
        for e in range(len(objects)):
            for name, (off, told) in differences(events[first + e], found, e, scale).items():
                worst[first + e][name] = np.maximum(worst[first + e].get(name, 0.0), off)
                if not off <= tolerance.get(name, VERDICT_TOLERANCE):
                    faults[first + e].setdefault(name, f"{name} {told} ({how})")
    good = sum(not fault for fault in faults)
    verdict = "ok" if good == len(events) else "FAILED"
    where = f"ONNX Runtime {ort.__version__}, {session.get_providers()[0]}"
    print(f"{verdict}  {file}: {good} of {len(events)} reference events within their tolerance, on {where}")
    for e, (event, off, fault) in enumerate(zip(events, worst, faults), 1):
        score = "-" if event["score"] is None else f"{event['score']:.6g} off by {off['score']:.1e}"
        print(f"  event {e}: score {score}, representation off by {off['representation']:.1e}: ", end="")
        print("; ".join(fault.values()) or "ok")
    return good == len(events)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", nargs="+", help="ONNX files of bundles")
    parser.add_argument("--provider", action="append", help="execution provider of ONNX Runtime; default the processor")
    arguments = parser.parse_args()
    results = [verify(file, arguments.provider or ["CPUExecutionProvider"]) for file in arguments.bundles]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
