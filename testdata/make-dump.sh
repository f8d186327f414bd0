#!/usr/bin/env bash
# Writes testdata/dump.rdb: the seed's data, saved by a real redis-server.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT

# Without a TCP port there is none to collide with.
redis-server --port 0 --unixsocket "$work/redis.sock" --dir "$work" --dbfilename dump.rdb --save "" --appendonly no \
	>"$work/log" 2>&1 &
server=$!
redis() { redis-cli -s "$work/redis.sock" "$@"; }
for _ in $(seq 100); do
	[ "$(redis ping 2>/dev/null)" != PONG ] || break
	sleep 0.05
done
[ "$(redis ping)" = PONG ] || { cat "$work/log" >&2; exit 1; }

go run ./testdata/seed --redis "unix://$work/redis.sock"
redis save >/dev/null
cp "$work/dump.rdb" testdata/dump.rdb
ls -l testdata/dump.rdb
