#!/bin/sh
# Make the secrets that docker-compose.yml mounts, where there are none yet. Any number of times.
# Their directory is for its owner only. The files are readable, since each container runs as a user of its own.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets
for name in secret_key database_password; do
	if [ ! -s "secrets/$name" ]; then
		head -c 48 /dev/urandom | base64 | tr -d '\n=' | tr '+/' '-_' > "secrets/$name"
		chmod 444 "secrets/$name"
		echo "deploy/secrets/$name: made"
	fi
done
