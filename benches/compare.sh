#!/bin/sh
# How a herd of five compares with Debian's redis-server on this machine: alone, and with four replicas; where nats-server
# is installed, with five of it in a cluster; and with a thread that says back what it hears, which is what loopback sockets
# allow.
#
#   benches/compare.sh [ROUNDS]
#
# The same generator, connections, depths and clients for all, over loopback, in turns, so that whatever else the machine
# does falls on all alike; what is printed are medians and their ratios. It takes less than a minute a round:
# `benches/compare.sh 1` is a first look, and five rounds, which are usual, are for figures to keep.
# All of it, the generator too, runs under SCHED_BATCH (`chrt --batch 0`), so that nobody is put off the processor by the one
# that it wakes: by a client on another machine nobody would be. `SCHED=other benches/compare.sh` leaves that to Linux; then
# what a herd of one command in flight makes of two cores is a matter of luck.
# What is compared is not alike: a herd of five tells every update to all five, over all links or a tree of them, logs
# every line, or no traffic, as each row says, and answers when a neighbour has it. Redis alone does none of this; with
# replicas it copies later than it answers, and logs nothing. NATS keeps and logs nothing, and tells subscribers, one at
# each server, all in the generator's thread: an update is in flight until all have it.
set -eu

case ${SCHED:-batch} in
batch) SCHED=other exec chrt --batch 0 sh "$0" "$@" ;;
other) ;;
*) echo "SCHED is batch or other, not $SCHED" >&2; exit 2 ;;
esac
rounds=${1:-5}
cd "$(dirname "$0")/.."
command -v redis-server >/dev/null || { echo "redis-server is not installed" >&2; exit 1; }
cargo build --release --quiet
herdctl=$PWD/target/release/herdctl
work=$(mktemp -d)
pids=
finish() {
    for herd in logged unlogged tree unlogged-tree; do "$herdctl" -c "$work/$herd/herd.toml" down --force -q >/dev/null 2>&1 || true; done
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

herd() { # NAME PORTS TRAFFIC FLOODING
    "$herdctl" init "$work/$1" -q >/dev/null
    sed "s/127\.0\.0\.1:1100/127.0.0.1:$2/; s/^traffic = .*/traffic = \"$3\"/; s/^# flooding = .*/flooding = \"$4\"/" \
        "$work/$1/herd.toml" >"$work/other"
    mv "$work/other" "$work/$1/herd.toml"
    "$herdctl" -c "$work/$1/herd.toml" up -d -q >/dev/null
}
herd logged 2192 all plain
herd unlogged 2195 off plain
herd tree 2196 all tree
herd unlogged-tree 2197 off tree
# The replicas copy the empty data set first.
sleep 3

generator() {
    timeout 300 cargo bench --quiet --bench compare -- "$@"
}

of_five() { # DEPTH COUNT PORTS
    set -- "$1" "$2" "127.0.0.1:$3"
    generator herd "$1" "$2" "${3}3" "${3}0" "${3}1" "${3}2" "${3}4"
}

updates() { # WHAT DEPTH
    case $2 in 1) count=50000 ;; 16) count=500000 ;; *) count=1000000 ;; esac
    case $1 in
    logged) of_five "$2" $count 2192 ;;
    unlogged) of_five "$2" $count 2195 ;;
    tree) of_five "$2" $count 2196 ;;
    unlogged-tree) of_five "$2" $count 2197 ;;
    alone) generator redis "$2" $count 127.0.0.1:21900 ;;
    copies) generator redis "$2" $count 127.0.0.1:21910 ;;
    nats) generator nats "$2" $count 127.0.0.1:21930 127.0.0.1:21931 127.0.0.1:21932 127.0.0.1:21933 127.0.0.1:21934 ;;
    echo) generator echo "$2" $count ;;
    esac
}

note() { # WHAT DEPTH AS
    figure=$(updates "$1" "$2")
    echo "$1 $3 $figure" | tee -a "$work/figures" >&2
}

for round in $(seq "$rounds"); do
    for depth in 1 16 256; do
        for what in logged unlogged tree unlogged-tree alone copies $cluster echo; do note $what $depth $depth; done
    done
done
# All of them are known before they are counted.
for what in logged tree alone; do CLIENTS=1000000 updates $what 256 >/dev/null; done
for round in $(seq "$rounds"); do
    for what in logged tree alone; do CLIENTS=1000000 note $what 256 million; done
done

awk '
    function median(what, column,    n, i, j, of, swap) {
        n = count[what, column]
        for (i = 1; i <= n; i++) of[i] = figure[what, column, i]
        for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (of[j] < of[i]) { swap = of[i]; of[i] = of[j]; of[j] = swap }
        return n ? (of[int((n + 1) / 2)] + of[int(n / 2) + 1]) / 2 : 0
    }
    function row(title, what, below,    i, value) {
        printf "%-40s", title
        for (i = 1; i <= 3; i++) {
            value = median(what, columns[i])
            if (below) value = median(below, columns[i]) ? value / median(below, columns[i]) : 0
            printf "%13s", value ? sprintf(below ? "%.2f" : "%d", value) : "-"
        }
        print ""
    }
    function ratios(title, logged, unlogged) {
        row(title " / one Redis", logged, "alone")
        row(title " / Redis with four replicas", logged, "copies")
        row(title " / " title " unlogged", logged, unlogged)
        row(title " unlogged / one Redis", unlogged, "alone")
        row(title " unlogged / five NATS", unlogged, "nats")
        row(title " unlogged / echo", unlogged, "echo")
    }
    { figure[$1, $2, ++count[$1, $2]] = $3 }
    END {
        split("1 16 256", columns)
        printf "\n%-40s%13d%13d%13d\n", "commands in flight on each connection", 1, 16, 256
        row("herd of five, all logged", "logged")
        row("herd of five, no traffic logged", "unlogged")
        row("herd of five, all logged, a tree", "tree")
        row("herd of five, no traffic logged, a tree", "unlogged-tree")
        row("one Redis", "alone")
        row("Redis with four replicas", "copies")
        row("five NATS", "nats")
        row("echo, one thread", "echo")
        ratios("herd", "logged", "unlogged")
        ratios("tree", "tree", "unlogged-tree")
        printf "a million clients over a thousand: herd %.2f, tree %.2f, one Redis %.2f\n", \
            median("logged", "million") / median("logged", 256), median("tree", "million") / median("tree", 256), \
            median("alone", "million") / median("alone", 256)
    }
' "$work/figures"
