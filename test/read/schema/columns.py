"""Writes tables of many types in many ways into the folder given, and tells in JSON what is in them."""

import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

folder = sys.argv[1]
rng = np.random.default_rng(3)
rows = 300


def numbers(kind, n):
    if kind == "bool":
        return rng.random(n) < 0.5
    if kind.startswith("float"):
        return rng.normal(0, 100, n).astype(kind)
    info = np.iinfo(kind)
    return rng.integers(info.min, info.max, n, dtype=kind, endpoint=True)


counts = rng.integers(0, 5, rows)
offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
total = int(offsets[-1])
kinds = ["bool", *[f"{s}int{b}" for s in ("", "u") for b in (8, 16, 32, 64)], "float16", "float32", "float64"]
columns = {kind: pa.array(numbers(kind, rows)) for kind in kinds}
columns |= {
    f"list_{kind}": pa.ListArray.from_arrays(offsets, pa.array(numbers(kind, total))) for kind in kinds
}
few = pa.array(rng.integers(0, 3, total).astype(np.int32))
columns["list_few"] = pa.ListArray.from_arrays(offsets, few)
columns["large"] = pa.LargeListArray.from_arrays(offsets.astype(np.int64), pa.array(numbers("float32", total)))
columns["gaps"] = pa.array([None if i % 7 == 0 else i for i in range(rows)], pa.int32())
columns["list_gaps"] = pa.array(
    [None if i % 11 == 0 else [None if k == 1 else i * k / 2 for k in range(i % 4)] for i in range(rows)],
    pa.list_(pa.float32()),
)
columns["needed"] = pa.array(numbers("float32", rows))
pair = {"x": pa.array(numbers("float32", total)), "n": pa.array(numbers("uint8", total))}
records = pa.StructArray.from_arrays(list(pair.values()), list(pair))
columns["records"] = pa.ListArray.from_arrays(offsets, records)
columns["record"] = pa.StructArray.from_arrays([columns["list_float32"], columns["gaps"]], ["list", "one"])
fixed = {
    "fixed": pa.FixedSizeListArray.from_arrays(pa.array(numbers("float32", rows * 3)), 3),
    "table": pa.ListArray.from_arrays(offsets, pa.FixedSizeListArray.from_arrays(pa.array(numbers("int16", total * 2)), 2)),
}
needed = pa.schema([pa.field(name, array.type, nullable=name != "needed") for name, array in columns.items()])
table = pa.table(columns, schema=needed)
wide = pa.table({**columns, **fixed})

split = [name for name in ("float32", "float64")]
ways = {
    "plain": dict(use_dictionary=False, compression="none"),
    "dictionary": dict(use_dictionary=True, compression="snappy", row_group_size=70),
    "pages1": dict(data_page_size=100, compression="lz4", use_dictionary=False),
    "pages2": dict(data_page_size=100, data_page_version="2.0", compression="brotli"),
    "split": dict(use_dictionary=False, column_encoding={name: "BYTE_STREAM_SPLIT" for name in split}),
    "delta": dict(use_dictionary=False, column_encoding={name: "DELTA_BINARY_PACKED" for name in ("int32", "int64")}),
    "gzip": dict(compression="gzip", row_group_size=1),
    "zstd": dict(compression="zstd", write_page_index=True),
}
for name, options in ways.items():
    pq.write_table(table, f"{folder}/{name}.parquet", **options)
for name, chunk in {"whole": rows, "batches": 70}.items():
    with pa.OSFile(f"{folder}/{name}.arrow", "wb") as sink, pa.ipc.new_file(sink, wide.schema) as writer:
        writer.write_table(wide, max_chunksize=chunk)
for codec in ("lz4", "zstd"):
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.OSFile(f"{folder}/{codec}.arrows", "wb") as sink:
        with pa.ipc.new_stream(sink, wide.schema, options=options) as writer:
            writer.write_table(wide, max_chunksize=110)


def told(values, list_):
    """What a branch should be: a number as text, for int64; nulls as NaN, a missing list as an empty one."""

    def one(value):
        return "NaN" if value is None else str(int(value)) if isinstance(value, (bool, int)) else repr(float(value))

    return [[one(v) for v in (row or [])] if list_ else one(row) for row in values]


branches = {}
for name in wide.column_names:
    values = wide[name].to_pylist()
    if name == "records":
        for field in pair:
            branches[f"records.{field}"] = told([[one[field] for one in row] for row in values], True)
    elif name == "record":
        branches["record.list"] = told([row["list"] for row in values], True)
        branches["record.one"] = told([row["one"] for row in values], False)
    elif name == "table":
        branches[name] = told([[v for pair_ in row for v in pair_] for row in values], True)
    else:
        branches[name] = told(values, isinstance(values[0], list) or name == "list_gaps")
print(json.dumps({"branches": branches, "parquet": list(ways), "wide": list(fixed)}))
