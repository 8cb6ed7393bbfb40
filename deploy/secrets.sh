#!/bin/sh
# Makes what deploy/compose.yaml hands to its services: passwords, and the store's users with the passwords' hashes.
#
#   deploy/secrets.sh [FOLDER]      the folder is deploy/secrets if none is named
#
# A password that is there stays. The folder is for its owner alone. The files in it can be read by everybody, because a
# container reads them as its own user; nobody else gets to them through the folder.
set -eu
umask 022
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
folder=${1:-$here/secrets}
mkdir -p "$folder"
chmod 700 "$folder"

for name in writer exporter grafana; do
  file=$folder/${name}_password
  [ -s "$file" ] || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$file"
done

digest() { tr -d '\r\n' <"$folder/$1_password" | sha256sum | cut -d ' ' -f 1; }

# A file of its own first, so that a store which starts right now never reads half of it.
sed -e "s/^\(user fleetmeter-writer .*\)resetpass /\1resetpass #$(digest writer) /" \
    -e "s/^\(user fleetmeter-exporter .*\)resetpass /\1resetpass #$(digest exporter) /" \
    "$here/../state/users.acl" >"$folder/users.acl.new"
mv "$folder/users.acl.new" "$folder/users.acl"
[ "$(grep -c ' #[0-9a-f]\{64\} ' "$folder/users.acl")" = 2 ] || {
  echo "secrets.sh: state/users.acl has not the two users with 'resetpass' that get a password here" >&2
  exit 1
}

[ -s "$folder/openai_api_key" ] ||
  echo "secrets.sh: put the key of your models into $folder/openai_api_key" >&2
