#!/usr/bin/env bash
# The whole fuzz of requests and bus messages, longer than a test run has time for, against a PostgreSQL and a RabbitMQ of its own.
#   tests/fuzz.sh [REQUESTS [MESSAGES]]     default 100,000 on each of SQLite and PostgreSQL, and 20,000 messages
# TASKQUEUE_FUZZ_SEED repeats a run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export TASKQUEUE_FUZZ_REQUESTS="${1:-100000}" TASKQUEUE_FUZZ_MESSAGES="${2:-20000}"
exec ./test.sh --filter 'FullyQualifiedName~RouteFuzz|FullyQualifiedName~BusFuzz' --logger 'console;verbosity=detailed'
