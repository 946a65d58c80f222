#!/usr/bin/env python3
"""PyTorch on a GPU, padded to 19 slots, bf16 autocast: one JSON line with the times of calls.

    torch_cuda.py --task train --mode eager|compile --data sample/background_train.h5 --batch 8192 --loss anomclr+ --seconds 5
    torch_cuda.py --task score --mode eager|compile --data sample/background_train.h5 --batch 16384 --seconds 5

The published encoder (width, feed-forward and output 160, 4 heads, 4 layers, head of 2, dropout 0.1) on nn.TransformerEncoder,
one forward for the three views, fused Adam. train: a step, with its views made on the GPU by operations on whole columns.
score: encoder and autoencoder from events on the GPU to scores there. A call ends when the GPU is done. Needs torch, numpy,
h5py. --device cpu is for trying it out.
"""
import argparse
import json
import math
import time

import h5py
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument('--task', choices=('train', 'score'), required=True)
arguments.add_argument('--mode', choices=('eager', 'compile'), default='eager')
arguments.add_argument('--dtype', choices=('f32', 'bf16'), default='bf16')
arguments.add_argument('--loss', choices=('anomclr', 'anomclr+'), default='anomclr+')
arguments.add_argument('--data', required=True)
arguments.add_argument('--batch', type=int, default=512)
arguments.add_argument('--seconds', type=float, default=5)
arguments.add_argument('--device', default='cuda')
args = arguments.parse_args()
if args.device == 'cuda' and not torch.cuda.is_available():
    raise SystemExit('torch finds no GPU')
torch.manual_seed(1)
torch.set_default_device(args.device)
torch.backends.cuda.matmul.allow_tf32 = False

SLOTS, WIDTH, TEMPERATURE = 19, 160, 0.1
CLASSES = ((1, 4, 3.0, 3.0), (5, 4, 3.0, 2.1), (9, 10, 15.0, 4.0))  # first slot, slots, least pt, largest |eta|
ONE_HOT, ETA_MOST = torch.zeros(SLOTS, 4), torch.full((SLOTS,), 1e9)
ONE_HOT[0, 0] = 1
for kind, (first, slots, _, most) in enumerate(CLASSES):
    ONE_HOT[first:first + slots, kind + 1] = 1
    ETA_MOST[first:first + slots] = most
IS_JET, IS_OBJECT = ONE_HOT[:, 3], 1 - ONE_HOT[:, 0]


def seen(pt, eta, phi, on):
    """Directions smeared, then what the detector accepts."""
    sigma = 0.028 * torch.sigmoid((25 - pt) * 10) * IS_OBJECT
    eta = eta + sigma * torch.randn_like(eta)
    phi = phi + sigma * torch.randn_like(phi)
    on = on & (eta.abs() < ETA_MOST) & (pt > 0)
    return pt * on, eta * on, torch.remainder(phi + math.pi, 2 * math.pi) - math.pi, on


def physical(pt, eta, phi, on):
    phi = phi + 2 * math.pi * torch.rand(len(pt), 1)
    pt = pt + IS_JET * torch.sqrt(0.052 * pt * pt + 1.502 * pt) * torch.randn_like(pt)
    return seen(pt, eta, phi, on)


def more_objects(pt, eta, phi, on):
    """Up to as many as there are free slots, the MET balanced."""
    top = pt.amax(1, keepdim=True)
    new = torch.zeros_like(on)
    for first, slots, _, _ in CLASSES:
        free = ~on[:, first:first + slots]
        many = (torch.rand(len(pt), 1) * (free.sum(1, keepdim=True) + 1)).floor()
        new[:, first:first + slots] = free & (torch.cumsum(free, 1) <= many)
    u = torch.rand(3, *pt.shape)
    pt = torch.where(new, 3 + (top - 3).clamp(min=0) * u[0], pt)
    eta = torch.where(new, 4 * (u[1] - 0.5), eta)
    phi = torch.where(new, 2 * math.pi * (u[2] - 0.5), phi)
    x, y = ((pt * trig(phi)) * torch.where(IS_OBJECT > 0, -1.0 * new, torch.ones_like(pt)) for trig in (torch.cos, torch.sin))
    x, y = x.sum(1), y.sum(1)
    pt = torch.cat((torch.sqrt(x * x + y * y)[:, None] + 1e-3, pt[:, 1:]), 1)
    return seen(pt, eta, torch.cat((torch.atan2(y, x)[:, None], phi[:, 1:]), 1), on | new)


def shared_out(pt, eta, phi, on):
    """The momentum of each class dealt out anew among its objects."""
    parts = [pt[:, :1]]
    for first, slots, _, _ in CLASSES:
        there = on[:, first:first + slots]
        share = -torch.log(torch.rand(len(pt), slots).clamp(min=1e-7)) * there
        parts.append(share / share.sum(1, keepdim=True).clamp(min=1e-9) * pt[:, first:first + slots].sum(1, keepdim=True))
    return seen(torch.cat(parts, 1), eta, phi, on)


def shifted(pt, eta, phi, on):
    return pt * (1 + 4 * torch.rand(len(pt), 1)), eta, phi, on


def features(pt, eta, phi, on):
    column = torch.stack((torch.log1p(pt) / math.log1p(35), eta / 4, phi / math.pi), 2)
    return torch.cat((column, ONE_HOT.expand(len(pt), SLOTS, 4)), 2) * on[:, :, None], on


def three_views(pt, eta, phi):
    event = (pt, eta, phi, pt > 0)
    third = len(pt) // 3
    parts = [make(*(x[a:b] for x in event)) for make, a, b in (
        (more_objects, 0, third), (shared_out, third, 2 * third), (shifted, 2 * third, len(pt)))]
    views = [features(*view) for view in (event, physical(*event), tuple(torch.cat(x) for x in zip(*parts)))]
    return torch.cat([f for f, _ in views]), torch.cat([on for _, on in views])


class Encoder(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.embedding = nn.Linear(7, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, dim_feedforward=WIDTH, dropout=dropout, batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.head = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))

    def pooled(self, x, on):
        return (self.transformer(self.embedding(x), src_key_padding_mask=~on) * on[:, :, None]).sum(1)

    def forward(self, x, on):
        z = self.pooled(x, on)
        for layer in self.head:
            z = layer(F.relu(z))
        return z


def contrast(z):
    u, v, w = F.normalize(z.float(), dim=1).chunk(3)
    attract = ((u * w).sum(1) - (u * v).sum(1)) / TEMPERATURE
    if args.loss == 'anomclr+':
        return attract.mean()
    pair = torch.cat((u, v))
    logits = pair @ pair.t() / TEMPERATURE
    rows, half = torch.arange(len(pair)), len(u)
    logits[rows, rows] = logits[rows, (rows + half) % len(pair)] = -math.inf
    return attract.mean() + torch.logsumexp(logits, 1).mean()


with h5py.File(args.data) as file:
    events = np.resize(file['Particles'][:65536].astype(np.float32), (max(65536, args.batch), SLOTS, 4))
pt, eta, phi = (torch.from_numpy(np.ascontiguousarray(events[:, :, i])).to(args.device) for i in range(3))
compiled = torch.compile if args.mode == 'compile' else lambda f, **_: f
precision = torch.autocast(args.device, torch.bfloat16, enabled=args.dtype == 'bf16')
start = 0


def next_events():
    global start
    start = (start + args.batch) % (len(pt) - args.batch + 1)
    return tuple(x[start:start + args.batch] for x in (pt, eta, phi))


if args.task == 'train':
    encoder = Encoder(0.1)
    optimiser = torch.optim.Adam(encoder.parameters(), lr=1e-3, fused=args.device == 'cuda')
    views, encode, loss_of = compiled(three_views), compiled(encoder), compiled(contrast)

    def call():
        with torch.no_grad():
            x, on = views(*next_events())
        optimiser.zero_grad(set_to_none=True)
        with precision:
            z = encode(x, on)
        loss = loss_of(z)
        loss.backward()
        nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimiser.step()
        return loss
else:
    torch.backends.mha.set_fastpath_enabled(args.mode == 'eager')  # which torch.compile does not take
    encoder = Encoder(0.0).eval()
    widths = (WIDTH, 64, 25, 10, 25, 64, WIDTH)
    layers = [part for a, b in zip(widths, widths[1:]) for part in (nn.Linear(a, b), nn.ELU())][:-1]
    detector = nn.Sequential(*layers)

    @compiled
    def score(pt, eta, phi):
        z = encoder.pooled(*features(pt, eta, phi, pt > 0))
        return (detector(z) - z).square().mean(1)

    def call():
        with torch.no_grad(), precision:
            return score(*next_events())


def wait():
    if args.device == 'cuda':
        torch.cuda.synchronize()


for _ in range(10 if args.mode == 'compile' else 3):
    last = call()
wait()
times, begin = [], time.perf_counter()
while len(times) < 5 or time.perf_counter() - begin < args.seconds:
    before = time.perf_counter()
    last = call()
    wait()
    times.append(1e6 * (time.perf_counter() - before))
assert torch.isfinite(last).all()
on_gpu = args.device == 'cuda'
print(json.dumps(dict(
    version=torch.__version__, device=torch.cuda.get_device_name() if on_gpu else 'cpu', call_us=[round(t, 2) for t in times],
    device_mb=round(torch.cuda.max_memory_reserved() / 2**20) if on_gpu else 0)))
