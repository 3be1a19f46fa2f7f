#!/bin/sh
# Tells the cloud how warm this host is and where it stands. OS_TOKEN is a token with the role admin or service, COMPUTE the endpoint.
set -eu
while true; do
  temp=$(($(cat /sys/class/thermal/thermal_zone0/temp) / 1000))
  curl -fsS -X PUT "$COMPUTE/v2.1/os-host-signals/$(hostname)" -H "X-Auth-Token: $OS_TOKEN" -H 'Content-Type: application/json' \
    -d "{\"signals\": {\"temp\": $temp, \"rack_id\": \"${RACK:?}\"}}"
  sleep 60
done
