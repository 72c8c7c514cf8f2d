#!/usr/bin/env bash
# A private PostgreSQL and a private RabbitMQ for the tests: own free loopback
# ports, all data below one folder, nothing shared with the system's services.
set -euo pipefail

usage() {
  cat >&2 <<'USAGE'
usage: servers.sh install [PROGRAM…]               install what is missing (apt-get, with sudo if needed), and these programs
       servers.sh start DIR [postgres]            start both, or PostgreSQL alone; then `. DIR/env` tells where they are. Where DIR/tls has
                                                  ca.pem, server.pem and server.key, both take TLS alone, and only
                                                  clients with a certificate of that authority, whose name is the login
       servers.sh stop DIR                        stop both
       servers.sh start-postgres DIR              start again: same port, same data
       servers.sh stop-postgres DIR [immediate]   immediate: as in a crash
       servers.sh back-up-postgres DIR            copies its data as they are now
       servers.sh fail-over DIR                   crashes it, and promotes that copy in its place: a replica that lagged
       servers.sh start-pgbouncer DIR             a pooler before it, in transaction mode; DIR/pgbouncer/port
       servers.sh start-rabbitmq DIR
       servers.sh stop-rabbitmq DIR [kill]        kill: kill -9, as in a crash
       servers.sh silence DIR VHOST/QUEUE         its consumers get nothing more, and nobody tells them
       servers.sh drop DIR VHOST/QUEUE            deletes a queue, whosever it is
       servers.sh suspend DIR VHOST/QUEUE         a quorum queue confirms and answers nothing, as without a leader
       servers.sh resume DIR VHOST/QUEUE
       servers.sh block-rabbitmq DIR              as if its disk were full: it blocks whoever publishes
       servers.sh unblock-rabbitmq DIR
       servers.sh limit-messages DIR BYTES         channels that are opened from then on refuse larger ones
USAGE
  exit 2
}

die() {
  echo "servers.sh: $*" >&2
  exit 1
}

script="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/$(basename "${BASH_SOURCE[0]}")"
rabbitmq_server=/usr/lib/rabbitmq/bin/rabbitmq-server # the one in /usr/sbin insists on its own user
pgbouncer=/usr/sbin/pgbouncer
policy=/usr/sbin/policy-rc.d
postgres_port='' rabbitmq_port='' management_port='' dist_port='' epmd_port='' # kept in DIR/ports

# ---------------------------------------------------------------- install

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

postgres_bin() {
  find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1 | xargs -r dirname
}

install() {
  local missing=()
  [ -n "$(postgres_bin)" ] || missing+=(postgresql)
  [ -x "$rabbitmq_server" ] || missing+=(rabbitmq-server)
  command -v node >/dev/null || missing+=(nodejs)
  command -v npm >/dev/null || missing+=(npm)
  command -v python3 >/dev/null || missing+=(python3)
  command -v promtool >/dev/null || missing+=(prometheus)
  [ -x "$pgbouncer" ] || missing+=(pgbouncer)
  command -v faketime >/dev/null || missing+=(faketime)
  command -v chromium >/dev/null || missing+=(chromium)
  local program
  for program; do # its package has the same name
    command -v "$program" >/dev/null || missing+=("$program")
  done
  if [ ${#missing[@]} = 0 ] && command -v kubectl >/dev/null; then return 0; fi
  command -v apt-get >/dev/null || die "${missing[*]} missing, and there is no apt-get to install it"

  # Debian starts a service as soon as it is installed, unless this policy denies it.
  if [ ! -e "$policy" ]; then
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  as_root apt-get update -q
  if ! command -v kubectl >/dev/null; then
    if has_kubectl_package; then missing+=(kubernetes-client); else download_kubectl; fi
  fi
  [ ${#missing[@]} = 0 ] || as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    -o DPkg::Lock::Timeout=300 "${missing[@]}"
}

# The kustomize in older ones does not know components and labels.
has_kubectl_package() {
  dpkg --compare-versions "$(apt-cache policy kubernetes-client | awk '/Candidate:/ { print $2 }' | sed 's/(none)/0/')" ge 1.27
}

download_kubectl() {
  local version=v1.32.4 arch sum file
  case "$(uname -m)" in
    x86_64) arch=amd64 sum=10d739e9af8a59c9e7a730a2445916e04bc9cbb44bc79d22ce460cd329fa076c ;;
    aarch64) arch=arm64 sum=c6f96d0468d6976224f5f0d81b65e1a63b47195022646be83e49d38389d572c2 ;;
    *) die "install kubectl first: none is known for $(uname -m)" ;;
  esac
  file=$(mktemp)
  curl -fsSL --retry 3 -o "$file" "https://dl.k8s.io/release/$version/bin/linux/$arch/kubectl" || die "cannot download kubectl; install it first"
  echo "$sum  $file" | sha256sum --check --quiet || die "the kubectl that was downloaded is not the one expected"
  as_root install -m 755 "$file" /usr/local/bin/kubectl
  rm -f "$file"
}

# ---------------------------------------------------------------- helpers

# Below 32768, where Linux never takes the local port of an outgoing connection from.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    [[ " $taken " != *" $port "* ]] || continue
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  taken="$taken $port"
  printf -v "$1" %s "$port"
}

# until_ok SECONDS COMMAND...: polls; fails after the deadline.
until_ok() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.05
  done
}

# detached PIDFILE LOG COMMAND...: in the background, in a session of its own and with
# none of our pipes, so that the caller of this script does not wait for it.
detached() {
  local pidfile=$1 log=$2
  shift 2
  rm -f "$pidfile" # of an earlier one that ended by itself
  # shellcheck disable=SC2016
  TASKQUEUE_SERVERS_DIR=$dir setsid sh -c 'echo $$ >"$0.new"; mv "$0.new" "$0"; exec "$@"' "$pidfile" "$@" \
    </dev/null >>"$log" 2>&1 &
  until_ok 10 test -s "$pidfile" || die "cannot start $1"
}

# A pid may have been given to another process since: ours carry the folder in their environment.
alive() {
  [ -s "$1" ] || return 1
  grep -zqxF "TASKQUEUE_SERVERS_DIR=$dir" "/proc/$(cat "$1")/environ" 2>/dev/null ||
    grep -zqF "$dir/" "/proc/$(cat "$1")/cmdline" 2>/dev/null # one of another user, whose environment may be hidden
}

dead() { ! alive "$1"; }

# Twice, since a process has no environment for an instant while it becomes another program.
surely_dead() { dead "$1" && sleep 0.1 && dead "$1"; }

# end PIDFILE SIGNAL: signals the process and waits until it is gone.
end() {
  if alive "$1"; then
    kill -s "$2" "$(cat "$1")" 2>/dev/null || true
    until_ok 30 dead "$1" || kill -s KILL "$(cat "$1")" 2>/dev/null || true
    until_ok 10 dead "$1" || die "process $(cat "$1") does not end"
  fi
  rm -f "$1"
}

# ---------------------------------------------------------------- PostgreSQL

# PostgreSQL refuses to run as root.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

create_postgres() {
  mkdir "$dir/postgres"
  if [ "$(id -u)" = 0 ]; then
    chmod 711 "$dir"
    chown postgres "$dir/postgres"
    as_postgres test -x "$dir/postgres" || die "the user postgres cannot reach $dir"
  fi
  echo taskqueue >"$dir/password"
  chmod 644 "$dir/password"
  # --no-sync only hurries the creation; the server itself syncs as in production.
  as_postgres "$(postgres_bin)/initdb" --pgdata="$dir/postgres/data" --no-sync --encoding=UTF8 --locale=C.UTF-8 \
    --username=taskqueue --pwfile="$dir/password" --auth=scram-sha-256 >"$dir/initdb.log" 2>&1 || {
    cat "$dir/initdb.log" >&2
    die "initdb failed"
  }
  as_postgres tee -a "$dir/postgres/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
port = $postgres_port
unix_socket_directories = ''
max_connections = 300
shared_buffers = 256MB
max_wal_size = 2GB
fsync = on
synchronous_commit = on
CONF
  [ ! -d "$dir/tls" ] || secure_postgres
}

secure_postgres() {
  local data=$dir/postgres/data file
  for file in ca.pem server.pem server.key; do
    as_postgres tee "$data/$file" >/dev/null <"$dir/tls/$file"
    as_postgres chmod 600 "$data/$file"
  done
  as_postgres tee -a "$data/postgresql.conf" >/dev/null <<CONF
ssl = on
ssl_ca_file = 'ca.pem'
ssl_cert_file = 'server.pem'
ssl_key_file = 'server.key'
CONF
  echo 'hostssl all all 127.0.0.1/32 cert' | as_postgres tee "$data/pg_hba.conf" >/dev/null
}

postgres_runs() {
  as_postgres "$(postgres_bin)/pg_ctl" status --pgdata="$dir/postgres/data" >/dev/null 2>&1
}

start_postgres() {
  postgres_runs && return 0
  as_postgres "$(postgres_bin)/pg_ctl" start --pgdata="$dir/postgres/data" --log="$dir/postgres/log" \
    --wait --timeout=60 --silent || {
    tail -n 30 "$dir/postgres/log" >&2
    die "PostgreSQL did not start"
  }
}

stop_postgres() {
  postgres_runs || return 0
  as_postgres "$(postgres_bin)/pg_ctl" stop --pgdata="$dir/postgres/data" --mode="$1" --wait --timeout=60 --silent
}

back_up_postgres() {
  PGPASSWORD=taskqueue as_postgres "$(postgres_bin)/pg_basebackup" --pgdata="$dir/postgres/copy" --host=127.0.0.1 \
    --port="$postgres_port" --username=taskqueue --wal-method=stream --checkpoint=fast --no-sync
}

fail_over() {
  stop_postgres immediate
  as_postgres mv "$dir/postgres/data" "$dir/postgres/lost"
  as_postgres mv "$dir/postgres/copy" "$dir/postgres/data"
  as_postgres touch "$dir/postgres/data/standby.signal"
  start_postgres
  as_postgres "$(postgres_bin)/pg_ctl" promote --pgdata="$dir/postgres/data" --wait --silent
}

# The pooler as deploy/pgbouncer.ini has it, with ports and files of its own; once for a folder.
start_pgbouncer() {
  local home=$dir/pgbouncer pgbouncer_port taken=''
  if ! alive "$home/pid"; then
    mkdir -p "$home"
    [ "$(id -u)" != 0 ] || chown postgres "$home"
    free_port pgbouncer_port
    sed -e "s/port=5432/port=$postgres_port/" -e "s/^listen_port = .*/listen_port = $pgbouncer_port/" \
      -e "s#^auth_file = .*#auth_file = $home/users#" -e 's/^auth_type = .*/auth_type = trust/' \
      "$(dirname "$script")/../deploy/pgbouncer.ini" >"$home/ini"
    echo '"taskqueue" "taskqueue"' >"$home/users"
    echo "$pgbouncer_port" >"$home/port"
    local user=()
    [ "$(id -u)" != 0 ] || user=(-u postgres) # it refuses to run as root
    detached "$home/pid" "$home/log" "$pgbouncer" "${user[@]}" "$home/ini"
    until_ok 20 port_answers "$pgbouncer_port" || die "PgBouncer did not start: $(tail -n 5 "$home/log")"
  fi
}

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# ---------------------------------------------------------------- RabbitMQ

create_rabbitmq() {
  mkdir -m 700 "$dir/rabbitmq"
  local listener="{tcp_listeners, [{\"127.0.0.1\", $rabbitmq_port}]}" plugins=rabbitmq_management
  if [ -d "$dir/tls" ]; then
    plugins=rabbitmq_management,rabbitmq_auth_mechanism_ssl
    listener="{tcp_listeners, []}, {ssl_listeners, [{\"127.0.0.1\", $rabbitmq_port}]}, {auth_mechanisms, ['PLAIN', 'EXTERNAL']},
           {ssl_cert_login_from, common_name}, {ssl_options, [{cacertfile, \"$dir/tls/ca.pem\"}, {certfile, \"$dir/tls/server.pem\"},
           {keyfile, \"$dir/tls/server.key\"}, {verify, verify_peer}, {fail_if_no_peer_cert, true}, {versions, ['tlsv1.3', 'tlsv1.2']}]}"
  fi
  echo "[$plugins]." >"$dir/rabbitmq/enabled_plugins"
  : >"$dir/rabbitmq/env.conf" # instead of the system's /etc/rabbitmq/rabbitmq-env.conf
  # In Erlang's own format, which the server need not convert first: a quicker start.
  # The two intervals (5 s by default) are how late the management API tells a queue's depth.
  cat >"$dir/rabbitmq/rabbitmq.config" <<CONF
[{rabbit, [$listener,
           {disk_free_limit, 50000000},
           {collect_statistics_interval, 500},
           {quorum_tick_interval, 500}]},
 {rabbitmq_management, [{tcp_config, [{ip, "127.0.0.1"}, {port, $management_port}]}]}].
CONF
}

# Answers the AMQP 0-9-1 header with a method frame, whose first byte is 1; of TLS only the port is looked at.
amqp_answers() {
  if [ -d "$dir/tls" ]; then
    (exec 3<>"/dev/tcp/127.0.0.1/$rabbitmq_port") 2>/dev/null
    return
  fi
  (
    exec 3<>"/dev/tcp/127.0.0.1/$rabbitmq_port"
    printf 'AMQP\0\0\11\1' >&3
    IFS= read -r -n 1 -t 5 first <&3 && [ "$first" = $'\1' ]
  ) 2>/dev/null
}

amqp_answers_or_dead() { amqp_answers || surely_dead "$dir/rabbitmq/pid"; }

start_rabbitmq() {
  local home=$dir/rabbitmq
  alive "$home/pid" && return 0
  export ERL_EPMD_PORT=$epmd_port ERL_EPMD_ADDRESS=127.0.0.1
  alive "$home/epmd.pid" || detached "$home/epmd.pid" "$home/epmd.log" epmd
  # detached=true lets the start script become the Erlang VM, so that the pid is the VM's.
  detached "$home/pid" "$home/console.log" env \
    HOME="$home" \
    ERL_CRASH_DUMP="$home/erl_crash.dump" \
    RABBITMQ_NODENAME="taskqueue-$rabbitmq_port@localhost" \
    RABBITMQ_NODE_PORT="$rabbitmq_port" \
    RABBITMQ_DIST_PORT="$dist_port" \
    RABBITMQ_MNESIA_BASE="$home/mnesia" \
    RABBITMQ_LOG_BASE="$home/log" \
    RABBITMQ_CONF_ENV_FILE="$home/env.conf" \
    RABBITMQ_CONFIG_FILE="$home/rabbitmq.config" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$home/enabled_plugins" \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}" \
    detached=true \
    "$rabbitmq_server"
  # The AMQP port opens last, after the management plugin's.
  if ! until_ok 60 amqp_answers_or_dead || ! amqp_answers; then
    tail -n 30 "$home/console.log" >&2
    tail -n 30 "$home"/log/*.log >&2 || true # why it ended is not on its console
    die "RabbitMQ did not start"
  fi
}

# on_node ARGUMENTS...: calls a function within the running server.
on_node() {
  HOME=$dir/rabbitmq ERL_EPMD_PORT=$epmd_port erl_call -sname "taskqueue-$rabbitmq_port@localhost" \
    -c "$(cat "$dir/rabbitmq/.erlang.cookie")" "$@"
}

stop_rabbitmq() {
  local home=$dir/rabbitmq
  if [ "$1" = TERM ] && alive "$home/pid"; then
    # This handler of the management plugin waits five seconds for nothing when it
    # is stopped together with its server, so it goes first. Only to be quicker.
    on_node -a 'gen_event delete_handler [rabbit_event, rabbit_mgmt_db_handler, []]' >/dev/null 2>&1 || true
  fi
  end "$home/pid" "$1"
}

# on_queue VHOST/QUEUE ERLANG: what no command of RabbitMQ does, with the queue as Queue; must come to 0.
on_queue() {
  local name=$1 answer
  answer=$(
    on_node -e <<ERL
    {ok, Queue} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"${name%%/*}">>, queue, <<"${name#*/}">>)),
    $2.
ERL
  )
  [ "$answer" = '{ok, 0}' ] || die "$name: $answer"
}

# Takes the consumers of a queue out of it behind the back of their channels, which go on as if they consumed: what a bug of
# broker or client leaves behind.
silence() {
  on_queue "$1" '
    Pid = amqqueue:get_pid(Queue),
    [case amqqueue:get_type(Queue) of
       rabbit_quorum_queue -> ra:process_command(Pid, rabbit_fifo:make_checkout({element(2, C), element(1, C)}, cancel, #{}));
       _ -> gen_server2:call(Pid, {basic_cancel, element(1, C), element(2, C), undefined, <<"guest">>})
     end || C <- rabbit_amqqueue:consumers(Queue)],
    length(rabbit_amqqueue:consumers(Queue))'
}

# Deletes a queue, also one that is exclusive to a connection; its consumers are told.
drop() {
  on_queue "$1" '{ok, _} = rabbit_amqqueue:delete(Queue, false, false, <<"guest">>), 0'
}

# suspend QUEUE | resume QUEUE: the process of a quorum queue, which keeps what it is sent meanwhile.
suspend() { on_queue "$1" '{Server, _} = amqqueue:get_pid(Queue), ok = sys:suspend(Server), 0'; }
resume() { on_queue "$1" '{Server, _} = amqqueue:get_pid(Queue), ok = sys:resume(Server), 0'; }

# limit_messages BYTES: of channels that are opened from then on.
limit_messages() { on_node -a "application set_env [rabbit, max_message_size, $1]"; }

# limit_disk BYTES: how much must be free; less raises the alarm.
limit_disk() { on_node -a "rabbit_disk_monitor set_disk_free_limit [$1]"; }

# ---------------------------------------------------------------- both

# start [postgres]
start() {
  [ ! -e "$dir/ports" ] || die "$dir has been used already"
  if [ -z "$(postgres_bin)" ] || { [ -z "${1:-}" ] && [ ! -x "$rabbitmq_server" ]; }; then
    die "a server is missing: run '$script install' first"
  fi

  local name taken=''
  for name in postgres_port rabbitmq_port management_port dist_port epmd_port; do
    free_port $name
    echo "$name=${!name}"
  done >"$dir/ports"

  (create_postgres && start_postgres) &
  local postgres=$! failed=
  [ -n "${1:-}" ] || (create_rabbitmq && start_rabbitmq) || failed=1
  wait $postgres || failed=1
  if [ -n "$failed" ]; then
    stop
    exit 1
  fi

  cat >"$dir/env" <<ENV
export TASKQUEUE_TEST_POSTGRES="Host=127.0.0.1;Port=$postgres_port;Username=taskqueue;Password=taskqueue;Database=postgres"
export TASKQUEUE_TEST_RABBITMQ="amqp://guest:guest@127.0.0.1:$rabbitmq_port"
export TASKQUEUE_TEST_RABBITMQ_MANAGEMENT="http://127.0.0.1:$management_port"
export TASKQUEUE_TEST_SERVERS="$dir"
export TASKQUEUE_TEST_SERVERS_SCRIPT="$script"
ENV
}

# For good, so the quickest way: nobody reads the data any more.
stop() {
  stop_rabbitmq KILL
  end "$dir/rabbitmq/epmd.pid" TERM
  [ ! -d "$dir/pgbouncer" ] || end "$dir/pgbouncer/pid" TERM
  stop_postgres immediate
}

# ---------------------------------------------------------------- main

[ $# -ge 1 ] || usage
command=$1
if [ "$command" = install ]; then
  install "${@:2}"
  exit
fi

[ $# -ge 2 ] || usage
[ "$command" != start ] || mkdir -p "$2"
dir="$(cd "$2" && pwd -P)"
cd / # the user postgres may not enter the caller's folder
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- # nor shall the servers keep the caller's files open
if [ "$command" != start ]; then
  [ -e "$dir/ports" ] || die "nothing was started in $dir"
  # shellcheck disable=SC1091
  . "$dir/ports"
fi

case "$command ${3:-}" in
  'start ') start ;;
  'start postgres') start postgres ;;
  'stop ') stop ;;
  'start-postgres ') start_postgres ;;
  'stop-postgres ' | 'stop-postgres fast' | 'stop-postgres immediate') stop_postgres "${3:-fast}" ;;
  'back-up-postgres ') back_up_postgres ;;
  'fail-over ') fail_over ;;
  'start-pgbouncer ') start_pgbouncer ;;
  'start-rabbitmq ') start_rabbitmq ;;
  'stop-rabbitmq ') stop_rabbitmq TERM ;;
  'stop-rabbitmq kill') stop_rabbitmq KILL ;;
  'silence '?*) silence "$3" ;;
  'drop '?*) drop "$3" ;;
  'suspend '?*) suspend "$3" ;;
  'resume '?*) resume "$3" ;;
  'block-rabbitmq ') limit_disk 1000000000000000000 ;;
  'unblock-rabbitmq ') limit_disk 50000000 ;;
  'limit-messages '?*) limit_messages "$3" ;;
  *) usage ;;
esac
