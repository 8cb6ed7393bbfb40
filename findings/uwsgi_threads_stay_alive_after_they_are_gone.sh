#!/usr/bin/env bash
# pyuwsgi 2.0.30.post1: in a worker, a thread that no longer exists says that it is alive.
#
# uWSGI loads the application in its master and forks workers in C. A fork copies only the thread that forks, so a
# thread that sends metrics in the background is gone in the worker; that is well known. One would expect to be able
# to notice it as after os.fork: the at-fork hooks run, and `Thread.is_alive()` turns false. Neither happens:
# `is_alive()` stays true, no hook runs, and a check of the kind "start the sender again if it is not alive" finds
# nothing to do for ever. Only the pid tells. With `--py-call-osafterfork` both work as one expects.
#
# Seen 2026-11-30: "default: forked True, alive True, beats 0, hooks 0", "with the option: forked True, alive False,
# beats 0, hooks 1".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyuwsgi==2.0.30.post1 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

APPLICATION = """
import os, threading, time
beats, hooks, loaded = [], [], os.getpid()

def beat():
    while True:
        beats.append(1)
        time.sleep(0.02)

thread = threading.Thread(target=beat, daemon=True)
thread.start()
os.register_at_fork(after_in_child=lambda: hooks.append(1))

def application(environ, start):
    before = len(beats)
    time.sleep(0.3)
    start("200 OK", [("content-type", "text/plain")])
    forked, grown = os.getpid() != loaded, len(beats) - before
    return [f"forked {forked}, alive {thread.is_alive()}, beats {grown}, hooks {len(hooks)}".encode()]
"""
pathlib.Path("application.py").write_text(APPLICATION)


def ask(*options):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = ["--http-socket", address, "--master", "--enable-threads", "--processes", "1", "--die-on-term"]
    program = str(pathlib.Path(sys.executable).with_name("pyuwsgi"))
    server = subprocess.Popen([program, *command, "--wsgi-file", "application.py", *options], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                return urllib.request.urlopen(f"http://{address}/", timeout=5).read().decode()
            except OSError:
                time.sleep(0.1)
    finally:
        server.terminate()
        server.wait(30)


default, option = ask(), ask("--py-call-osafterfork")
print("pyuwsgi 2.0.30.post1", f"default: {default}", f"with the option: {option}", sep="\n")
sys.exit(
    (default, option) != ("forked True, alive True, beats 0, hooks 0", "forked True, alive False, beats 0, hooks 1")
)
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
