#!/usr/bin/env bash
# The container's health check: does the gateway say that it is ready?
# Written by `svcgen compose`.
exec 3<>/dev/tcp/127.0.0.1/8000 || exit 1
printf 'GET /readyz HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n' >&3
read -r _ status _ <&3
[[ "$status" == 200 ]]
