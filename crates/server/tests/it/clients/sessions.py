"""What a program does that appends to several streams as one, with the Python
client that can. A chapter that goes otherwise than told ends the process with
its reason. What a chapter has shown it tells by its row in `vocabulary.rs`.
"""

import json
import sys
from uuid import uuid4

from kurrentdbclient import KurrentDBClient, NewEvent, NewEvents, NewRecord, StreamState, StreamStateCheck
from kurrentdbclient import exceptions

client = KurrentDBClient(sys.argv[1])
ANY, NO_STREAM, EXISTS = StreamState.ANY, StreamState.NO_STREAM, StreamState.EXISTS


def fresh(name):
    return f"{name}-{uuid4()}"


def shows(*rows, **what):
    for row in rows:
        print(json.dumps({"shows": row, **what}))


def event(n=0, kind="Happened", **more):
    return NewEvent(type=kind, data=json.dumps({"n": n}).encode(), **more)


def record(stream, n=0, **more):
    return NewRecord(stream_name=stream, type="Happened", data=json.dumps({"n": n}).encode(), **more)


def numbers(stream):
    return [json.loads(event.data)["n"] for event in client.get_stream(stream)]


def absent(*streams):
    for stream in streams:
        refused(exceptions.NotFoundError, lambda: client.get_stream(stream))


def refused(kind, call):
    try:
        call()
    except kind as refusal:
        return refusal
    raise AssertionError(f"{kind} was expected")


def session(*parts):
    return client.multi_append_to_stream([NewEvents(name, events, state) for name, state, events in parts])


def chapter_a_session_is_recorded_whole():
    one, two, three = fresh("one"), fresh("two"), fresh("three")
    client.append_to_stream(two, current_version=NO_STREAM, events=[event(0)])
    last = session((one, NO_STREAM, [event(0), event(1)]), (two, 0, [event(1)]), (three, ANY, [event(0)]))
    assert (numbers(one), numbers(two), numbers(three)) == ([0, 1], [0, 1], [0])
    assert client.get_stream(three)[0].commit_position == last == client.get_commit_position()
    assert session((two, EXISTS, [event(2)])) > last
    shows("session.written")


def chapter_a_session_is_refused_whole():
    one, two = fresh("one"), fresh("two")
    client.append_to_stream(one, current_version=NO_STREAM, events=[event(0), event(1)])
    for state in (NO_STREAM, 0, 7):
        refusal = refused(
            exceptions.WrongCurrentVersionError,
            lambda: session((two, ANY, [event(0)]), (one, state, [event(9)])),
        )
        assert (refusal.stream_name, refusal.expected_version, refusal.actual_version) == (one, state, 1)
    refusal = refused(exceptions.WrongCurrentVersionError, lambda: session((two, EXISTS, [event(0)])))
    assert (refusal.stream_name, refusal.actual_version) == (two, NO_STREAM)
    absent(two)
    shows("session.conflict")
    client.tombstone_stream(one, current_version=ANY)
    refusal = refused(
        exceptions.StreamTombstonedError, lambda: session((two, ANY, [event(0)]), (one, ANY, [event(9)]))
    )
    assert refusal.stream_name == one
    absent(two)
    shows("session.tombstoned")


def chapter_a_stream_is_in_a_session_once():
    one = fresh("one")
    refusal = refused(
        exceptions.MultiAppendToSameStreamError, lambda: session((one, ANY, [event(0)]), (one, ANY, [event(1)]))
    )
    assert refusal.stream_name == one
    refused(exceptions.KurrentDBClientError, lambda: session())
    refused(exceptions.KurrentDBClientError, lambda: session((one, ANY, [])))
    absent(one)


def chapter_what_is_too_large_is_told_its_limit():
    one, two = fresh("one"), fresh("two")
    sized = lambda bytes: NewEvent(type="Large", data=b"x" * bytes, content_type="application/octet-stream")
    too_large = sized(16 * 1024 * 1024)
    refusal = refused(exceptions.RecordMaxSizeExceededError, lambda: session((one, ANY, [too_large])))
    assert (refusal.stream_name, refusal.event_id) == (one, too_large.id)
    assert refusal.size > refusal.max_size == 16 * 1024 * 1024
    refusal = refused(
        exceptions.TransactionMaxSizeExceededError,
        lambda: session((one, ANY, [sized(12 << 20)]), (two, ANY, [sized(12 << 20), sized(12 << 20)])),
    )
    assert refusal.size > refusal.max_size == 32 * 1024 * 1024
    absent(one, two)
    shows("session.large", differs="32 MiB in all, where KurrentDB takes 256 MiB")


def chapter_a_session_again_is_recorded_once():
    one, two = fresh("one"), fresh("two")
    for state in (NO_STREAM, ANY):
        parts = (one, state, [event(0), event(1)]), (two, state, [event(2)])
        last = session(*parts)
        assert session(*parts) == last
        if state == NO_STREAM:
            assert (numbers(one), numbers(two)) == ([0, 1], [2])
    assert (numbers(one), numbers(two)) == ([0, 1, 0, 1], [2, 2])
    again = client.get_stream(one)[:2]
    known = [NewEvent(type=e.type, data=e.data, id=e.id) for e in again]
    refused(exceptions.WrongCurrentVersionError, lambda: session((one, ANY, known), (fresh("new"), ANY, [event(3)])))


def chapter_properties_are_metadata_and_schemas_are_types():
    one = fresh("one")
    session((one, ANY, [event(0, metadata=b'{"zone": "eu", "who": "me"}'), event(1, content_type="application/octet-stream")]))
    json_event, binary = client.get_stream(one)
    assert (json_event.type, json_event.content_type) == ("Happened", "application/json")
    assert json.loads(json_event.metadata) == {
        "zone": "eu",
        "who": "me",
        "$schema.name": "Happened",
        "$schema.format": "Json",
    }
    assert binary.content_type == "application/octet-stream"
    assert json.loads(binary.metadata)["$schema.format"] == "Bytes"


def chapter_records_and_checks():
    one, two, seen = fresh("one"), fresh("two"), fresh("seen")
    client.append_to_stream(seen, current_version=NO_STREAM, events=[event(0)])
    done = client.append_records(
        [record(one, 0), record(two, 1), record(one, 2)],
        [StreamStateCheck(seen, 0), StreamStateCheck(one, NO_STREAM)],
    )
    assert [(s.stream_name, s.stream_position) for s in done.stream_positions] == [(one, 1), (two, 0)]
    assert done.commit_position == client.get_commit_position()
    assert (numbers(one), numbers(two), numbers(seen)) == ([0, 2], [1], [0])
    shows("records.written")
    refusal = refused(
        exceptions.ConsistencyChecksFailedError,
        lambda: client.append_records(
            [record(two, 9)],
            [
                StreamStateCheck(seen, 0),
                StreamStateCheck(one, 0),
                StreamStateCheck(two, NO_STREAM),
                StreamStateCheck(fresh("none"), EXISTS),
            ],
        ),
    )
    told = [
        (f.check_index, f.stream_state_failure.expected_state, f.stream_state_failure.actual_state)
        for f in refusal.failures
    ]
    assert told == [(1, 0, 1), (2, -1, 0), (3, -4, -1)], told
    shows("records.checks")
    client.delete_stream(seen, current_version=ANY)
    client.tombstone_stream(two, current_version=ANY)
    refusal = refused(
        exceptions.ConsistencyChecksFailedError,
        lambda: client.append_records([record(one, 9)], [StreamStateCheck(seen, EXISTS), StreamStateCheck(two, 0)]),
    )
    assert [f.stream_state_failure.actual_state for f in refusal.failures] == [-5, -6]
    refused(exceptions.StreamTombstonedError, lambda: client.append_records([record(two, 9)]))
    # A deleted stream can be written, and begins again.
    client.append_records([record(seen, 1)], [StreamStateCheck(seen, NO_STREAM)])
    assert numbers(seen) == [1]
    assert numbers(one) == [0, 2]


for name, chapter in list(globals().items()):
    if name.startswith("chapter_"):
        try:
            chapter()
        except BaseException:
            print("FAILED", name.removeprefix("chapter_"))
            raise
        print("ok", name.removeprefix("chapter_"))
client.close()
