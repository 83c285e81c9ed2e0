// What a program written with the client for Java does, chapter by chapter.
//
// Run as one source file. A chapter that goes otherwise than told ends the
// process with its reason. What a chapter has shown it tells by its row in
// `vocabulary.rs`.

import io.kurrent.dbclient.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;

public class Story {
    static KurrentDBClient client;
    static KurrentDBPersistentSubscriptionsClient groups;
    static String url;

    interface Chapter {
        void tell() throws Exception;
    }

    interface Call {
        CompletableFuture<?> make() throws Exception;
    }

    /// From here on it is known that these rows go well.
    static void shows(String... rows) {
        for (String row : rows) {
            System.out.println("{\"shows\":\"" + row + "\"}");
        }
    }

    /// That they go otherwise: `differs` and how, or `absent` and why.
    static void otherwise(String word, String what, String... rows) {
        for (String row : rows) {
            System.out.println("{\"shows\":\"" + row + "\",\"" + word + "\":\"" + what + "\"}");
        }
    }

    static boolean has(Class<?> type, String method) {
        return Arrays.stream(type.getMethods()).anyMatch(found -> found.getName().equals(method));
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

    /// For what the client has no class of its own.
    static void refused(io.grpc.Status.Code code, Call call) throws Exception {
        same(refused(io.grpc.StatusRuntimeException.class, call).getStatus().getCode(), code);
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

    /// What a consumer of a group is given, in a queue, handled by whoever takes it.
    static class Consumer extends PersistentSubscriptionListener {
        final BlockingQueue<Object> queue = new LinkedBlockingQueue<>();
        PersistentSubscription subscription;

        static Consumer of(String stream, String group) throws Exception {
            Consumer consumer = new Consumer();
            consumer.subscription = groups.subscribeToStream(stream, group, consumer).get();
            return consumer;
        }

        @Override
        public void onEvent(PersistentSubscription subscription, int retries, ResolvedEvent event) {
            queue.add(new Delivery(event, retries));
        }

        @Override
        public void onCancelled(PersistentSubscription subscription, Throwable reason) {
            queue.add(reason == null ? "cancelled" : reason);
        }

        Object told() throws Exception {
            Object told = queue.poll(20, TimeUnit.SECONDS);
            holds(told != null, "nothing was told for 20 seconds");
            return told;
        }

        Delivery next() throws Exception {
            Object told = told();
            holds(told instanceof Delivery, told);
            return (Delivery) told;
        }

        List<Long> ack(int count) throws Exception {
            List<Long> numbers = new ArrayList<>();
            while (numbers.size() < count) {
                Delivery delivery = next();
                subscription.ack(delivery.event);
                numbers.add(number(delivery.event));
            }
            return numbers;
        }
    }

    static class Delivery {
        final ResolvedEvent event;
        final int retries;

        Delivery(ResolvedEvent event, int retries) {
            this.event = event;
            this.retries = retries;
        }
    }

    static CreatePersistentSubscriptionToStreamOptions fromStart() {
        return CreatePersistentSubscriptionToStreamOptions.get().fromStart();
    }

    static PersistentSubscriptionToStreamInfo info(String stream, String group) throws Exception {
        return groups.getInfoToStream(stream, group).get().orElseThrow();
    }

    interface Question {
        boolean isSo() throws Exception;
    }

    static void until(Question question) throws Exception {
        for (int tries = 0; !question.isSo(); tries++) {
            holds(tries < 200, "it never became so");
            Thread.sleep(50);
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
        shows("append.expected");
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
        shows("append.conflict");
    }

    static void theSameEventAgainIsRecordedOnce() throws Exception {
        String stream = fresh("again");
        EventData[] same = events(0, 2);
        WriteResult first = append(stream, StreamState.noStream(), same);
        same(append(stream, StreamState.noStream(), same).getLogPosition(), first.getLogPosition());
        same(append(stream, StreamState.any(), same).getLogPosition(), first.getLogPosition());
        same(read(stream), range(0, 2));
        shows("append.again");
        String pair = fresh("twice");
        EventData twice = event(3);
        for (int again = 0; again < 2; again++) {
            append(pair, StreamState.noStream(), twice, twice);
            same(read(pair), List.of(3L, 3L));
        }
        otherwise("differs", "the second is recorded under an id that follows from the first", "append.twice");
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
        shows("append.intact");
    }

    static void streamsAreReadBothWaysAndInParts() throws Exception {
        String stream = fresh("both");
        append(stream, StreamState.any(), events(0, 1000));
        shows("append.several");
        otherwise("absent", "the client appends by Append", "batch.append");
        List<Long> upward = range(0, 1000);
        same(read(stream), upward);
        Collections.reverse(upward);
        same(read(stream, ReadStreamOptions.get().backwards().fromEnd()), upward);
        same(read(stream, ReadStreamOptions.get().fromRevision(5).maxCount(2)), List.of(5L, 6L));
        same(read(stream, ReadStreamOptions.get().backwards().fromRevision(5).maxCount(2)), List.of(5L, 4L));
        ReadResult told = client.readStream(stream, ReadStreamOptions.get().fromStart().maxCount(1)).get();
        same(told.getLastStreamPosition(), 999L);
        shows("read.forwards", "read.backwards", "read.part");
        String none = fresh("none");
        StreamNotFoundException refusal = refused(
                StreamNotFoundException.class, () -> client.readStream(none, ReadStreamOptions.get()));
        same(refusal.getStreamName(), none);
        shows("read.missing");
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
        shows("read.all.forwards", "read.all.backwards", "read.all.position");
        holds(!has(ReadAllOptions.class, "filter"), "it has a filter now");
        otherwise("absent", "the client has no filter for reads", "read.all.types", "read.all.streams");
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
        shows("follow.past", "follow.caught_up", "follow.live");
        subscription.stop();
        Told after = new Told();
        client.subscribeToStream(stream, after, SubscribeToStreamOptions.get().fromRevision(600)).get();
        same(after.take(1), List.of(601L));
        shows("follow.revision");
        Told live = new Told();
        client.subscribeToStream(stream, live, SubscribeToStreamOptions.get().fromEnd()).get();
        same(live.next(), "caught up");
        append(stream, StreamState.any(), event(602));
        same(live.take(1), List.of(602L));
        shows("follow.end");
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
        shows("follow.all.filter");
        for (int n = 0; n < 20; n++) {
            append(stream, StreamState.any(), event(5, "Passed"));
        }
        Position checkpoint = checkpoints.poll(20, TimeUnit.SECONDS);
        holds(checkpoint != null && checkpoint.compareTo(start) > 0, checkpoint);
        shows("follow.all.checkpoints");
        SubscriptionFilter own = SubscriptionFilter.newBuilder()
                .withStreamNameRegularExpression("^" + stream + "$")
                .build();
        Told all = new Told();
        client.subscribeToAll(all, SubscribeToAllOptions.get().fromStart().filter(own)).get();
        same(all.take(6), List.of(0L, 1L, 2L, 3L, 4L, 5L));
    }

    static void theLogIsFollowed() throws Exception {
        String stream = fresh("all");
        Position first = append(stream, StreamState.any(), event(0)).getLogPosition();
        append(stream, StreamState.any(), event(1));
        Told told = new Told();
        client.subscribeToAll(told, SubscribeToAllOptions.get().fromPosition(first)).get();
        same(told.take(1), List.of(1L));
        append(stream, StreamState.any(), event(2));
        same(told.take(1), List.of(2L));
        shows("follow.all.position", "follow.all.live");
        Told late = new Told();
        client.subscribeToAll(late, SubscribeToAllOptions.get().fromEnd()).get();
        same(late.next(), "caught up");
        append(stream, StreamState.any(), event(3));
        same(late.take(1), List.of(3L));
        shows("follow.all.end");
        Told past = new Told();
        int count = client.readAll(ReadAllOptions.get().fromStart()).get().getEvents().size();
        client.subscribeToAll(past, SubscribeToAllOptions.get().fromStart()).get();
        List<Long> mine = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            ResolvedEvent event = past.event();
            if (event.getEvent().getStreamId().equals(stream)) {
                mine.add(number(event));
            }
        }
        same(mine, range(0, 4));
        shows("follow.all.past");
    }

    static EventData link(String to) {
        return EventData.builderAsBinary("$>", to.getBytes(StandardCharsets.UTF_8)).build();
    }

    static void linksAreResolvedWhereAsked() throws Exception {
        String stream = fresh("target");
        String links = fresh("links");
        append(stream, StreamState.any(), events(0, 2));
        append(links, StreamState.any(), link("1@" + stream), link("0@" + stream));
        ReadStreamOptions options = ReadStreamOptions.get().fromStart();
        same(
                client.readStream(links, options.notResolveLinkTos()).get().getEvents().stream()
                        .map(found -> found.getEvent().getEventType())
                        .collect(Collectors.toList()),
                List.of("$>", "$>"));
        List<ResolvedEvent> found = client.readStream(links, options.resolveLinkTos()).get().getEvents();
        same(numbers(found), List.of(1L, 0L));
        same(found.get(1).getLink().getRevision(), 1L);
        shows("read.links");
    }

    static void systemStreamsLinkToWhatTheyAreNamedAfter() throws Exception {
        String box = "box" + UUID.randomUUID().toString().replace("-", "");
        append(box + "-1", StreamState.any(), event(0, box), event(1));
        append(box + "-2", StreamState.any(), event(2, box));
        ReadStreamOptions options = ReadStreamOptions.get().fromStart().resolveLinkTos();
        same(read("$ce-" + box, options), range(0, 3));
        same(read("$category-" + box, options), List.of(0L, 2L));
        same(read("$et-" + box, options), List.of(0L, 2L));
        refused(StreamNotFoundException.class, () -> client.readStream("$ce-nothing", options));
        shows("read.system");
        refused(io.grpc.Status.Code.PERMISSION_DENIED, () -> client.appendToStream("$ce-" + box, event(9)));
        shows("append.system");
        Told told = new Told();
        SubscribeToStreamOptions after = SubscribeToStreamOptions.get().fromRevision(0).resolveLinkTos();
        client.subscribeToStream("$ce-" + box, told, after).get();
        same(told.take(2), range(1, 3));
        append(box + "-3", StreamState.any(), event(3));
        same(told.take(1), List.of(3L));
        shows("follow.links");
    }

    static void groupsShareEventsAndAckThem() throws Exception {
        String stream = fresh("group");
        String group = fresh("g");
        append(stream, StreamState.any(), events(0, 100));
        groups.createToStream(stream, group, fromStart()).get();
        Consumer consumer = Consumer.of(stream, group);
        same(consumer.ack(100), range(0, 100));
        shows("group.past");
        append(stream, StreamState.any(), event(100));
        same(consumer.ack(1), List.of(100L));
        until(() -> info(stream, group).getStats().getOutstandingMessagesCount() == 0);
        shows("group.live");
        consumer.subscription.stop();
        String within = fresh("g");
        groups.createToStream(stream, within, CreatePersistentSubscriptionToStreamOptions.get().startFrom(99)).get();
        same(Consumer.of(stream, within).ack(2), List.of(99L, 100L));
        shows("group.revision");
    }

    static void consumersShareAGroup() throws Exception {
        String stream = fresh("share");
        String group = fresh("g");
        groups.createToStream(
                        stream, group, fromStart().namedConsumerStrategy(NamedConsumerStrategy.ROUND_ROBIN))
                .get();
        Consumer one = Consumer.of(stream, group);
        Consumer other = Consumer.of(stream, group);
        append(stream, StreamState.any(), events(0, 10));
        List<Long> shared = new ArrayList<>(one.ack(5));
        shared.addAll(other.ack(5));
        Collections.sort(shared);
        same(shared, range(0, 10));
        shows("group.share");
    }

    static void whatAGroupCannotHandleIsParkedAndReplayed() throws Exception {
        String stream = fresh("park");
        String group = fresh("g");
        append(stream, StreamState.any(), events(0, 4));
        groups.createToStream(stream, group, fromStart().maxRetryCount(1)).get();
        Consumer consumer = Consumer.of(stream, group);
        List<String> seen = new ArrayList<>();
        for (int n = 0; n < 5; n++) {
            Delivery delivery = consumer.next();
            long number = number(delivery.event);
            seen.add(number + ":" + delivery.retries);
            if (number == 3) {
                consumer.subscription.ack(delivery.event);
            } else {
                NackAction[] actions = {NackAction.Retry, NackAction.Park, NackAction.Skip};
                consumer.subscription.nack(actions[(int) number], "as told", delivery.event);
            }
        }
        Collections.sort(seen);
        same(seen, List.of("0:0", "0:1", "1:0", "2:0", "3:0"));
        until(() -> info(stream, group).getStats().getParkedMessageCount() == 2);
        shows("group.retry", "group.skip", "group.park");
        groups.replayParkedMessagesToStream(stream, group).get();
        List<Long> again = consumer.ack(2);
        Collections.sort(again);
        same(again, range(0, 2));
        until(() -> info(stream, group).getStats().getParkedMessageCount() == 0);
        shows("group.replay");
    }

    static void groupsResolveLinks() throws Exception {
        String box = "box" + UUID.randomUUID().toString().replace("-", "");
        String group = fresh("g");
        append(box + "-1", StreamState.any(), events(0, 2));
        groups.createToStream("$ce-" + box, group, fromStart().resolveLinkTos()).get();
        Consumer consumer = Consumer.of("$ce-" + box, group);
        for (long n = 0; n < 2; n++) {
            ResolvedEvent event = consumer.next().event;
            same(number(event), n);
            same(event.getLink().getStreamId(), "$ce-" + box);
            consumer.subscription.ack(event);
        }
        until(() -> info("$ce-" + box, group).getStats().getOutstandingMessagesCount() == 0);
        shows("group.links");
    }

    static void groupsOfTheLogHaveFilters() throws Exception {
        String type = fresh("Kind");
        String stream = fresh("log");
        String group = fresh("g");
        Position at = append(stream, StreamState.any(), event(0, type)).getLogPosition();
        append(stream, StreamState.any(), event(1), event(2, type));
        SubscriptionFilter filter = SubscriptionFilter.newBuilder().addEventTypePrefix(type).build();
        groups.createToAll(group, CreatePersistentSubscriptionToAllOptions.get().startFrom(at).filter(filter)).get();
        Consumer consumer = new Consumer();
        consumer.subscription = groups.subscribeToAll(group, consumer).get();
        same(consumer.ack(2), List.of(0L, 2L));
        shows("group.all");
        groups.deleteToAll(group).get();
    }

    static void aConsumerThatStopsIsDropped() throws Exception {
        String stream = fresh("stop");
        String group = fresh("g");
        append(stream, StreamState.any(), event(0));
        groups.createToStream(stream, group, fromStart()).get();
        Consumer consumer = Consumer.of(stream, group);
        consumer.subscription.nack(NackAction.Stop, "enough", consumer.next().event);
        holds(!(consumer.told() instanceof Delivery), "it was given more");
        same(Consumer.of(stream, group).ack(1), List.of(0L));
        otherwise("differs", "the consumer is dropped and the event goes to another; KurrentDB skips it", "group.stop");
    }

    static void groupsAreMadeListedChangedAndEnded() throws Exception {
        String stream = fresh("manage");
        String group = fresh("g");
        same(groups.getInfoToStream(stream, group).get(), Optional.empty());
        refused(io.grpc.Status.Code.NOT_FOUND, () -> groups.deleteToStream(stream, group));
        refused(io.grpc.Status.Code.NOT_FOUND, () -> groups.subscribeToStream(stream, group, new Consumer()));
        shows("group.missing");
        groups.createToStream(
                        stream,
                        group,
                        fromStart().maxSubscriberCount(1).namedConsumerStrategy(NamedConsumerStrategy.PINNED))
                .get();
        refused(io.grpc.Status.Code.ALREADY_EXISTS, () -> groups.createToStream(stream, group, fromStart()));
        shows("group.create");
        PersistentSubscriptionToStreamInfo told = info(stream, group);
        same(told.getEventSource() + "/" + told.getGroupName(), stream + "/" + group);
        same(told.getSettings().getMaxSubscriberCount(), 1);
        holds(told.getSettings().getNamedConsumerStrategy().isPinned(), told.getSettings());
        shows("group.info");
        same(
                groups.listToStream(stream).get().stream()
                        .map(PersistentSubscriptionInfo::getGroupName)
                        .collect(Collectors.toList()),
                List.of(group));
        holds(
                groups.listAll().get().stream().anyMatch(any -> any.getGroupName().equals(group)),
                "it is among all of them");
        shows("group.list");
        Consumer only = Consumer.of(stream, group);
        refused(
                io.grpc.Status.Code.FAILED_PRECONDITION,
                () -> groups.subscribeToStream(stream, group, new Consumer()));
        shows("group.full");
        groups.updateToStream(stream, group, UpdatePersistentSubscriptionToStreamOptions.get().maxRetryCount(3)).get();
        holds(!(only.told() instanceof Delivery), "it was dropped");
        same(info(stream, group).getSettings().getMaxRetryCount(), 3);
        shows("group.update");
        append(stream, StreamState.any(), event(0));
        Consumer before = Consumer.of(stream, group);
        same(number(before.next().event), 0L);
        groups.restartSubsystem().get();
        holds(!(before.told() instanceof Delivery), "it was dropped");
        same(Consumer.of(stream, group).ack(1), List.of(0L));
        shows("group.restart");
        groups.deleteToStream(stream, group).get();
        same(groups.getInfoToStream(stream, group).get(), Optional.empty());
        shows("group.delete");
    }

    static void aClusterIsFoundByGossip() throws Exception {
        String stream = fresh("found");
        KurrentDBClient found =
                KurrentDBClient.create(KurrentDBConnectionString.parseOrThrow(url.replace("://", "+discover://")));
        found.appendToStream(stream, event(7)).get();
        same(read(stream), List.of(7L));
        found.shutdown().get();
        shows("gossip.read");
    }

    static void aDeletedStreamCanBeginAgain() throws Exception {
        String stream = fresh("delete");
        append(stream, StreamState.any(), events(0, 2));
        refused(
                WrongExpectedVersionException.class,
                () -> client.deleteStream(stream, DeleteStreamOptions.get().streamRevision(0)));
        shows("delete.conflict");
        holds(
                client.deleteStream(stream, DeleteStreamOptions.get().streamRevision(1))
                                .get()
                                .getPosition()
                                .getCommitUnsigned()
                        > 0,
                "position");
        refused(StreamNotFoundException.class, () -> client.readStream(stream, ReadStreamOptions.get()));
        shows("delete.stream", "read.deleted");
        same(
                append(stream, StreamState.noStream(), event(2)).getNextExpectedRevision(),
                StreamState.streamRevision(2));
        same(read(stream), List.of(2L));
        shows("delete.again");
    }

    static void aTombstoneIsTheEnd() throws Exception {
        String stream = fresh("tombstone");
        append(stream, StreamState.any(), event(0));
        refused(
                WrongExpectedVersionException.class,
                () -> client.tombstoneStream(stream, DeleteStreamOptions.get().streamRevision(5)));
        shows("tombstone.conflict");
        client.tombstoneStream(stream, DeleteStreamOptions.get().streamRevision(0)).get();
        List<Call> calls = List.of(
                () -> client.appendToStream(stream, event(1)),
                () -> client.deleteStream(stream),
                () -> client.tombstoneStream(stream));
        for (Call call : calls) {
            same(refused(StreamDeletedException.class, call).getStreamName(), stream);
        }
        shows("tombstone.stream", "append.tombstoned", "tombstone.again");
        // Of a read the client makes the wider kind.
        io.grpc.StatusRuntimeException read = refused(
                io.grpc.StatusRuntimeException.class,
                () -> client.readStream(stream, ReadStreamOptions.get()));
        holds(read.getMessage().contains("is deleted"), read);
        shows("read.tombstoned");
    }

    static void metadataIsKeptAndObeyed() throws Exception {
        String stream = fresh("metadata");
        append(stream, StreamState.any(), events(0, 10));
        same(client.getStreamMetadata(stream).get().getMaxCount(), null);
        shows("metadata.none");
        StreamMetadata metadata = new StreamMetadata();
        metadata.setMaxCount(3L);
        metadata.setCustomProperties(new HashMap<>(Map.of("mine", "x")));
        client.setStreamMetadata(stream, metadata).get();
        StreamMetadata found = client.getStreamMetadata(stream).get();
        same(found.getMaxCount(), 3L);
        same(found.getCustomProperties().get("mine"), "x");
        shows("metadata.kept");
        same(read(stream), range(7, 10));
        shows("metadata.max_count");
        StreamMetadata truncated = new StreamMetadata();
        truncated.setTruncateBefore(9L);
        refused(
                WrongExpectedVersionException.class,
                () -> client.setStreamMetadata(stream, AppendToStreamOptions.get().streamRevision(5), truncated));
        shows("metadata.conflict");
        client.setStreamMetadata(stream, AppendToStreamOptions.get().streamRevision(0), truncated).get();
        same(read(stream), List.of(9L));
        shows("metadata.truncate");
        StreamMetadata aged = new StreamMetadata();
        aged.setMaxAge(3600L);
        client.setStreamMetadata(stream, aged).get();
        same(read(stream), range(0, 10));
        aged.setMaxAge(1L);
        client.setStreamMetadata(stream, aged).get();
        until(() -> read(stream).isEmpty());
        shows("metadata.max_age");
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
        shows("session.written");
        WrongExpectedVersionException conflict = refused(
                WrongExpectedVersionException.class,
                () -> client.multiStreamAppend(List.of(
                                request(two, StreamState.any(), event(3)),
                                request(one, StreamState.streamRevision(0), event(4)))
                        .iterator()));
        same(conflict.getStreamName(), one);
        same(conflict.getActualState(), StreamState.streamRevision(1));
        same(read(two), List.of(2L));
        shows("session.conflict");
        client.tombstoneStream(one).get();
        StreamTombstonedException ended = refused(
                StreamTombstonedException.class,
                () -> client.multiStreamAppend(List.of(
                                request(two, StreamState.any(), event(3)), request(one, StreamState.any(), event(4)))
                        .iterator()));
        same(ended.getStreamName(), one);
        same(read(two), List.of(2L));
        shows("session.tombstoned");
        String large = fresh("large");
        EventData mebibytes = EventData.builderAsBinary("Large", new byte[12 << 20]).build();
        TransactionMaxSizeExceededException limit = refused(
                TransactionMaxSizeExceededException.class,
                () -> client.multiStreamAppend(List.of(
                                request(large, StreamState.any(), mebibytes, mebibytes),
                                request(two, StreamState.any(), mebibytes))
                        .iterator()));
        same(limit.getMaxSize(), 32 << 20);
        refused(StreamNotFoundException.class, () -> client.readStream(large, ReadStreamOptions.get()));
        otherwise("differs", "32 MiB in all, where KurrentDB takes 256 MiB", "session.large");
        holds(!has(KurrentDBClient.class, "appendRecords"), "it has such a call now");
        otherwise("absent", "the client has no such call", "records.written", "records.checks");
    }

    public static void main(String[] words) throws Exception {
        url = words[0];
        client = KurrentDBClient.create(KurrentDBConnectionString.parseOrThrow(url));
        groups = KurrentDBPersistentSubscriptionsClient.from(client);
        Map<String, Chapter> chapters = new LinkedHashMap<>();
        chapters.put("appends_with_every_expectation", Story::appendsWithEveryExpectation);
        chapters.put("conflicts_name_where_the_stream_stands", Story::conflictsNameWhereTheStreamStands);
        chapters.put("the_same_event_again_is_recorded_once", Story::theSameEventAgainIsRecordedOnce);
        chapters.put("what_is_read_is_what_was_appended", Story::whatIsReadIsWhatWasAppended);
        chapters.put("streams_are_read_both_ways_and_in_parts", Story::streamsAreReadBothWaysAndInParts);
        chapters.put("the_log_is_read_both_ways", Story::theLogIsReadBothWays);
        chapters.put("subscriptions_catch_up_and_go_on_live", Story::subscriptionsCatchUpAndGoOnLive);
        chapters.put("the_log_is_followed_with_filters", Story::theLogIsFollowedWithFilters);
        chapters.put("the_log_is_followed", Story::theLogIsFollowed);
        chapters.put("links_are_resolved_where_asked", Story::linksAreResolvedWhereAsked);
        chapters.put(
                "system_streams_link_to_what_they_are_named_after", Story::systemStreamsLinkToWhatTheyAreNamedAfter);
        chapters.put("a_deleted_stream_can_begin_again", Story::aDeletedStreamCanBeginAgain);
        chapters.put("a_tombstone_is_the_end", Story::aTombstoneIsTheEnd);
        chapters.put("metadata_is_kept_and_obeyed", Story::metadataIsKeptAndObeyed);
        chapters.put("groups_share_events_and_ack_them", Story::groupsShareEventsAndAckThem);
        chapters.put("consumers_share_a_group", Story::consumersShareAGroup);
        chapters.put(
                "what_a_group_cannot_handle_is_parked_and_replayed", Story::whatAGroupCannotHandleIsParkedAndReplayed);
        chapters.put("groups_resolve_links", Story::groupsResolveLinks);
        chapters.put("groups_of_the_log_have_filters", Story::groupsOfTheLogHaveFilters);
        chapters.put("a_consumer_that_stops_is_dropped", Story::aConsumerThatStopsIsDropped);
        chapters.put("groups_are_made_listed_changed_and_ended", Story::groupsAreMadeListedChangedAndEnded);
        chapters.put("a_cluster_is_found_by_gossip", Story::aClusterIsFoundByGossip);
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
