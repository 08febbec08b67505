#!/bin/sh
# How a herd of five compares with Debian's redis-server on this machine: alone, and with four replicas; and, where
# nats-server is installed, with five of it in a cluster.
#
#   benches/compare.sh [ROUNDS]
#
# The same generator, connections, depths and clients for all three, over loopback, in turns, so that whatever else
# the machine does falls on all alike; what is printed are medians and their ratios. It takes a minute or two a round:
# `benches/compare.sh 1` is a first look, and five rounds, which are usual, are for figures to keep.
# What is compared is not alike: a herd of five tells every update to all five, logs every line, and answers when a
# neighbour has it. Redis alone does none of this; with replicas it copies later than it answers, and logs nothing.
# NATS keeps and logs nothing, and tells subscribers, one at each server, all in the generator's thread: an update is in
# flight until all have it.
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
cluster=
if command -v nats-server >/dev/null; then
    cluster=nats
    for n in 0 1 2 3 4; do
        nats-server -a 127.0.0.1 -p 2193$n --cluster "nats://127.0.0.1:2194$n" --cluster_name compare \
            --routes nats://127.0.0.1:21940 >/dev/null 2>&1 &
        pids="$pids $!"
    done
fi

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
    nats) set -- nats "$2" $count 127.0.0.1:21930 127.0.0.1:21931 127.0.0.1:21932 127.0.0.1:21933 127.0.0.1:21934 ;;
    esac
    timeout 300 cargo bench --quiet --bench compare -- "$@"
}

for round in $(seq "$rounds"); do
    for depth in 1 16 256; do
        for what in herd alone replicas $cluster; do
            echo "$depth $what $(updates $what $depth)" | tee -a "$work/figures" >&2
        done
    done
done

median() { # DEPTH WHAT
    awk -v depth="$1" -v what="$2" '$1 == depth && $2 == what { print $3 }' "$work/figures" | sort -n |
        awk '{ of[NR] = $1 } END { print (of[int((NR + 1) / 2)] + of[int(NR / 2) + 1]) / 2 }'
}
printf '\n%-8s%16s%16s%18s%14s' depth 'herd of five' 'Redis alone' 'Redis, 4 copies' 'NATS of five'
printf '%14s%16s%12s\n' 'herd/alone' 'herd/4 copies' 'herd/NATS'
for depth in 1 16 256; do
    echo "$depth $(median $depth herd) $(median $depth alone) $(median $depth replicas) $(median $depth nats)"
done | awk '{
    printf "%-8s%16d%16d%18d%14s%14.2f%16.2f", $1, $2, $3, $4, $5 ? int($5) : "-", $2 / $3, $2 / $4
    printf "%12s\n", $5 ? sprintf("%.2f", $2 / $5) : "-"
}'
