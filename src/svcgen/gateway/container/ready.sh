#!/usr/bin/env bash
# The container's health check: does the gateway say that it is ready, and does its port accept?
# It asks Envoy's admin, because the port may be HTTP or HTTPS.
# Written by `svcgen compose`.
exec 4<>/dev/tcp/127.0.0.1/8000 || exit 1
exec 3<>/dev/tcp/127.0.0.1/9901 || exit 1
printf 'GET /ready HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n' >&3
read -r _ status _ <&3
[[ "$status" == 200 ]]
