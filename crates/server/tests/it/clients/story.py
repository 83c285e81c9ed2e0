"""What a program written with a Python client does, chapter by chapter.

The same story for both clients, which name a few things differently. A chapter
that goes otherwise than told ends the process with its reason. What a chapter
has shown it tells by its row in `vocabulary.rs`.
"""

import inspect
import json
import sys
import threading
import time
from uuid import uuid4

try:
    import kurrentdbclient as lib
    from kurrentdbclient import KurrentDBClient as Client, exceptions
except ImportError:
    import esdbclient as lib
    from esdbclient import EventStoreDBClient as Client, exceptions

NewEvent, StreamState = lib.NewEvent, lib.StreamState


def error(*names):
    for name in names:
        if hasattr(exceptions, name):
            return getattr(exceptions, name)
    raise SystemExit(f"none of {names} in {exceptions}")


WrongVersion = error("WrongCurrentVersionError", "WrongCurrentVersion")
NotFound = error("NotFoundError", "NotFound")
Deleted = error("StreamIsDeletedError", "StreamIsDeleted")
# The older client passes on what gRPC says.
Denied = (error("AccessDeniedError"), error("GrpcError"))
Dropped = error("CancelledError", "GrpcError")
Wider = error("FailedPreconditionError", "FailedPrecondition")
Exists = error("AlreadyExistsError", "AlreadyExists")
Full = error("MaximumSubscriptionsReachedError", "MaximumSubscriptionsReached")

TWICE = "the second is recorded under an id that follows from the first"
STOP = "the consumer is dropped and the event goes to another; KurrentDB skips it"
NO_SUCH_CALL = "the client has no such call"

client = Client(sys.argv[1])


def shows(*rows, **what):
    """From here on it is known how these rows go: well, or as `differs` or `absent` say."""
    for row in rows:
        print(json.dumps({"shows": row, **what}))


def event(n=0, kind="Happened", **more):
    return NewEvent(type=kind, data=json.dumps({"n": n}).encode(), **more)


def fresh(name):
    return f"{name}-{uuid4()}"


def append(stream, events, version=StreamState.ANY):
    return client.append_to_stream(stream, events=events, current_version=version)


def numbers(events):
    return [json.loads(e.data)["n"] for e in events]


def positions(events):
    return [e.stream_position for e in events]


def refused(kind, call):
    try:
        call()
    except kind as refusal:
        return refusal
    raise AssertionError(f"{kind} was expected")


def chapter_appends_with_every_expectation():
    one, many = fresh("one"), fresh("many")
    # A single event goes by Append, a list by BatchAppend.
    for stream, wrap in ((one, lambda e: e), (many, lambda e: [e])):
        assert append(stream, wrap(event(0)), StreamState.NO_STREAM) > 0
        assert append(stream, wrap(event(1)), 0) > 0
        assert append(stream, wrap(event(2)), StreamState.EXISTS) > 0
        assert append(stream, wrap(event(3)), StreamState.ANY) > 0
        assert numbers(client.get_stream(stream)) == [0, 1, 2, 3]
        assert positions(client.get_stream(stream)) == [0, 1, 2, 3]
    shows("append.expected")


def chapter_conflicts_name_where_the_stream_stands():
    stream, nowhere = fresh("conflict"), fresh("nowhere")
    append(stream, [event(0), event(1)])
    for wrap in (lambda e: e, lambda e: [e]):
        for version in (0, 5, StreamState.NO_STREAM):
            refusal = refused(WrongVersion, lambda: append(stream, wrap(event(9)), version))
            text = str(refusal)
            assert "1" in text, text
        for version in (0, StreamState.EXISTS):
            refused((WrongVersion, NotFound), lambda: append(nowhere, wrap(event(9)), version))
    assert numbers(client.get_stream(stream)) == [0, 1]
    refused(NotFound, lambda: client.get_stream(nowhere))
    shows("append.conflict", "read.missing")


def chapter_the_same_event_again_is_recorded_once():
    stream = fresh("again")
    first, rest = event(0), [event(1), event(2)]
    at = append(stream, first, StreamState.NO_STREAM)
    assert append(stream, first, StreamState.NO_STREAM) == at
    assert append(stream, first, StreamState.ANY) == at
    end = append(stream, rest, 0)
    assert append(stream, rest, 0) == end
    assert append(stream, rest, StreamState.ANY) == end
    assert append(stream, first, StreamState.NO_STREAM) == at
    assert numbers(client.get_stream(stream)) == [0, 1, 2]
    shows("append.again")
    twice, pair = event(3), fresh("twice")
    for _ in range(2):
        append(pair, [twice, twice], StreamState.NO_STREAM)
        assert numbers(client.get_stream(pair)) == [3, 3]
    one, other = client.get_stream(pair)
    assert one.id == twice.id != other.id
    shows("append.twice", differs=TWICE)


def chapter_what_is_read_is_what_was_appended():
    stream = fresh("whole")
    sent = [
        NewEvent(type="Json", data=b'{"a": 1.10}', metadata=b'{"m": true}'),
        NewEvent(type="Bytes", data=bytes(range(256)), metadata=b"\xff", content_type="application/octet-stream"),
        NewEvent(type="Empty", data=b""),
        NewEvent(type="Large", data=b"x" * (3 * 1024 * 1024), content_type="application/octet-stream"),
    ]
    last = append(stream, sent)
    read = client.get_stream(stream)
    for before, after in zip(sent, read, strict=True):
        assert before.id == after.id and before.type == after.type
        assert before.data == after.data and before.metadata == after.metadata
        assert before.content_type == after.content_type
        assert after.stream_name == stream and after.recorded_at.year >= 2024
    assert read[-1].commit_position == last
    shows("append.intact")


def chapter_streams_are_read_both_ways_and_in_parts():
    stream = fresh("both")
    append(stream, [event(n) for n in range(1000)])
    # The client sends a list by this call.
    shows("batch.append", "append.several")
    read = lambda **how: numbers(client.get_stream(stream, **how))
    assert read() == list(range(1000))
    assert read(backwards=True) == list(range(999, -1, -1))
    assert read(stream_position=990) == list(range(990, 1000))
    assert read(stream_position=5, backwards=True) == [5, 4, 3, 2, 1, 0]
    assert read(limit=3) == [0, 1, 2]
    assert read(limit=3, backwards=True) == [999, 998, 997]
    assert read(stream_position=998, limit=10) == [998, 999]
    assert read(stream_position=1000) == []
    shows("read.forwards", "read.backwards", "read.part")
    assert client.get_current_version(stream) == 999
    assert client.get_current_version(fresh("none")) == StreamState.NO_STREAM


def chapter_the_log_is_read_both_ways():
    stream = fresh("log")
    start = client.get_commit_position()
    ends = [append(stream, event(n)) for n in range(5)]
    assert ends == sorted(set(ends)) and start < ends[0]
    mine = lambda events: numbers(e for e in events if e.stream_name == stream)
    assert mine(client.read_all()) == [0, 1, 2, 3, 4]
    assert mine(client.read_all(backwards=True)) == [4, 3, 2, 1, 0]
    assert mine(client.read_all(commit_position=ends[2])) == [2, 3, 4], "forward, the place is included"
    assert mine(client.read_all(commit_position=ends[2], backwards=True)) == [1, 0], "backward it is not"
    assert mine(client.read_all(commit_position=ends[1], limit=2)) == [1, 2]
    assert client.get_commit_position() == ends[-1]
    assert len(list(client.read_all(limit=1))) == 1
    shows("read.all.forwards", "read.all.backwards", "read.all.position")


def chapter_filters_choose_by_type_and_by_stream():
    category = f"cat{uuid4().hex}"
    streams = [f"{category}-{n}" for n in range(3)]
    for n, stream in enumerate(streams):
        append(stream, [event(n, f"A{category}"), event(n, f"B{category}")])
    read = lambda **how: [(e.stream_name, e.type) for e in client.read_all(**how)]
    kinds = lambda found: {kind[0] for _, kind in found}
    found = read(filter_include=[f"A{category}"])
    assert len(found) == 3 and kinds(found) == {"A"}
    found = read(filter_include=[f"A{category}", f"B{category}"])
    assert len(found) == 6
    found = read(filter_include=[rf"{category}-[01]"], filter_by_stream_name=True)
    assert len(found) == 4 and {s for s, _ in found} == set(streams[:2])
    if "filter_by_prefix" in inspect.signature(Client.read_all).parameters:
        found = read(filter_include=[f"{category}-"], filter_by_stream_name=True, filter_by_prefix=True)
        assert len(found) == 6
    found = [f for f in read(filter_exclude=[f"B{category}", r"\$.+"]) if f[0] in streams]
    assert len(found) == 3 and kinds(found) == {"A"}
    found = read(filter_include=[f"A{category}"], backwards=True, limit=2)
    assert [s for s, _ in found] == [streams[2], streams[1]]
    assert read(filter_include=["no such type"]) == []
    shows("read.all.types", "read.all.streams")


def chapter_subscriptions_catch_up_and_go_on_live():
    stream = fresh("follow")
    append(stream, [event(n) for n in range(600)])
    with client.subscribe_to_stream(stream) as subscription:
        for n in range(600):
            assert json.loads(next(subscription).data)["n"] == n
        threading.Timer(0.05, lambda: append(stream, [event(600), event(601)])).start()
        assert numbers([next(subscription), next(subscription)]) == [600, 601]
    shows("follow.past", "follow.live")
    with client.subscribe_to_stream(stream, stream_position=600) as subscription:
        assert numbers([next(subscription)]) == [601], "the place given was seen"
    shows("follow.revision")
    with client.subscribe_to_stream(stream, from_end=True) as subscription:
        threading.Timer(0.05, lambda: append(stream, event(602))).start()
        assert numbers([next(subscription)]) == [602]
    shows("follow.end")
    unborn = fresh("unborn")
    with client.subscribe_to_stream(unborn) as subscription:
        threading.Timer(0.05, lambda: append(unborn, event(0))).start()
        assert numbers([next(subscription)]) == [0]


def chapter_the_log_is_followed():
    stream = fresh("all")
    ends = [append(stream, event(n)) for n in range(3)]
    with client.subscribe_to_all(commit_position=ends[0]) as subscription:
        assert numbers([next(subscription), next(subscription)]) == [1, 2]
        threading.Timer(0.05, lambda: append(stream, event(3))).start()
        assert numbers([next(subscription)]) == [3]
    shows("follow.all.position", "follow.all.live")
    with client.subscribe_to_all(from_end=True) as subscription:
        threading.Timer(0.05, lambda: append(stream, event(4))).start()
        assert numbers([next(subscription)]) == [4]
    shows("follow.all.end")
    total = len(list(client.read_all()))
    with client.subscribe_to_all() as subscription:
        seen = [next(subscription) for _ in range(total)]
    assert numbers(e for e in seen if e.stream_name == stream) == [0, 1, 2, 3, 4]
    with client.subscribe_to_all(commit_position=0) as subscription:
        assert next(subscription).id == seen[0].id, "after nothing comes the first"
    shows("follow.all.past")


def chapter_checkpoints_and_caught_up_are_told():
    stream = fresh("check")
    start = client.get_commit_position(filter_exclude=[])
    last = append(stream, [event(n, "Passed") for n in range(100)])
    wanted = {"filter_include": ["Wanted"], "include_checkpoints": True, "include_caught_up": True}
    window = {"window_size": 10, "checkpoint_interval_multiplier": 2}
    with client.subscribe_to_all(commit_position=start, **wanted, **window) as subscription:
        checkpoints = []
        for told in subscription:
            if type(told).__name__ == "CaughtUp":
                break
            assert type(told).__name__ == "Checkpoint", told
            checkpoints.append(told.commit_position)
        assert len(checkpoints) == 5, checkpoints
        assert checkpoints == sorted(checkpoints) and checkpoints[-1] == last
        threading.Timer(0.05, lambda: append(stream, [event(n, "Passed") for n in range(25)])).start()
        assert type(next(subscription)).__name__ == "Checkpoint", "also when live"
        shows("follow.all.checkpoints")
        threading.Timer(0.05, lambda: append(stream, event(7, "Wanted"))).start()
        told = next(subscription)
        while type(told).__name__ == "Checkpoint":
            told = next(subscription)
        assert numbers([told]) == [7]
    wanted = {"filter_include": ["Wanted"]}
    with client.subscribe_to_all(commit_position=start, **wanted) as subscription:
        assert numbers([next(subscription)]) == [7]
        threading.Timer(0.05, lambda: append(stream, [event(8, "Passed"), event(9, "Wanted")])).start()
        assert numbers([next(subscription)]) == [9]
    shows("follow.all.filter")
    with client.subscribe_to_stream(stream, from_end=True, include_caught_up=True) as subscription:
        assert type(next(subscription)).__name__ == "CaughtUp"
    shows("follow.caught_up")


def chapter_a_deleted_stream_can_begin_again():
    stream = fresh("delete")
    append(stream, [event(0), event(1)])
    refused(WrongVersion, lambda: client.delete_stream(stream, current_version=0))
    shows("delete.conflict")
    client.delete_stream(stream, current_version=1)
    refused(NotFound, lambda: client.get_stream(stream))
    refused(NotFound, lambda: client.get_stream(stream, backwards=True))
    shows("delete.stream", "read.deleted")
    # Either expectation that is true of it begins it again.
    append(stream, event(2), StreamState.NO_STREAM)
    assert positions(client.get_stream(stream)) == [2]
    client.delete_stream(stream, current_version=StreamState.ANY)
    append(stream, [event(3)], 2)
    assert numbers(client.get_stream(stream)) == [3]
    shows("delete.again")
    client.delete_stream(stream, current_version=StreamState.EXISTS)
    for version in (StreamState.ANY, StreamState.EXISTS, StreamState.NO_STREAM, 0):
        refused(NotFound, lambda: client.delete_stream(fresh("never"), current_version=version))


def chapter_a_tombstone_is_the_end():
    stream = fresh("tombstone")
    append(stream, event(0))
    refused(WrongVersion, lambda: client.tombstone_stream(stream, current_version=5))
    shows("tombstone.conflict")
    with client.subscribe_to_stream(stream) as subscription:
        next(subscription)
        threading.Timer(0.05, lambda: client.tombstone_stream(stream, current_version=0)).start()
        last = next(subscription)
        assert (last.type, last.stream_position) == ("$streamDeleted", 2**63 - 1)
    refused(Deleted, lambda: client.get_stream(stream))
    shows("tombstone.stream", "read.tombstoned")
    refused(Deleted, lambda: append(stream, [event(1)]))
    # Of a single event the clients make the wider kind.
    assert "is deleted" in str(refused((Deleted, Wider), lambda: append(stream, event(1))))
    shows("append.tombstoned")
    refused(Deleted, lambda: client.delete_stream(stream, current_version=StreamState.ANY))
    refused(Deleted, lambda: client.tombstone_stream(stream, current_version=StreamState.ANY))
    shows("tombstone.again")
    refused(Deleted, lambda: client.get_stream_metadata(stream))
    refused((Deleted, Wider), lambda: client.set_stream_metadata(stream, metadata={}))
    client.tombstone_stream(fresh("unborn"), current_version=StreamState.NO_STREAM)
    refused(NotFound, lambda: client.tombstone_stream(fresh("unborn"), current_version=0))
    tombs = [e for e in client.read_all(filter_exclude=[]) if e.stream_name == stream]
    assert [e.type for e in tombs] == ["Happened", "$streamDeleted"]


def chapter_metadata_is_kept_and_obeyed():
    stream = fresh("metadata")
    assert client.get_stream_metadata(stream) == ({}, StreamState.NO_STREAM)
    shows("metadata.none")
    client.set_stream_metadata(stream, metadata={"mine": [1, "x"]}, current_version=StreamState.NO_STREAM)
    assert client.get_stream_metadata(stream) == ({"mine": [1, "x"]}, 0)
    refused(WrongVersion, lambda: client.set_stream_metadata(stream, metadata={}, current_version=5))
    shows("metadata.kept", "metadata.conflict")
    append(stream, [event(n) for n in range(10)])
    client.set_stream_metadata(stream, metadata={"$maxCount": 3}, current_version=0)
    assert numbers(client.get_stream(stream)) == [7, 8, 9]
    append(stream, event(10))
    assert numbers(client.get_stream(stream)) == [8, 9, 10]
    assert numbers(client.get_stream(stream, backwards=True, limit=2)) == [10, 9]
    shows("metadata.max_count")
    client.set_stream_metadata(stream, metadata={"$tb": 6})
    assert numbers(client.get_stream(stream)) == [6, 7, 8, 9, 10]
    assert numbers(client.get_stream(stream, stream_position=2, limit=2)) == [6, 7]
    with client.subscribe_to_stream(stream) as subscription:
        assert numbers([next(subscription)]) == [6]
    shows("metadata.truncate")
    client.set_stream_metadata(stream, metadata={"$maxAge": 3600})
    assert len(client.get_stream(stream)) == 11
    assert client.get_stream_metadata(stream)[0] == {"$maxAge": 3600}
    client.set_stream_metadata(stream, metadata={"$maxAge": 1})
    until(lambda: not client.get_stream(stream))
    shows("metadata.max_age")


def chapter_links_are_resolved_where_asked():
    stream, links = fresh("target"), fresh("links")
    append(stream, [event(0), event(1)])
    link = lambda to: NewEvent(type="$>", data=to.encode(), content_type="application/octet-stream")
    append(links, [link(f"1@{stream}"), link(f"0@{stream}")])
    assert [e.type for e in client.get_stream(links)] == ["$>", "$>"]
    resolved = client.get_stream(links, resolve_links=True)
    assert numbers(resolved) == [1, 0]
    assert [(e.stream_name, e.link.stream_name, e.link.stream_position) for e in resolved] == [
        (stream, links, 0),
        (stream, links, 1),
    ]
    with client.subscribe_to_stream(links, resolve_links=True) as subscription:
        assert numbers([next(subscription), next(subscription)]) == [1, 0]
        threading.Timer(0.05, lambda: append(links, link(f"1@{stream}"))).start()
        assert numbers([next(subscription)]) == [1]
    shows("read.links")


def chapter_system_streams_link_to_what_they_are_named_after():
    box, flow = f"box{uuid4().hex}", str(uuid4())
    mark = json.dumps({"$correlationId": flow}).encode()
    append(f"{box}-1", [event(0, kind=box), event(1)])
    append(f"{box}-2", [event(2, kind=box, metadata=mark)])
    append(f"{box}-1", [event(3, metadata=mark)])
    for name, expected in [
        (f"$ce-{box}", [0, 1, 2, 3]),
        (f"$category-{box}", [0, 2]),
        (f"$et-{box}", [0, 2]),
        (f"$bc-{flow}", [2, 3]),
    ]:
        found = client.get_stream(name, resolve_links=True)
        assert numbers(found) == expected, name
        assert [e.link.stream_name for e in found] == [name] * len(expected)
        assert [e.link.stream_position for e in found] == list(range(len(expected)))
        assert numbers(client.get_stream(name, resolve_links=True, backwards=True)) == expected[::-1]
        assert numbers(client.get_stream(name, stream_position=1, resolve_links=True)) == expected[1:]
    links = client.get_stream(f"$ce-{box}")
    assert [e.data.decode() for e in links] == [f"0@{box}-1", f"1@{box}-1", f"0@{box}-2", f"2@{box}-1"]
    assert [e.type for e in links] == ["$>"] * 4
    refused(NotFound, lambda: client.get_stream("$ce-nothing"))
    shows("read.system")
    refused(Denied, lambda: append(f"$ce-{box}", event()))
    assert len(client.get_stream(f"$ce-{box}")) == 4
    shows("append.system")
    with client.subscribe_to_stream(f"$ce-{box}", stream_position=2, resolve_links=True) as following:
        assert numbers([next(following)]) == [3]
        threading.Timer(0.05, lambda: append(f"{box}-3", event(4))).start()
        came = next(following)
        assert (numbers([came]), came.link.stream_position) == ([4], 4)
    shows("follow.links")


def join(group, stream=None, **how):
    how = {"max_ack_delay": 0.02, "stopping_grace": 0.1, **how}
    if stream is None:
        return client.read_subscription_to_all(group, **how)
    return client.read_subscription_to_stream(group, stream, **how)


def until(question, *, seconds=10):
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end, "it never became so"
        time.sleep(0.05)


def chapter_groups_share_events_and_ack_them():
    stream, group = fresh("group"), fresh("g")
    append(stream, [event(n) for n in range(300)])
    client.create_subscription_to_stream(group, stream, consumer_strategy="RoundRobin")
    with join(group, stream) as consumer:
        assert consumer.subscription_id == f"{stream}::{group}"
        for n in range(300):
            received = next(consumer)
            assert json.loads(received.data)["n"] == n and received.retry_count == 0
            consumer.ack(received)
        append(stream, event(300))
        received = next(consumer)
        consumer.ack(received)
        assert numbers([received]) == [300]
        outstanding = lambda: client.get_subscription_info(group, stream).outstanding_messages_count
        until(lambda: outstanding() == 0)
    shows("group.past", "group.live")
    from_two = fresh("g")
    client.create_subscription_to_stream(from_two, stream, stream_position=298)
    with join(from_two, stream) as consumer:
        assert numbers(next(consumer) for _ in range(3)) == [298, 299, 300], "the place given is included"
    shows("group.revision")


def chapter_consumers_share_a_group():
    stream, group = fresh("share"), fresh("g")
    client.create_subscription_to_stream(group, stream, consumer_strategy="RoundRobin")
    with join(group, stream) as one, join(group, stream) as other:
        append(stream, [event(n) for n in range(10)])
        shares = []
        for consumer in (one, other):
            received = [next(consumer) for _ in range(5)]
            for each in received:
                consumer.ack(each)
            shares.append(numbers(received))
        assert sorted(shares[0] + shares[1]) == list(range(10)), shares
    shows("group.share")


def chapter_groups_resolve_links():
    box, group = f"box{uuid4().hex}", fresh("g")
    append(f"{box}-1", [event(0), event(1)])
    client.create_subscription_to_stream(group, f"$ce-{box}", resolve_links=True)
    with join(group, f"$ce-{box}") as consumer:
        received = [next(consumer), next(consumer)]
        assert numbers(received) == [0, 1]
        assert [each.link.stream_name for each in received] == [f"$ce-{box}"] * 2
        for each in received:
            consumer.ack(each)
        info = lambda: client.get_subscription_info(group, f"$ce-{box}")
        until(lambda: info().outstanding_messages_count == 0)
    shows("group.links")


def chapter_what_a_group_cannot_handle_is_parked_and_replayed():
    stream, group = fresh("park"), fresh("g")
    append(stream, [event(n) for n in range(3)])
    client.create_subscription_to_stream(group, stream, max_retry_count=1)
    parked = lambda: client.get_subscription_info(group, stream).parked_message_count
    with join(group, stream) as consumer:
        seen = []
        for _ in range(4):
            received = next(consumer)
            n = numbers([received])[0]
            seen.append((n, received.retry_count))
            if n == 0:
                consumer.nack(received, "retry")
            elif n == 1:
                consumer.nack(received, "park")
            else:
                consumer.nack(received, "skip")
        assert sorted(seen) == [(0, 0), (0, 1), (1, 0), (2, 0)], seen
        until(lambda: parked() == 2)
        shows("group.retry", "group.skip", "group.park")
        client.replay_parked_events(group, stream)
        again = [next(consumer), next(consumer)]
        assert sorted(numbers(again)) == [0, 1]
        for received in again:
            consumer.ack(received)
        until(lambda: parked() == 0)
    shows("group.replay")
    refused(NotFound, lambda: client.replay_parked_events(fresh("none"), stream))


def chapter_a_consumer_that_stops_is_dropped():
    stream, group = fresh("stop"), fresh("g")
    append(stream, event(0))
    client.create_subscription_to_stream(group, stream)
    with join(group, stream) as consumer:
        consumer.nack(next(consumer), "stop")
        refused(Dropped, lambda: next(consumer))
    with join(group, stream) as consumer:
        received = next(consumer)
        assert numbers([received]) == [0]
        consumer.ack(received)
    shows("group.stop", differs=STOP)


def chapter_groups_of_the_log_have_filters():
    kind, group = f"Kind{uuid4().hex}", fresh("g")
    stream = fresh("log")
    at = append(stream, event(0))
    append(stream, [event(1, kind), event(2), event(3, kind)])
    client.create_subscription_to_all(group, commit_position=at, filter_include=[kind])
    with join(group) as consumer:
        received = [next(consumer), next(consumer)]
        assert numbers(received) == [1, 3]
        for each in received:
            consumer.ack(each)
    included = fresh("g")
    client.create_subscription_to_all(included, commit_position=at)
    with join(included) as consumer:
        assert numbers([next(consumer)]) == [0], "the place given is included"
    shows("group.all")
    info = client.get_subscription_info(group)
    assert info.event_source == "$all" and info.start_from == f"C:{at}/P:{at}", info
    client.delete_subscription(group)
    client.delete_subscription(included)


def chapter_groups_are_made_listed_changed_and_ended():
    stream, group = fresh("manage"), fresh("g")
    for call in (
        lambda: client.get_subscription_info(group, stream),
        lambda: client.delete_subscription(group, stream),
        lambda: join(group, stream),
    ):
        refused(NotFound, call)
    shows("group.missing")
    client.create_subscription_to_stream(group, stream, max_subscriber_count=1, message_timeout=7)
    refused(Exists, lambda: client.create_subscription_to_stream(group, stream))
    shows("group.create")
    refused(Exception, lambda: client.create_subscription_to_stream(fresh("g"), stream, history_buffer_size=100))
    info = client.get_subscription_info(group, stream)
    assert (info.event_source, info.group_name, info.start_from) == (stream, group, "0"), info
    assert (info.message_timeout, info.max_subscriber_count) == (7, 1), info
    assert info.consumer_strategy == "DispatchToSingle", info
    shows("group.info")
    assert group in [i.group_name for i in client.list_subscriptions()]
    assert [i.group_name for i in client.list_subscriptions_to_stream(stream)] == [group]
    assert client.list_subscriptions_to_stream(fresh("none")) == []
    shows("group.list")
    with join(group, stream) as consumer:
        refused(Full, lambda: next(join(group, stream)))
        shows("group.full")
        client.update_subscription_to_stream(group, stream, message_timeout=9, consumer_strategy="RoundRobin")
        refused(Dropped, lambda: next(consumer))
    info = client.get_subscription_info(group, stream)
    assert (info.message_timeout, info.max_subscriber_count) == (9, 1), info
    assert info.consumer_strategy == "RoundRobin", info
    shows("group.update")
    client.delete_subscription(group, stream)
    refused(NotFound, lambda: client.get_subscription_info(group, stream))
    shows("group.delete")
    assert not hasattr(client, "restart_persistent_subscriptions_subsystem")
    shows("group.restart", absent=NO_SUCH_CALL)


def chapter_many_at_once():
    stream = fresh("crowd")
    failures = []

    def work(n):
        try:
            for m in range(20):
                append(f"{stream}-{n}", [event(m)], StreamState.NO_STREAM if m == 0 else m - 1)
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    for n in range(8):
        assert numbers(client.get_stream(f"{stream}-{n}")) == list(range(20))


def chapter_the_cluster_is_one_server():
    members = client.read_gossip()
    assert len(members) == 1
    assert members[0].state == "NODE_STATE_LEADER", members
    assert f"{members[0].address}:{members[0].port}" in sys.argv[1]
    shows("gossip.read")


def chapter_only_the_newer_client_appends_to_several_streams():
    if hasattr(client, "multi_append_to_stream"):
        return  # `sessions.py` does
    sessions = ["written", "conflict", "tombstoned", "large"]
    shows(*(f"session.{row}" for row in sessions), "records.written", "records.checks", absent=NO_SUCH_CALL)


for name, chapter in list(globals().items()):
    if name.startswith("chapter_"):
        try:
            chapter()
        except BaseException:
            print("FAILED", name.removeprefix("chapter_"))
            raise
        print("ok", name.removeprefix("chapter_"))
client.close()
