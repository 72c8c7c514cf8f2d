#!/usr/bin/env bash
# The whole fuzz of requests, longer than a test run has time for, against a PostgreSQL and a RabbitMQ of its own.
#   tests/fuzz.sh [REQUESTS]     default 100,000 on each of SQLite and PostgreSQL
# TASKQUEUE_FUZZ_SEED repeats a run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export TASKQUEUE_FUZZ_REQUESTS="${1:-100000}" TASKQUEUE_FUZZ_SEED="${TASKQUEUE_FUZZ_SEED:-$((RANDOM * 32768 + RANDOM))}"
exec ./test.sh --filter 'FullyQualifiedName~RouteFuzz' --logger 'console;verbosity=detailed'
