#!/bin/sh
# How a herd of five compares with Debian's redis-server on this machine: alone, and with four replicas.
#
#   benches/compare.sh [ROUNDS]
#
# The same generator, connections, depths and clients for all three, over loopback, in turns, so that whatever else
# the machine does falls on all alike; what is printed are medians and their ratios. It takes about a minute a round:
# `benches/compare.sh 1` is a first look, and five rounds, which are usual, are for figures to keep.
# What is compared is not alike: a herd of five tells every update to all five, logs every line, and answers when a
# neighbour has it. Redis alone does none of this; with replicas it copies later than it answers, and logs nothing.
set -eu

rounds=${1:-5}
cd "$(dirname "$0")/.."
command -v redis-server >/dev/null || { echo "redis-server is not installed" >&2; exit 1; }
cargo build --release --quiet
herdctl=$PWD/target/release/herdctl
work=$(mktemp -d)
pids=
finish() {
    "$herdctl" -c "$work/herd.toml" down --force -q >/dev/null 2>&1 || true
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

redis() { # PORT [OPTION…]
    port=$1
    shift
    redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$work" --logfile '' "$@" >/dev/null &
    pids="$pids $!"
}
redis 21900
redis 21910
for port in 21911 21912 21913 21914; do redis $port --replicaof '127.0.0.1 21910'; done

"$herdctl" init "$work" -q >/dev/null
sed 's/127\.0\.0\.1:1100/127.0.0.1:2190/; s/:2190\([0-9]\)/:2192\1/' "$work/herd.toml" >"$work/other" && mv "$work/other" "$work/herd.toml"
"$herdctl" -c "$work/herd.toml" up -d -q >/dev/null
# The replicas copy the empty data set first.
sleep 3

updates() { # WHAT DEPTH
    case $2 in 1) count=50000 ;; 16) count=500000 ;; *) count=1000000 ;; esac
    case $1 in
    herd) set -- herd "$2" $count 127.0.0.1:21923 127.0.0.1:21920 127.0.0.1:21921 127.0.0.1:21922 127.0.0.1:21924 ;;
    alone) set -- redis "$2" $count 127.0.0.1:21900 ;;
    replicas) set -- redis "$2" $count 127.0.0.1:21910 ;;
    esac
    timeout 300 cargo bench --quiet --bench compare -- "$@"
}

for round in $(seq "$rounds"); do
    for depth in 1 16 256; do
        for what in herd alone replicas; do
            echo "$depth $what $(updates $what $depth)" | tee -a "$work/figures" >&2
        done
    done
done

median() { # DEPTH WHAT
    awk -v depth="$1" -v what="$2" '$1 == depth && $2 == what { print $3 }' "$work/figures" | sort -n |
        awk '{ of[NR] = $1 } END { print (of[int((NR + 1) / 2)] + of[int(NR / 2) + 1]) / 2 }'
}
printf '\n%-8s%16s%16s%18s%14s%16s\n' depth 'herd of five' 'Redis alone' 'Redis, 4 copies' 'herd/alone' 'herd/4 copies'
for depth in 1 16 256; do
    echo "$depth $(median $depth herd) $(median $depth alone) $(median $depth replicas)"
done | awk '{ printf "%-8s%16d%16d%18d%14.2f%16.2f\n", $1, $2, $3, $4, $2 / $3, $2 / $4 }'
