#!/usr/bin/env python3
"""The published encoder, padded to 19 slots, on ONNX Runtime's CPU provider: one JSON line with events_per_s.

    onnxruntime_padded.py --data sample/background_train.h5 --batch 64 --threads 1 --seconds 5

Features 7, width, feed-forward and output 160, 4 heads, 4 layers, head of 2; random weights, as the time does not depend
on them. LayerNormalization and the attention pattern stand as ONNX Runtime fuses them. Needs onnx, onnxruntime, h5py.
"""
import argparse
import json
import time

import h5py
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument('--data', required=True)
arguments.add_argument('--batch', type=int, default=64)
arguments.add_argument('--threads', type=int, default=1)
arguments.add_argument('--seconds', type=float, default=5)
args = arguments.parse_args()

SLOTS, FEATURES, WIDTH, HEADS, LAYERS = 19, 7, 160, 4, 4
random = np.random.default_rng(1)
nodes, weights = [], []


def constant(name, value):
    weights.append(numpy_helper.from_array(np.asarray(value), name))
    return name


def node(kind, inputs, output, **attributes):
    nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
    return output


def linear(x, inputs, outputs, name):
    w = constant(name + '.w', (random.standard_normal((inputs, outputs)) / np.sqrt(inputs)).astype(np.float32))
    b = constant(name + '.b', np.zeros(outputs, np.float32))
    return node('Add', [node('MatMul', [x, w], name + '.product'), b], name)


def norm(x, name):
    gain, offset = constant(name + '.g', np.ones(WIDTH, np.float32)), constant(name + '.o', np.zeros(WIDTH, np.float32))
    return node('LayerNormalization', [x, gain, offset], name, axis=-1, epsilon=1e-5)


shape = constant('heads', np.array([0, 0, HEADS, WIDTH // HEADS], np.int64))
flat = constant('flat', np.array([0, 0, WIDTH], np.int64))
scale = constant('scale', np.array(np.sqrt(WIDTH / HEADS), np.float32))
x = linear('features', FEATURES, WIDTH, 'embedding')
for layer in range(LAYERS):
    at = f'layer{layer}.'
    q, k, v = (node('Transpose', [node('Reshape', [linear(x, WIDTH, WIDTH, at + n), shape], at + n + '.split')], at + n + '.t',
                    perm=[0, 2, 3, 1] if n == 'k' else [0, 2, 1, 3]) for n in 'qkv')
    logits = node('Add', [node('Div', [node('MatMul', [q, k], at + 'qk'), scale], at + 'scaled'), 'mask'], at + 'logits')
    mixed = node('MatMul', [node('Softmax', [logits], at + 'probs', axis=-1), v], at + 'mixed')
    mixed = node('Reshape', [node('Transpose', [mixed], at + 'back', perm=[0, 2, 1, 3]), flat], at + 'joined')
    x = norm(node('Add', [x, linear(mixed, WIDTH, WIDTH, at + 'out')], at + 'sum1'), at + 'norm1')
    hidden = node('Relu', [linear(x, WIDTH, WIDTH, at + 'up')], at + 'relu')
    x = norm(node('Add', [x, linear(hidden, WIDTH, WIDTH, at + 'down')], at + 'sum2'), at + 'norm2')
axes = constant('axes', np.array([1], np.int64))
z = node('ReduceSum', [node('Mul', [x, 'present'], 'kept'), axes], 'pooled', keepdims=0)
for layer in range(2):
    z = linear(node('Relu', [z], f'head{layer}.relu'), WIDTH, WIDTH, f'head{layer}')

tensor = helper.make_tensor_value_info
graph = helper.make_graph(
    nodes, 'encoder',
    [tensor('features', TensorProto.FLOAT, ['batch', SLOTS, FEATURES]),
     tensor('mask', TensorProto.FLOAT, ['batch', 1, 1, SLOTS]),
     tensor('present', TensorProto.FLOAT, ['batch', SLOTS, 1])],
    [tensor(z, TensorProto.FLOAT, ['batch', WIDTH])], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=9)

with h5py.File(args.data) as file:
    events = file['Particles'][:16384].astype(np.float32)
kinds = np.repeat(np.arange(4), (1, 4, 4, 10))
present = (events[:, :, 0] > 0).astype(np.float32)
features = np.concatenate([np.log1p(events[:, :, :1]), events[:, :, 1:2] / 4, events[:, :, 2:3] / np.pi,
                           np.eye(4, dtype=np.float32)[kinds][None].repeat(len(events), 0)], 2) * present[:, :, None]
mask = np.where(present > 0, 0, -1e9).astype(np.float32)[:, None, None, :]

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = args.threads
session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=['CPUExecutionProvider'])
batches = [dict(features=np.ascontiguousarray(features[i:i + args.batch]), mask=np.ascontiguousarray(mask[i:i + args.batch]),
                present=np.ascontiguousarray(present[i:i + args.batch, :, None]))
           for i in range(0, len(events) - args.batch + 1, args.batch)]
assert np.isfinite(session.run(None, batches[0])[0]).all()
rates = []
for _ in range(5):
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < args.seconds / 5:
        session.run(None, batches[calls % len(batches)])
        calls += 1
    rates.append(calls * args.batch / (time.perf_counter() - start))
print(json.dumps(dict(peer='onnxruntime', version=onnxruntime.__version__, batch=args.batch, threads=args.threads,
                      events_per_s=round(float(np.median(rates)), 1), best=round(max(rates), 1), worst=round(min(rates), 1))))
