"""Appends events 0, 1, 2, ... to a stream until a line comes on standard input,
through whatever becomes of the server. Each is sent, with one id, until it is
acknowledged, and only then written on standard output.
"""

import json
import os
import sys
import threading
import time
from uuid import uuid4

from kurrentdbclient import KurrentDBClient, NewEvent, StreamState

url, stream = sys.argv[1:]
asked_to_end = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), asked_to_end.set()), daemon=True).start()

client, n, last = None, 0, StreamState.NO_STREAM
event = NewEvent(type="Happened", data=json.dumps({"n": n}).encode(), id=uuid4())
while not asked_to_end.is_set():
    try:
        if client is None:
            client = KurrentDBClient(url)
        # One by one, and in lists: they go by different calls.
        events = event if n % 2 else [event]
        client.append_to_stream(stream, current_version=last, events=events, timeout=5)
    except Exception:
        client = None
        time.sleep(0.02)
        continue
    print(n, flush=True)
    n, last = n + 1, n
    event = NewEvent(type="Happened", data=json.dumps({"n": n}).encode(), id=uuid4())
# Not by the interpreter's way out, on which gRPC may wait for threads of its own
# that are gone already.
if client is not None:
    client.close()
os._exit(0)
