#!/usr/bin/env bash
# The whole fuzz of requests and of messages of the bus, longer than a test run has time for, against a PostgreSQL and a RabbitMQ of
# its own, on each of SQLite and PostgreSQL.
#   tests/fuzz.sh [REQUESTS [MESSAGES]]     default 100,000 and 10,000
# TASKQUEUE_FUZZ_SEED repeats a run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export TASKQUEUE_FUZZ_REQUESTS="${1:-100000}" TASKQUEUE_FUZZ_MESSAGES="${2:-10000}" TASKQUEUE_FUZZ_SEED="${TASKQUEUE_FUZZ_SEED:-$((RANDOM * 32768 + RANDOM))}"
export TASKQUEUE_TEST_HANG_TIMEOUT=2h
exec ./test.sh --filter 'FullyQualifiedName~RouteFuzzOn|FullyQualifiedName~BusFuzzOn' --logger 'console;verbosity=detailed'
