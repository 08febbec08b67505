#!/usr/bin/env bash
# Five hosts on one machine: a network namespace each, joined by a bridge, and `herdctl serve` in each of them. The herd
# floods, is partitioned for real by a firewall, heals, loses a host and gets it back; each step is waited for, and the
# script ends with 0 only if all of them happened.
#
#   tests/deploy/hosts.sh [HERDCTL]        as root; needs iproute2, nftables and bash
#
# Where the kernel has netem, the hosts are DELAY (default 5ms) apart.
set -euo pipefail

herdctl=$(realpath "${1:-$(command -v herdctl)}")
delay=${DELAY:-5ms}
patience=${PATIENCE:-30}
run=hd$$
bridge=$run
work=$(mktemp -d)
declare -A ip=([Bailey]=10.77.0.1 [Bona]=10.77.0.2 [Campbell]=10.77.0.3 [Clark]=10.77.0.4 [Jaquez]=10.77.0.5)
declare -A pid=()
servers=(Bailey Bona Campbell Clark Jaquez)

finish() {
    for server in "${!pid[@]}"; do kill -9 "${pid[$server]}" 2>/dev/null || true; done
    for server in "${servers[@]}"; do ip netns del "$run-$server" 2>/dev/null || true; done
    ip netns del "$bridge" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

on() { local server=$1; shift; ip netns exec "$run-$server" "$@"; }

# A host is a namespace with one cable to the bridge, which has a namespace of its own.
network() {
    ip netns add "$bridge"
    ip -n "$bridge" link add bridge type bridge
    ip -n "$bridge" link set bridge up
    local number=0
    for server in "${servers[@]}"; do
        ip netns add "$run-$server"
        ip -n "$bridge" link add "port$number" type veth peer name eth0 netns "$run-$server"
        ip -n "$bridge" link set "port$number" master bridge up
        ip -n "$run-$server" address add "${ip[$server]}/24" dev eth0
        ip -n "$run-$server" link set eth0 up
        ip -n "$run-$server" link set lo up
        on "$server" tc qdisc add dev eth0 root netem delay "$delay" 2>/dev/null || apart="as near as one kernel is"
        number=$((number + 1))
    done
}

configuration() {
    (umask 077; head -c 32 /dev/urandom | base64 >"$work/herd.secret")
    {
        echo 'herd = "hosts"'
        echo 'secret_file = "herd.secret"'
        echo 'servers = ['
        for server in "${servers[@]}"; do echo "    { name = \"$server\", address = \"${ip[$server]}:11000\" },"; done
        echo ']'
        echo 'links = [["Clark", "Jaquez"], ["Clark", "Bona"], ["Campbell", "Bailey"], ["Campbell", "Bona"],'
        echo '         ["Campbell", "Jaquez"], ["Bona", "Bailey"]]'
    } >"$work/herd.toml"
}

start() {
    # Without a shell in between, so that its process is the server's.
    ip netns exec "$run-$1" "$herdctl" -c "$work/herd.toml" serve "$1" >>"$work/$1.out" 2>&1 &
    pid[$1]=$!
    disown # The shell has nothing to say of its end.
}

# ask SERVER LINE: the first line of the answer, asked on the server's own host.
ask() {
    on "$1" timeout 5 bash -c 'exec 3<>/dev/tcp/$1/11000 && echo "$2" >&3 && head -n 1 <&3' - "${ip[$1]}" "$2" 2>/dev/null
}

knows() { ask "$1" "WHATSAT $2 1 0" | grep -q " $2 $3 "; }
is_ignorant() { ask "$1" "WHATSAT $2 1 0" | grep -q '^? '; }

# until_ WHAT COMMAND…: waits for it.
until_() {
    local what=$1 end=$((SECONDS + patience))
    shift
    until "$@"; do
        if [ $SECONDS -ge $end ]; then
            echo "waited $patience s in vain: $what" >&2
            tail -n 5 "$work"/*.out "$work"/logs/*/*.log >&2 || true
            exit 1
        fi
        read -rt 0.05 <> <(:) || true
    done
    echo "✔ $what"
}

all_answer() { for server in "${servers[@]}"; do ask "$server" x | grep -q '^? ' || return 1; done; }

all_know() { for server in "${servers[@]}"; do knows "$server" "$1" "$2" || return 1; done; }

say() { ask "$1" "IAMAT $2 $3 $(date +%s.%N)" | grep -q '^AT '; }

# Clark and Jaquez on one side, the rest on the other: what goes from side to side is dropped, silently.
partition() {
    local others="{ ${ip[Bailey]}, ${ip[Bona]}, ${ip[Campbell]} }"
    for server in Clark Jaquez; do
        on "$server" nft -f - <<-NFT
			table ip partition {
			    chain input {
			        type filter hook input priority 0;
			        ip saddr $others drop
			    }
			    chain output {
			        type filter hook output priority 0;
			        ip daddr $others drop
			    }
			}
		NFT
    done
}

heal() { for server in Clark Jaquez; do on "$server" nft delete table ip partition; done; }

apart="$delay apart"
network
configuration
for server in "${servers[@]}"; do start "$server"; done
echo "five hosts, $apart"
until_ "every host answers" all_answer
until_ "a location said to Clark" say Clark kiwi +34.068930-118.445127
until_ "is known at all five" all_know kiwi +34.068930-118.445127

partition
until_ "partitioned, Clark still answers" say Clark kiwi +40.748400-073.985700
until_ "and Jaquez beside it knows" knows Jaquez kiwi +40.748400-073.985700
until_ "a location said to Bailey on the other side" say Bailey mango +48.858400+002.294500
until_ "is known at Campbell" knows Campbell mango +48.858400+002.294500
until_ "and not at Clark" is_ignorant Clark mango
until_ "nor does Bailey know of the first" knows Bailey kiwi +34.068930-118.445127

heal
until_ "healed, all know the first" all_know kiwi +40.748400-073.985700
until_ "and the second" all_know mango +48.858400+002.294500

kill -9 "${pid[Bona]}"
until_ "Bona's host is gone, the others flood" say Campbell kiwi +51.500700-000.124600
until_ "as far as Clark" knows Clark kiwi +51.500700-000.124600
start Bona
until_ "Bona is back and knows all" all_know kiwi +51.500700-000.124600
