#!/usr/bin/env python3
"""Writes sample/nanoaod.root, an example in the shape of CMS NanoAOD, out of events of the sample, by uproot.

Read with schemas/nanoaod.yaml it gives back the first events of sample/background_test.h5, to the last bit. Around their
objects it puts what a selection has to leave out: electrons, muons and jets that fail their identification or lie beyond
the limits in pT or eta, in no order; branches that nobody asks for; a trigger that half of the events fired.

  python tools/make_nanoaod.py [--events N] [--out FILE] [--basket ROWS] [--repeat N]
"""

import argparse
import pathlib

import awkward as ak
import h5py
import numpy as np
import uproot

root = pathlib.Path(__file__).resolve().parent.parent

# of each kind: slots in the ADC2021 layout, highest pT of what is added, limits in pT and |eta|
KINDS = {
    "Electron": (slice(1, 5), 60.0, 3.0, 3.0),
    "Muon": (slice(5, 9), 60.0, 3.0, 2.1),
    "Jet": (slice(9, 19), 120.0, 15.0, 4.0),
}


def added(rng, name, rows):
    """Objects to be left out: a list for each row of (pt, eta, phi, passes its identification)."""
    _, most, min_pt, max_eta = KINDS[name]
    lists = []
    for count in rng.poisson(1.0, rows):
        objects = []
        for fault in rng.integers(0, 3, count):
            pt = rng.uniform(min_pt + 0.1, most)
            eta = rng.uniform(-max_eta, max_eta)
            if fault == 1:
                pt = rng.uniform(0.3, 0.99) * min_pt
            if fault == 2:
                eta = rng.choice([-1, 1]) * rng.uniform(max_eta + 0.01, max_eta + 0.7)
            objects.append((pt, eta, rng.uniform(-np.pi, np.pi), fault != 0))
        lists.append(objects)
    return lists


def collection(rng, name, particles):
    """Record array [rows, objects]: the sample's objects among those added, shuffled."""
    slots = KINDS[name][0]
    extra = added(rng, name, len(particles))
    columns = {"pt": [], "eta": [], "phi": [], "good": []}
    counts = np.zeros(len(particles), np.int64)
    for row, objects in enumerate(particles[:, slots]):
        mine = [(*o[:3], True) for o in objects if o[3] > 0] + extra[row]
        for i in rng.permutation(len(mine)):
            for column, value in zip(columns.values(), mine[i]):
                column.append(value)
        counts[row] = len(mine)
    good = np.array(columns.pop("good"), bool)
    numbers = {key: np.array(values, np.float32) for key, values in columns.items()}
    numbers["mass"] = rng.uniform(0, 20, len(good)).astype(np.float32)
    if name == "Electron":
        numbers["cutBased"] = np.where(good, rng.integers(2, 5, len(good)), rng.integers(0, 2, len(good))).astype(np.uint8)
    if name == "Muon":
        numbers["looseId"] = good
        numbers["tightId"] = good & (rng.random(len(good)) < 0.8)
    if name == "Jet":
        numbers["jetId"] = np.where(good, rng.choice([2, 6], len(good)), 0).astype(np.uint8)
        numbers["btagDeepFlavB"] = rng.random(len(good)).astype(np.float32)
    else:
        numbers["charge"] = rng.choice([-1, 1], len(good)).astype(np.int32)
    return ak.unflatten(ak.zip(numbers), counts)


def table(rng, particles, first):
    rows = len(particles)
    number = np.arange(first, first + rows)
    return {
        "run": np.full(rows, 362104, np.uint32),
        "luminosityBlock": (number // 100 + 1).astype(np.uint32),
        # beyond what a double can tell apart
        "event": (2**53 + 1 + 2 * number).astype(np.uint64),
        "genWeight": rng.normal(1, 0.1, rows).astype(np.float32),
        "PV_npvs": rng.poisson(20, rows).astype(np.uint8),
        "PuppiMET_pt": particles[:, 0, 0].astype(np.float32),
        "PuppiMET_phi": particles[:, 0, 2].astype(np.float32),
        "PuppiMET_sumEt": rng.uniform(200, 900, rows).astype(np.float32),
        "HLT_IsoMu24": number % 2 == 0,
        "HLT_Ele27_WPTight_Gsf": rng.random(rows) < 0.3,
        **{name: collection(rng, name, particles) for name in KINDS},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=400)
    parser.add_argument("--out", default=str(root / "sample" / "nanoaod.root"))
    parser.add_argument("--basket", type=int, default=150, help="rows of a basket")
    parser.add_argument("--repeat", type=int, default=1, help="write the events so many times, with numbers of their own")
    options = parser.parse_args()
    rng = np.random.default_rng(8)
    with h5py.File(root / "sample" / "background_test.h5") as source:
        particles = source["Particles"][: options.events]
    with uproot.recreate(options.out, compression=uproot.ZLIB(6)) as file:
        tree = None
        for first in range(0, options.events * options.repeat, options.basket):
            rows = np.arange(first, min(first + options.basket, options.events * options.repeat))
            data = table(rng, particles[rows % options.events], first)
            if tree is None:
                types = {k: v.type.content if isinstance(v, ak.Array) else v.dtype for k, v in data.items()}
                tree = file.mktree("Events", types)
            tree.extend(data)


if __name__ == "__main__":
    main()
