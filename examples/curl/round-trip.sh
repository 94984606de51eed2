#!/usr/bin/env bash
# Produce, consume, commit, with nothing but curl.
#
#     examples/curl/round-trip.sh [http://localhost:8082]
set -euo pipefail

url=${1:-${OTTLA_REST_URL:-http://localhost:8082}}
topic=curl-round-trip
group=curl-round-trip-$$
json='Content-Type: application/vnd.kafka.json.v2+json'
v2='Content-Type: application/vnd.kafka.v2+json'

# Every answer but 2xx ends the script with what the server said.
call() { curl --silent --show-error --fail-with-body "$@"; }

echo "produce two records"
call -X POST "$url/topics/$topic" -H "$json" \
    --data '{"records":[{"key":"k1","value":{"foo":"bar"}},{"key":"k2","value":[1,2,3]}]}'
echo

echo "create a consumer instance in a group"
call -X POST "$url/consumers/$group" -H "$v2" \
    --data '{"name":"reader","format":"json","auto.offset.reset":"earliest"}'
echo
instance=$url/consumers/$group/instances/reader

echo "subscribe"
call -X POST "$instance/subscription" -H "$v2" --data "{\"topics\":[\"$topic\"]}"

echo "read"
call "$instance/records" -H 'Accept: application/vnd.kafka.json.v2+json'
echo

echo "commit what was read"
call -X POST "$instance/offsets" -H "$v2" --data ''

echo "delete the instance"
call -X DELETE "$instance" -H "$v2"
