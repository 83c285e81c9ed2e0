"""Follows the whole log, and writes stream and revision of each event on
standard output, through whatever becomes of the server: it goes on after the
last position that it has seen.
"""

import sys
import time

from kurrentdbclient import KurrentDBClient

(url,) = sys.argv[1:]
seen = 0
while True:
    try:
        client = KurrentDBClient(url)
        for event in client.subscribe_to_all(commit_position=seen, filter_exclude=[]):
            print(event.stream_name, event.stream_position, event.commit_position, flush=True)
            seen = event.commit_position
    except Exception:
        time.sleep(0.02)
