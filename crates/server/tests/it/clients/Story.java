// What a program written with the client for Java does, chapter by chapter.
//
// Run as one source file. A chapter that goes otherwise than told ends the
// process with its reason. Chapters on persistent subscriptions belong behind
// those on streams.

import io.kurrent.dbclient.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;

public class Story {
    static KurrentDBClient client;

    interface Chapter {
        void tell() throws Exception;
    }

    interface Call {
        CompletableFuture<?> make() throws Exception;
    }

    static String fresh(String name) {
        return name + "-" + UUID.randomUUID();
    }

    static EventData event(long n, String type) {
        return EventData.builderAsJson(type, ("{\"n\":" + n + "}").getBytes(StandardCharsets.UTF_8)).build();
    }

    static EventData event(long n) {
        return event(n, "Happened");
    }

    static EventData[] events(long from, long to) {
        return LongStream.range(from, to).mapToObj(Story::event).toArray(EventData[]::new);
    }

    static long number(ResolvedEvent resolved) {
        String data = new String(resolved.getEvent().getEventData(), StandardCharsets.UTF_8);
        return Long.parseLong(data.replaceAll("[^0-9]", ""));
    }

    static List<Long> numbers(List<ResolvedEvent> found) {
        return found.stream().map(Story::number).collect(Collectors.toList());
    }

    static List<Long> range(long from, long to) {
        return LongStream.range(from, to).boxed().collect(Collectors.toList());
    }

    static WriteResult append(String stream, StreamState state, EventData... events) throws Exception {
        return client.appendToStream(stream, AppendToStreamOptions.get().streamState(state), events).get();
    }

    static List<Long> read(String stream) throws Exception {
        return read(stream, ReadStreamOptions.get().forwards().fromStart());
    }

    static List<Long> read(String stream, ReadStreamOptions options) throws Exception {
        return numbers(client.readStream(stream, options).get().getEvents());
    }

    static void same(Object found, Object expected) {
        if (!Objects.equals(found, expected)) {
            throw new AssertionError(found + ", where " + expected + " was expected");
        }
    }

    static void holds(boolean so, Object what) {
        if (!so) {
            throw new AssertionError(String.valueOf(what));
        }
    }

    static <E extends Throwable> E refused(Class<E> kind, Call call) throws Exception {
        Throwable refusal;
        try {
            call.make().get();
            throw new AssertionError(kind.getSimpleName() + " was expected");
        } catch (ExecutionException wrapped) {
            refusal = wrapped.getCause();
        }
        if (!kind.isInstance(refusal)) {
            throw new AssertionError(kind.getSimpleName() + " was expected", refusal);
        }
        return kind.cast(refusal);
    }

    /// What a subscription tells, in a queue.
    static class Told extends SubscriptionListener {
        final BlockingQueue<Object> queue = new LinkedBlockingQueue<>();

        @Override
        public void onEvent(Subscription subscription, ResolvedEvent event) {
            queue.add(event);
        }

        @Override
        public void onCaughtUp(
                Subscription subscription, java.time.Instant at, Long revision, Position position) {
            queue.add("caught up");
        }

        @Override
        public void onCancelled(Subscription subscription, Throwable reason) {
            if (reason != null) {
                queue.add(reason);
            }
        }

        Object next() throws Exception {
            Object told = queue.poll(20, TimeUnit.SECONDS);
            holds(told != null, "nothing was told for 20 seconds");
            return told;
        }

        ResolvedEvent event() throws Exception {
            Object told = next();
            while (told.equals("caught up")) {
                told = next();
            }
            holds(told instanceof ResolvedEvent, told);
            return (ResolvedEvent) told;
        }

        List<Long> take(int count) throws Exception {
            List<Long> taken = new ArrayList<>();
            while (taken.size() < count) {
                taken.add(number(event()));
            }
            return taken;
        }
    }

    static void appendsWithEveryExpectation() throws Exception {
        String stream = fresh("expect");
        StreamState[] states = {
            StreamState.noStream(), StreamState.streamRevision(0), StreamState.streamExists(), StreamState.any()
        };
        for (int n = 0; n < states.length; n++) {
            WriteResult written = append(stream, states[n], event(n));
            same(written.getNextExpectedRevision(), StreamState.streamRevision(n));
            holds(written.getLogPosition().getCommitUnsigned() > 0, written);
        }
        same(read(stream), range(0, 4));
    }

    static void conflictsNameWhereTheStreamStands() throws Exception {
        String stream = fresh("conflict");
        append(stream, StreamState.any(), events(0, 2));
        for (StreamState state :
                List.of(StreamState.noStream(), StreamState.streamRevision(0), StreamState.streamRevision(7))) {
            WrongExpectedVersionException refusal = refused(
                    WrongExpectedVersionException.class,
                    () -> client.appendToStream(
                            stream, AppendToStreamOptions.get().streamState(state), event(9)));
            same(refusal.getStreamName(), stream);
            // The client knows no word for "no stream" here, and says 0.
            same(
                    refusal.getExpectedState(),
                    state.equals(StreamState.noStream()) ? StreamState.streamRevision(0) : state);
            same(refusal.getActualState(), StreamState.streamRevision(1));
        }
        AppendToStreamOptions exists = AppendToStreamOptions.get().streamState(StreamState.streamExists());
        refused(
                WrongExpectedVersionException.class,
                () -> client.appendToStream(fresh("none"), exists, event(9)));
        same(read(stream), range(0, 2));
    }

    static void theSameEventAgainIsRecordedOnce() throws Exception {
        String stream = fresh("again");
        EventData[] same = events(0, 2);
        WriteResult first = append(stream, StreamState.noStream(), same);
        same(append(stream, StreamState.noStream(), same).getLogPosition(), first.getLogPosition());
        same(append(stream, StreamState.any(), same).getLogPosition(), first.getLogPosition());
        same(read(stream), range(0, 2));
    }

    static void whatIsReadIsWhatWasAppended() throws Exception {
        String stream = fresh("whole");
        byte[] bytes = new byte[256];
        for (int n = 0; n < bytes.length; n++) {
            bytes[n] = (byte) n;
        }
        EventData json = EventData.builderAsJson("Json", "{\"a\": 1.10}".getBytes(StandardCharsets.UTF_8))
                .metadataAsBytes("{\"m\": true}".getBytes(StandardCharsets.UTF_8))
                .build();
        EventData binary = EventData.builderAsBinary("Bytes", bytes).metadataAsBytes(bytes).build();
        append(stream, StreamState.any(), json, binary);
        List<ResolvedEvent> found =
                client.readStream(stream, ReadStreamOptions.get().fromStart()).get().getEvents();
        for (int n = 0; n < 2; n++) {
            EventData before = n == 0 ? json : binary;
            RecordedEvent after = found.get(n).getOriginalEvent();
            same(after.getEventId(), before.getEventId());
            same(after.getEventType(), before.getEventType());
            same(after.getContentType(), before.getContentType());
            holds(Arrays.equals(after.getEventData(), before.getEventData()), "data");
            holds(Arrays.equals(after.getUserMetadata(), before.getUserMetadata()), "metadata");
            same(after.getStreamId(), stream);
            holds(after.getCreated().isAfter(java.time.Instant.parse("2024-01-01T00:00:00Z")), "time");
        }
    }

    static void streamsAreReadBothWaysAndInParts() throws Exception {
        String stream = fresh("both");
        append(stream, StreamState.any(), events(0, 1000));
        List<Long> upward = range(0, 1000);
        same(read(stream), upward);
        Collections.reverse(upward);
        same(read(stream, ReadStreamOptions.get().backwards().fromEnd()), upward);
        same(read(stream, ReadStreamOptions.get().fromRevision(5).maxCount(2)), List.of(5L, 6L));
        same(read(stream, ReadStreamOptions.get().backwards().fromRevision(5).maxCount(2)), List.of(5L, 4L));
        ReadResult told = client.readStream(stream, ReadStreamOptions.get().fromStart().maxCount(1)).get();
        same(told.getLastStreamPosition(), 999L);
        String none = fresh("none");
        StreamNotFoundException refusal = refused(
                StreamNotFoundException.class, () -> client.readStream(none, ReadStreamOptions.get()));
        same(refusal.getStreamName(), none);
    }

    static void theLogIsReadBothWays() throws Exception {
        String stream = fresh("log");
        Position first = append(stream, StreamState.any(), event(0)).getLogPosition();
        append(stream, StreamState.any(), events(1, 5));
        java.util.function.Function<List<ResolvedEvent>, List<Long>> mine = found -> numbers(found.stream()
                .filter(resolved -> resolved.getEvent().getStreamId().equals(stream))
                .collect(Collectors.toList()));
        same(mine.apply(client.readAll(ReadAllOptions.get().forwards().fromStart()).get().getEvents()), range(0, 5));
        same(
                mine.apply(client.readAll(ReadAllOptions.get().backwards().fromEnd().maxCount(2)).get().getEvents()),
                List.of(4L, 3L));
        same(mine.apply(client.readAll(ReadAllOptions.get().fromPosition(first)).get().getEvents()), range(0, 5));
    }

    static void subscriptionsCatchUpAndGoOnLive() throws Exception {
        String stream = fresh("follow");
        append(stream, StreamState.any(), events(0, 600));
        Told told = new Told();
        Subscription subscription = client.subscribeToStream(stream, told).get();
        same(told.take(600), range(0, 600));
        same(told.next(), "caught up");
        append(stream, StreamState.any(), events(600, 602));
        same(told.take(2), range(600, 602));
        subscription.stop();
        Told after = new Told();
        client.subscribeToStream(stream, after, SubscribeToStreamOptions.get().fromRevision(600)).get();
        same(after.take(1), List.of(601L));
        Told live = new Told();
        client.subscribeToStream(stream, live, SubscribeToStreamOptions.get().fromEnd()).get();
        same(live.next(), "caught up");
        append(stream, StreamState.any(), event(602));
        same(live.take(1), List.of(602L));
    }

    static void theLogIsFollowedWithFilters() throws Exception {
        String stream = fresh("filtered");
        Position start = append(stream, StreamState.any(), event(0)).getLogPosition();
        append(stream, StreamState.any(), event(1, "Passed"), event(2));
        BlockingQueue<Position> checkpoints = new LinkedBlockingQueue<>();
        Checkpointer keep = (subscription, position) -> {
            checkpoints.add(position);
            return CompletableFuture.completedFuture(null);
        };
        SubscriptionFilter types = SubscriptionFilter.newBuilder()
                .addEventTypePrefix("Happ")
                .withMaxWindow(10)
                .withCheckpointer(keep)
                .build();
        Told told = new Told();
        client.subscribeToAll(told, SubscribeToAllOptions.get().fromPosition(start).filter(types)).get();
        same(told.take(1), List.of(2L));
        append(stream, StreamState.any(), event(3, "Passed"), event(4));
        same(told.take(1), List.of(4L));
        for (int n = 0; n < 20; n++) {
            append(stream, StreamState.any(), event(5, "Passed"));
        }
        Position checkpoint = checkpoints.poll(20, TimeUnit.SECONDS);
        holds(checkpoint != null && checkpoint.compareTo(start) > 0, checkpoint);
        SubscriptionFilter own = SubscriptionFilter.newBuilder()
                .withStreamNameRegularExpression("^" + stream + "$")
                .build();
        Told all = new Told();
        client.subscribeToAll(all, SubscribeToAllOptions.get().fromStart().filter(own)).get();
        same(all.take(6), List.of(0L, 1L, 2L, 3L, 4L, 5L));
    }

    static void aDeletedStreamCanBeginAgain() throws Exception {
        String stream = fresh("delete");
        append(stream, StreamState.any(), events(0, 2));
        refused(
                WrongExpectedVersionException.class,
                () -> client.deleteStream(stream, DeleteStreamOptions.get().streamRevision(0)));
        holds(
                client.deleteStream(stream, DeleteStreamOptions.get().streamRevision(1))
                                .get()
                                .getPosition()
                                .getCommitUnsigned()
                        > 0,
                "position");
        refused(StreamNotFoundException.class, () -> client.readStream(stream, ReadStreamOptions.get()));
        same(
                append(stream, StreamState.noStream(), event(2)).getNextExpectedRevision(),
                StreamState.streamRevision(2));
        same(read(stream), List.of(2L));
    }

    static void aTombstoneIsTheEnd() throws Exception {
        String stream = fresh("tombstone");
        append(stream, StreamState.any(), event(0));
        client.tombstoneStream(stream, DeleteStreamOptions.get().streamRevision(0)).get();
        List<Call> calls = List.of(
                () -> client.appendToStream(stream, event(1)),
                () -> client.deleteStream(stream),
                () -> client.tombstoneStream(stream));
        for (Call call : calls) {
            same(refused(StreamDeletedException.class, call).getStreamName(), stream);
        }
        // Of a read the client makes the wider kind.
        io.grpc.StatusRuntimeException read = refused(
                io.grpc.StatusRuntimeException.class,
                () -> client.readStream(stream, ReadStreamOptions.get()));
        holds(read.getMessage().contains("is deleted"), read);
    }

    static void metadataIsKeptAndObeyed() throws Exception {
        String stream = fresh("metadata");
        append(stream, StreamState.any(), events(0, 10));
        StreamMetadata metadata = new StreamMetadata();
        metadata.setMaxCount(3L);
        metadata.setCustomProperties(new HashMap<>(Map.of("mine", "x")));
        client.setStreamMetadata(stream, metadata).get();
        StreamMetadata found = client.getStreamMetadata(stream).get();
        same(found.getMaxCount(), 3L);
        same(found.getCustomProperties().get("mine"), "x");
        same(read(stream), range(7, 10));
        StreamMetadata truncated = new StreamMetadata();
        truncated.setTruncateBefore(9L);
        client.setStreamMetadata(stream, AppendToStreamOptions.get().streamRevision(0), truncated).get();
        same(read(stream), List.of(9L));
    }

    static AppendStreamRequest request(String stream, StreamState state, EventData... events) {
        return new AppendStreamRequest(stream, Arrays.asList(events).iterator(), state);
    }

    static void severalStreamsAreAppendedToAsOne() throws Exception {
        String one = fresh("one");
        String two = fresh("two");
        MultiStreamAppendResponse written = client.multiStreamAppend(List.of(
                                request(one, StreamState.noStream(), events(0, 2)),
                                request(two, StreamState.any(), event(2)))
                        .iterator())
                .get();
        same(written.getResults().stream().map(AppendResponse::getStream).collect(Collectors.toList()), List.of(one, two));
        same(
                written.getResults().stream().map(AppendResponse::getStreamRevision).collect(Collectors.toList()),
                List.of(1L, 0L));
        same(read(one), range(0, 2));
        same(read(two), List.of(2L));
        WrongExpectedVersionException conflict = refused(
                WrongExpectedVersionException.class,
                () -> client.multiStreamAppend(List.of(
                                request(two, StreamState.any(), event(3)),
                                request(one, StreamState.streamRevision(0), event(4)))
                        .iterator()));
        same(conflict.getStreamName(), one);
        same(conflict.getActualState(), StreamState.streamRevision(1));
        client.tombstoneStream(one).get();
        StreamTombstonedException ended = refused(
                StreamTombstonedException.class,
                () -> client.multiStreamAppend(List.of(
                                request(two, StreamState.any(), event(3)), request(one, StreamState.any(), event(4)))
                        .iterator()));
        same(ended.getStreamName(), one);
        same(read(two), List.of(2L));
    }

    public static void main(String[] words) throws Exception {
        client = KurrentDBClient.create(KurrentDBConnectionString.parseOrThrow(words[0]));
        Map<String, Chapter> chapters = new LinkedHashMap<>();
        chapters.put("appends_with_every_expectation", Story::appendsWithEveryExpectation);
        chapters.put("conflicts_name_where_the_stream_stands", Story::conflictsNameWhereTheStreamStands);
        chapters.put("the_same_event_again_is_recorded_once", Story::theSameEventAgainIsRecordedOnce);
        chapters.put("what_is_read_is_what_was_appended", Story::whatIsReadIsWhatWasAppended);
        chapters.put("streams_are_read_both_ways_and_in_parts", Story::streamsAreReadBothWaysAndInParts);
        chapters.put("the_log_is_read_both_ways", Story::theLogIsReadBothWays);
        chapters.put("subscriptions_catch_up_and_go_on_live", Story::subscriptionsCatchUpAndGoOnLive);
        chapters.put("the_log_is_followed_with_filters", Story::theLogIsFollowedWithFilters);
        chapters.put("a_deleted_stream_can_begin_again", Story::aDeletedStreamCanBeginAgain);
        chapters.put("a_tombstone_is_the_end", Story::aTombstoneIsTheEnd);
        chapters.put("metadata_is_kept_and_obeyed", Story::metadataIsKeptAndObeyed);
        chapters.put("several_streams_are_appended_to_as_one", Story::severalStreamsAreAppendedToAsOne);
        for (Map.Entry<String, Chapter> chapter : chapters.entrySet()) {
            try {
                chapter.getValue().tell();
            } catch (Throwable failure) {
                System.out.println("FAILED " + chapter.getKey());
                failure.printStackTrace();
                System.exit(1);
            }
            System.out.println("ok " + chapter.getKey());
        }
        System.exit(0);
    }
}
