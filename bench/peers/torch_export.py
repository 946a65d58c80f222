#!/usr/bin/env python3
"""A trained run as PyTorch exports it: objects in physical units in, score out, padded, one nn.TransformerEncoder.

    torch_export.py RUN OUT.onnx [--exporter dynamo|torchscript]

Weights are those of the run's encoder.safetensors and autoencoder.safetensors. Prints one JSON line. Needs torch, numpy,
onnx and onnxscript.
"""
import argparse
import json
import math
import struct

import numpy as np
import torch
import torch.nn as nn

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument('run')
arguments.add_argument('out')
arguments.add_argument('--exporter', choices=('dynamo', 'torchscript'), default='dynamo')
args = arguments.parse_args()


def safetensors(path):
    with open(path, 'rb') as file:
        size = struct.unpack('<Q', file.read(8))[0]
        header = json.loads(file.read(size))
        data = file.read()
    config = json.loads(header.pop('__metadata__')['config'])
    types = {'F32': np.float32, 'F64': np.float64}
    tensors = {
        name: torch.from_numpy(
            np.frombuffer(data[t['data_offsets'][0] : t['data_offsets'][1]], types[t['dtype']]).reshape(t['shape']).astype(np.float32)
        )
        for name, t in header.items()
    }
    return config, tensors


config, weights = safetensors(f'{args.run}/encoder.safetensors')
detector, detector_weights = safetensors(f'{args.run}/autoencoder.safetensors')
assert config['mask'] == 'hard', 'the peer knows the hard mask alone'


class Scorer(nn.Module):
    def __init__(self):
        super().__init__()
        d = config['width']
        self.embedding = nn.Linear(config['features'], d)
        layer = nn.TransformerEncoderLayer(d, config['heads'], config['feedForward'], dropout=0.0, batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, config['layers'], enable_nested_tensor=False)
        self.load_state_dict({k: v for k, v in weights.items() if k.startswith(('embedding', 'transformer'))})
        widths = detector['widths']
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.layers.load_state_dict({k[7:]: v for k, v in detector_weights.items() if k.startswith('layers.')})
        self.bottleneck = widths.index(min(widths))
        self.register_buffer('mean', detector_weights['preparation.mean'])
        self.register_buffer('matrix', detector_weights['preparation.matrix'])

    def forward(self, objects):
        pt, eta, phi, kind = objects.unbind(-1)
        scale = config['ptScale']
        scaled = torch.log(1 + pt) / math.log1p(scale) if config['ptFeature'] == 'log' else pt / scale
        angles = [torch.sin(phi), torch.cos(phi)] if config['features'] == 8 else [phi / math.pi]
        flags = [(kind == code).float() for code in (1, 2, 3, 4)]
        x = torch.stack([scaled, eta / 4, *angles, *flags], -1)
        real = pt > 0
        x = self.transformer(self.embedding(x), src_key_padding_mask=~real)
        pooled = (x * real.unsqueeze(-1)).sum(1)
        x = (pooled - self.mean) @ self.matrix.T
        y = x
        activation = {'elu': nn.functional.elu, 'relu': torch.relu, 'leaky_relu': nn.functional.leaky_relu}[detector['activation']]
        for i, layer in enumerate(self.layers):
            y = layer(y)
            if i + 1 not in (self.bottleneck, len(self.layers)):
                y = activation(y)
        return ((y - x) ** 2).mean(1)


torch.backends.mha.set_fastpath_enabled(False)  # which no exporter knows
model = Scorer().eval()
example = torch.zeros(8, 19, 4)
example[:, 0] = torch.tensor([30.0, 0, 1, 1])
example[:, 1] = torch.tensor([40.0, 0.5, 1, 4])
names = dict(input_names=['objects'], output_names=['score'])
with torch.no_grad():
    if args.exporter == 'dynamo':
        batch = torch.export.Dim('batch', min=1, max=1 << 20)
        torch.onnx.export(model, (example,), args.out, dynamo=True, external_data=False, dynamic_shapes={'objects': {0: batch}}, **names)
    else:
        torch.onnx.export(model, (example,), args.out, dynamo=False, opset_version=17, dynamic_axes={'objects': {0: 'batch'}, 'score': {0: 'batch'}}, **names)
print(json.dumps({'torch': torch.__version__, 'exporter': args.exporter}))
