#!/usr/bin/env bash
# Three servers and nginx on this machine's loopback, as plain processes. Ends all of them when it is ended.
set -euo pipefail

usage() {
  cat <<TEXT
Usage: run.sh --postgres URL [--redis URL] [--binary FILE] [--folder FOLDER] [--port PORT] [--prefix NAME]

  --postgres URL   postgres://USER:PASSWORD@HOST:PORT, without a database
  --redis URL      without it the servers look for changes every 2 s
  --binary FILE    the rowhouse program [default: rowhouse in PATH]
  --folder FOLDER  where the servers keep their own files [default: ./farm-data]
  --port PORT      where nginx listens; the servers take the three ports after it [default: 8080]
  --prefix NAME    names the databases NAME_control and NAME_sites [default: rowhouse]
TEXT
  exit "${1:-0}"
}

binary=rowhouse folder=$PWD/farm-data port=8080 prefix=rowhouse postgres='' redis=''
while [ $# -gt 0 ]; do
  case $1 in
    --postgres) postgres=$2; shift 2 ;;
    --redis) redis=$2; shift 2 ;;
    --binary) binary=$2; shift 2 ;;
    --folder) folder=$2; shift 2 ;;
    --port) port=$2; shift 2 ;;
    --prefix) prefix=$2; shift 2 ;;
    -h | --help) usage ;;
    *) echo "run.sh: unknown option $1" >&2; usage 2 ;;
  esac
done
[ -n "$postgres" ] || { echo "run.sh: --postgres is needed" >&2; usage 2; }
command -v nginx >/dev/null || { echo "run.sh: nginx is needed in PATH" >&2; exit 2; }
command -v psql >/dev/null || { echo "run.sh: psql is needed in PATH" >&2; exit 2; }
binary=$(command -v "$binary") || { echo "run.sh: no rowhouse program; name one with --binary" >&2; exit 2; }

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
chmod 700 "$folder"
# Servers that share sites share the key of their databases' passwords.
if [ ! -e "$folder/shared.key" ]; then
  (umask 077 && od -An -tx1 -N32 /dev/urandom | tr -d ' \n' > "$folder/shared.key")
fi
psql -q -v ON_ERROR_STOP=1 "$postgres/postgres" <<SQL
SELECT 'CREATE DATABASE ${prefix}_sites' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '${prefix}_sites')
\gexec
SQL

children=()
end() {
  trap - EXIT INT TERM
  # The balancer last: it passes on what the servers still finish.
  for ((at = ${#children[@]} - 1; at >= 0; at--)); do
    kill -TERM "${children[at]}" 2>/dev/null || true
  done
  wait || true
}
trap end EXIT INT TERM

servers=''
for number in 1 2 3; do
  dir=$folder/web$number
  mkdir -p "$dir"
  {
    echo "[server]"
    echo "name = \"web$number\""
    echo "listen = \"127.0.0.1:$((port + number))\""
    echo "public-port = $port"
    echo "trusted-proxies = [\"127.0.0.1\"]"
    echo "served-by = true"
    echo "drain-wait-ms = 5000"
    echo "[control]"
    echo "url = \"$postgres/${prefix}_control\""
    echo "[data]"
    echo "dir = \"$dir\""
    echo "default-server = \"pg\""
    echo "key-file = \"$folder/shared.key\""
    echo "[data-servers.pg]"
    echo "engine = \"postgresql\""
    echo "isolation = \"prefix\""
    echo "url = \"$postgres/${prefix}_sites\""
    echo "connections = 20"
    if [ -n "$redis" ]; then
      echo "[redis]"
      echo "url = \"$redis\""
      echo "namespace = \"${prefix//_/-}\""
    fi
  } > "$dir/rowhouse.toml"
  chmod 600 "$dir/rowhouse.toml"
  servers+="    server 127.0.0.1:$((port + number)) max_fails=1 fail_timeout=2s;"$'\n'
  "$binary" serve --config "$dir/rowhouse.toml" > "$dir/out.log" 2> "$dir/server.log" &
  children+=($!)
done

mkdir -p "$folder/nginx"
cat > "$folder/nginx/nginx.conf" <<NGINX
daemon off;
pid $folder/nginx/nginx.pid;
error_log $folder/nginx/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path $folder/nginx/body;
  proxy_temp_path $folder/nginx/proxy;
  fastcgi_temp_path $folder/nginx/fastcgi;
  uwsgi_temp_path $folder/nginx/uwsgi;
  scgi_temp_path $folder/nginx/scgi;
  upstream rowhouse {
$servers    keepalive 32;
    keepalive_timeout 4s;
  }
  server {
    listen 127.0.0.1:$port;
    client_max_body_size 16g;
    location / {
      proxy_pass http://rowhouse;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Connection "";
      proxy_set_header Host \$http_host;
      proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto \$scheme;
      proxy_set_header X-Forwarded-Host \$http_host;
      proxy_next_upstream error timeout;
      proxy_read_timeout 75s;
    }
  }
}
NGINX

for number in 1 2 3; do
  for _ in $(seq 1 600); do
    grep -q '^ready ' "$folder/web$number/out.log" && break
    kill -0 "${children[number - 1]}" 2>/dev/null || { cat "$folder/web$number/server.log" >&2; exit 1; }
    sleep 0.1
  done
  grep '^first start' "$folder/web$number/out.log" || true
done
nginx -e "$folder/nginx/error.log" -c "$folder/nginx/nginx.conf" &
children+=($!)
echo "farm http://localhost:$port (servers on $((port + 1)) to $((port + 3)), logs in $folder)"
wait
