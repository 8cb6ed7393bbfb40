"""Ends with a stream open: `open_stream.py ORDER`, with the upstream's address in UPSTREAM."""

import ctypes
import os
import sys
import weakref

import openai

import fleetmeter


class Thing:
    """Something that is finalized, so that the exit function of `weakref` stands before ours."""


thing = Thing()
weakref.finalize(thing, int)
if sys.argv[1] == "install first":
    fleetmeter.install()
fleetmeter.instrument_openai()
client = openai.OpenAI(api_key="x", base_url=os.environ["UPSTREAM"])
stream = client.chat.completions.create(
    model="gpt-6-luna", messages=[{"role": "user", "content": "[[answer:stall=2]]"}], stream=True
)
next(stream)
if sys.argv[1] == "install last":
    fleetmeter.install()
# CPython 3.13.0 crashes if it collects an open stream of the SDK's at its very end, without fleetmeter, too
ctypes.pythonapi.Py_IncRef(ctypes.py_object(stream))
