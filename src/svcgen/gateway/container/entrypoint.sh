#!/usr/bin/env bash
# Starts Envoy, and ends it without cutting a request: by itself it exits at once on SIGTERM.
# Written by `svcgen compose`.
set -u

PATIENCE=${DRAIN_SECONDS_MAX:-35} # seconds that a request in flight may still take

# Speaks to Envoy's admin, which listens inside this container only.
admin() {
  exec 3<>/dev/tcp/127.0.0.1/9901 || return
  printf '%s %s HTTP/1.1\r\nHost: admin\r\nConnection: close\r\nContent-Length: 0\r\n\r\n' "$1" "$2" >&3
  cat <&3
  exec 3>&-
}

active() {
  admin GET '/stats?filter=^http\.edge\.downstream_rq_active$' | tr -d '\r' | sed -n 's/.*active: //p'
}

drain() {
  trap '' TERM INT
  admin POST /healthcheck/fail >/dev/null
  admin POST '/drain_listeners?graceful&skip_exit' >/dev/null
  sleep 1 # for requests on their way here
  for ((waited = 1; waited < PATIENCE; waited++)); do
    [[ "$(active)" == 0 ]] && break
    sleep 1
  done
  kill -TERM "$envoy"
}

# A request in progress needs two connections. Envoy must not run out of files: it would accept no
# client until another goes.
ulimit -n "$(ulimit -H -n)"
files=$(ulimit -n)
most=20000
[[ "$files" != unlimited ]] && ((most = (files - 100) / 2 < most ? (files - 100) / 2 : most))
sed -E "s/(\"max_active_downstream_connections\": )[0-9]+/\1$most/" \
  /etc/gateway/envoy.json >/tmp/envoy.json

trap drain TERM INT
envoy -c /tmp/envoy.json --disable-hot-restart \
  --log-level warn --component-log-level tracing:critical,http:critical \
  --file-flush-interval-msec 1000 --drain-time-s "$PATIENCE" --drain-strategy immediate "$@" &
envoy=$!
wait "$envoy"
status=$?
# A trapped signal ends `wait` early: Envoy still runs, or has just been told to end.
while kill -0 "$envoy" 2>/dev/null; do
  wait "$envoy"
  status=$?
done
exit "$status"
