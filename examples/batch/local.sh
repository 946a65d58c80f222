#!/bin/bash
# The same on one machine, four processes at a time. Run again after a failure, it does what is missing.
set -eu
shards=${SHARDS:-20}
mkdir -p scores
seq "$shards" | while read -r i; do [ -e "scores/$i.h5" ] || echo "$i"; done |
  xargs -P 4 -I{} anomalyclr score --model runs/a --data 'events/*.h5' --on-bad-event skip \
    --out 'scores/{}.h5' --shard "{}/$shards" --threads 1 --quiet
# with GNU parallel: seq "$shards" | parallel -j 4 --joblog score.log --resume-failed anomalyclr score .. --shard "{}/$shards"
anomalyclr merge 'scores/*.h5' --out scores.h5
