// What a program written with a client for Node does, chapter by chapter.
//
// The same story for both packages, `@kurrent/kurrentdb-client` and
// `@eventstore/db-client`, which name a few things differently. A chapter that
// goes otherwise than told ends the process with its reason. What a chapter has
// shown it tells by its row in `vocabulary.rs`.

const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");

const [, , name, url] = process.argv;
const lib = require(name);
const { ANY, NO_STREAM, STREAM_EXISTS, START, END, FORWARDS, BACKWARDS } = lib;
const client = (lib.KurrentDBClient ?? lib.EventStoreDBClient).connectionString(url);

// From here on it is known how these rows go: well, or as `differs` or `absent` say.
const shows = (rows, what = {}) => {
  for (const row of rows) console.log(JSON.stringify({ shows: row, ...what }));
};
// Only the newer client has an event for it.
const CAUGHT_UP = lib.KurrentDBClient !== undefined;
const NO_SUCH_CALL = { absent: "the client has no such call" };

const fresh = (stream) => `${stream}-${randomUUID()}`;
const event = (n, type = "Happened") => lib.jsonEvent({ type, data: { n } });
const events = (from, to) => Array.from({ length: to - from }, (_, n) => event(from + n));
// One package calls the option by one name, one by the other.
const append = (stream, events, state = ANY) =>
  client.appendToStream(stream, events, { streamState: state, expectedRevision: state });

const all = async (read) => {
  const found = [];
  for await (const resolved of read) found.push(resolved);
  return found;
};
const numbers = (found) => found.map(({ event }) => event.data.n);
const read = async (stream, options) => numbers(await all(client.readStream(stream, options)));

const take = async (subscription, count) => {
  const found = [];
  for await (const resolved of subscription) {
    found.push(resolved);
    if (found.length === count) break;
  }
  return found;
};

const refused = async (kind, call) => {
  let refusal;
  try {
    await call();
  } catch (error) {
    refusal = error;
  }
  assert.ok(refusal instanceof kind, `${kind.name} was expected, not ${refusal?.stack}`);
  return refusal;
};

const settings = lib.persistentSubscriptionToStreamSettingsFromDefaults;
const join = (stream, group) => client.subscribeToPersistentSubscriptionToStream(stream, group);
const info = (stream, group) => client.getPersistentSubscriptionToStreamInfo(stream, group);
const failure = (consumer) => new Promise((resolve) => consumer.once("error", resolve).resume());

const until = async (question) => {
  for (const end = Date.now() + 10_000; !(await question()); ) {
    assert.ok(Date.now() < end, "it never became so");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

const chapters = {
  async appends_with_every_expectation() {
    const stream = fresh("expect");
    let n = 0n;
    for (const state of [NO_STREAM, 0n, STREAM_EXISTS, ANY]) {
      const written = await append(stream, event(Number(n)), state);
      assert.ok(written.success && written.position.commit > 0n);
      assert.equal(written.nextExpectedRevision, n);
      n += 1n;
    }
    assert.deepEqual(await read(stream), [0, 1, 2, 3]);
    // The client appends by this call where the server says that it has it.
    shows(["append.expected", "batch.append"]);
  },

  async conflicts_name_where_the_stream_stands() {
    const stream = fresh("conflict");
    await append(stream, events(0, 2));
    for (const state of [0n, 7n, NO_STREAM]) {
      const refusal = await refused(lib.WrongExpectedVersionError, () => append(stream, event(9), state));
      assert.equal(refusal.actualState ?? refusal.actualVersion, 1n);
      assert.equal(refusal.expectedState ?? refusal.expectedVersion, state);
      assert.equal(refusal.streamName, stream);
    }
    await refused(lib.WrongExpectedVersionError, () => append(fresh("none"), event(9), STREAM_EXISTS));
    assert.deepEqual(await read(stream), [0, 1]);
    shows(["append.conflict"]);
  },

  async the_same_event_again_is_recorded_once() {
    const stream = fresh("again");
    const same = events(0, 2);
    const first = await append(stream, same, NO_STREAM);
    for (const state of [NO_STREAM, ANY]) {
      assert.deepEqual((await append(stream, same, state)).position, first.position);
    }
    assert.deepEqual(await read(stream), [0, 1]);
    shows(["append.again"]);
    const [twice, pair] = [event(2), fresh("twice")];
    for (const state of [NO_STREAM, NO_STREAM]) {
      assert.equal((await append(pair, [twice, twice], state)).nextExpectedRevision, 1n);
      assert.deepEqual(await read(pair), [2, 2]);
    }
    shows(["append.twice"], { differs: "the second is recorded under an id that follows from the first" });
  },

  async what_is_read_is_what_was_appended() {
    const stream = fresh("whole");
    const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);
    const sent = [
      lib.jsonEvent({ type: "Json", data: { a: [1, "x"] }, metadata: { m: true } }),
      lib.binaryEvent({ type: "Bytes", data: bytes, metadata: bytes }),
    ];
    await append(stream, sent);
    const [json, binary] = (await all(client.readStream(stream))).map(({ event }) => event);
    assert.deepEqual([json.id, json.type, json.isJson], [sent[0].id, "Json", true]);
    assert.deepEqual([json.data, json.metadata], [{ a: [1, "x"] }, { m: true }]);
    assert.deepEqual([binary.isJson, Uint8Array.from(binary.data)], [false, bytes]);
    assert.ok(json.created instanceof Date && json.created.getFullYear() >= 2024);
    shows(["append.intact"]);
  },

  async streams_are_read_both_ways_and_in_parts() {
    const stream = fresh("both");
    await append(stream, events(0, 1000));
    shows(["append.several"]);
    const upward = Array.from({ length: 1000 }, (_, n) => n);
    assert.deepEqual(await read(stream, { direction: FORWARDS, fromRevision: START }), upward);
    assert.deepEqual(await read(stream, { direction: BACKWARDS, fromRevision: END }), upward.reverse());
    assert.deepEqual(await read(stream, { fromRevision: 5n, maxCount: 2 }), [5, 6]);
    assert.deepEqual(await read(stream, { direction: BACKWARDS, fromRevision: 5n, maxCount: 2 }), [5, 4]);
    shows(["read.forwards", "read.backwards", "read.part"]);
    await refused(lib.StreamNotFoundError, () => read(fresh("none")));
    shows(["read.missing"]);
  },

  async the_log_is_read_both_ways_and_filtered() {
    const [one, two, other] = [fresh("one"), fresh("two"), fresh("Other")];
    const { position } = await append(one, event(0));
    await append(two, event(1, other));
    const mine = (found) => numbers(found.filter(({ event }) => [one, two].includes(event.streamId)));
    assert.deepEqual(mine(await all(client.readAll({ direction: FORWARDS, fromPosition: START }))), [0, 1]);
    shows(["read.all.forwards"]);
    const after = await all(client.readAll({ fromPosition: position }));
    assert.deepEqual(numbers(after), [0, 1]);
    shows(["read.all.position"]);
    const before = await all(client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 2 }));
    assert.deepEqual(numbers(before), [1, 0]);
    shows(["read.all.backwards"]);
    const types = await all(client.readAll({ filter: lib.eventTypeFilter({ prefixes: [other] }) }));
    const streams = await all(client.readAll({ filter: lib.streamNameFilter({ regex: `^${one}$` }) }));
    if (types.length === 1) {
      assert.deepEqual([numbers(types), numbers(streams)], [[1], [0]]);
      shows(["read.all.types", "read.all.streams"]);
    } else {
      assert.equal(lib.KurrentDBClient, undefined, "the newer client has filters");
      shows(["read.all.types", "read.all.streams"], { absent: "the client has no filter for reads" });
    }
  },

  async subscriptions_catch_up_and_go_on_live() {
    const stream = fresh("follow");
    await append(stream, events(0, 600));
    const subscription = client.subscribeToStream(stream, { fromRevision: START });
    const taking = take(subscription, 602);
    await append(stream, events(600, 602));
    assert.deepEqual(numbers(await taking), Array.from({ length: 602 }, (_, n) => n));
    shows(["follow.past", "follow.live"]);
    assert.deepEqual(numbers(await take(client.subscribeToStream(stream, { fromRevision: 600n }), 1)), [601]);
    shows(["follow.revision"]);
    const late = client.subscribeToStream(stream, { fromRevision: END });
    const [first] = [take(late, 1), await new Promise((resolve) => late.once("confirmation", resolve))];
    await append(stream, event(602));
    assert.deepEqual(numbers(await first), [602]);
    shows(["follow.end"]);
    if (!CAUGHT_UP) return shows(["follow.caught_up"], { absent: "the client passes it over" });
    const follower = client.subscribeToStream(stream, { fromRevision: START });
    const caughtUp = new Promise((resolve) => follower.once("caughtUp", resolve));
    follower.resume();
    await caughtUp;
    await follower.unsubscribe();
    shows(["follow.caught_up"]);
  },

  async the_log_is_followed_with_filters() {
    const stream = fresh("filtered");
    const { position } = await append(stream, event(0));
    await append(stream, [event(1, "Passed"), event(2)]);
    const filter = lib.eventTypeFilter({ prefixes: ["Happ"] });
    const subscription = client.subscribeToAll({ fromPosition: position, filter });
    const taking = take(subscription, 2);
    await append(stream, [event(3, "Passed"), event(4)]);
    assert.deepEqual(numbers(await taking), [2, 4]);
    shows(["follow.all.filter"]);
    const own = { fromPosition: position, filter: lib.streamNameFilter({ regex: `^${stream}$` }) };
    assert.deepEqual(numbers(await take(client.subscribeToAll(own), 4)), [1, 2, 3, 4]);
    const users = { fromPosition: position, filter: lib.excludeSystemEvents() };
    assert.deepEqual(numbers(await take(client.subscribeToAll(users), 4)), [1, 2, 3, 4]);
    const checkpoints = [];
    const checkpointReached = (_, at) => checkpoints.push(at);
    const none = lib.eventTypeFilter({ prefixes: ["Never"], maxSearchWindow: 1, checkpointInterval: 1, checkpointReached });
    const looking = client.subscribeToAll({ fromPosition: position, filter: none });
    looking.resume();
    await until(() => checkpoints.length >= 4);
    assert.ok(checkpoints[0].commit > position.commit);
    await looking.unsubscribe();
    shows(["follow.all.checkpoints"]);
  },

  async the_log_is_followed() {
    const stream = fresh("all");
    const { position } = await append(stream, event(0));
    await append(stream, event(1));
    const taking = take(client.subscribeToAll({ fromPosition: position }), 2);
    await append(stream, event(2));
    assert.deepEqual(numbers(await taking), [1, 2]);
    shows(["follow.all.position", "follow.all.live"]);
    const late = client.subscribeToAll({ fromPosition: END });
    const [first] = [take(late, 1), await new Promise((resolve) => late.once("confirmation", resolve))];
    await append(stream, event(3));
    assert.deepEqual(numbers(await first), [3]);
    shows(["follow.all.end"]);
    const { length } = await all(client.readAll());
    const past = await take(client.subscribeToAll({ fromPosition: START }), length);
    assert.deepEqual(numbers(past.filter(({ event }) => event.streamId === stream)), [0, 1, 2, 3]);
    shows(["follow.all.past"]);
  },

  async a_deleted_stream_can_begin_again() {
    const stream = fresh("delete");
    await append(stream, events(0, 2));
    await refused(lib.WrongExpectedVersionError, () => client.deleteStream(stream, { expectedRevision: 0n }));
    shows(["delete.conflict"]);
    assert.ok((await client.deleteStream(stream, { expectedRevision: 1n })).position.commit > 0n);
    await refused(lib.StreamNotFoundError, () => read(stream));
    shows(["delete.stream", "read.deleted"]);
    assert.equal((await append(stream, event(2), NO_STREAM)).nextExpectedRevision, 2n);
    assert.deepEqual(await read(stream), [2]);
    shows(["delete.again"]);
  },

  async a_tombstone_is_the_end() {
    const stream = fresh("tombstone");
    await append(stream, event(0));
    await refused(lib.WrongExpectedVersionError, () => client.tombstoneStream(stream, { expectedRevision: 5n }));
    shows(["tombstone.conflict"]);
    await client.tombstoneStream(stream, { expectedRevision: 0n });
    for (const call of [
      () => read(stream),
      () => append(stream, event(1)),
      () => client.deleteStream(stream),
      () => client.tombstoneStream(stream),
    ]) {
      assert.equal((await refused(lib.StreamDeletedError, call)).streamName, stream);
    }
    shows(["tombstone.stream", "read.tombstoned", "append.tombstoned", "tombstone.again"]);
  },

  async groups_share_events_and_ack_them() {
    const [stream, group] = [fresh("group"), fresh("g")];
    await append(stream, events(0, 100));
    await client.createPersistentSubscriptionToStream(stream, group, settings({ startFrom: START }));
    const consumers = [join(stream, group), join(stream, group)];
    const found = [];
    for (const consumer of consumers) {
      consumer.on("data", (resolved) => {
        found.push(resolved);
        consumer.ack(resolved);
      });
    }
    await until(() => found.length === 100);
    await append(stream, event(100));
    await until(() => found.length === 101);
    shows(["group.past", "group.live"]);
    assert.deepEqual(numbers(found).sort((a, b) => a - b), Array.from({ length: 101 }, (_, n) => n));
    await until(async () => (await info(stream, group)).stats.outstandingMessagesCount === 0);
    assert.equal((await info(stream, group)).connections.length, 2);
    for (const consumer of consumers) await consumer.unsubscribe();
    const late = fresh("g");
    await client.createPersistentSubscriptionToStream(stream, late, settings({ startFrom: 99n }));
    assert.deepEqual(numbers(await take(join(stream, late), 2)), [99, 100]);
    shows(["group.revision"]);
  },

  async consumers_share_a_group() {
    const [stream, group] = [fresh("share"), fresh("g")];
    await client.createPersistentSubscriptionToStream(stream, group, settings());
    const shares = [[], []];
    const consumers = shares.map((share) => {
      const consumer = join(stream, group);
      consumer.on("data", (resolved) => {
        share.push(resolved);
        consumer.ack(resolved);
      });
      return consumer;
    });
    await until(async () => (await info(stream, group)).connections.length === 2);
    await append(stream, events(0, 10));
    await until(() => shares[0].length + shares[1].length === 10);
    assert.deepEqual(shares.map((share) => share.length), [5, 5]);
    assert.equal(new Set(numbers(shares.flat())).size, 10);
    shows(["group.share"]);
    for (const consumer of consumers) await consumer.unsubscribe();
  },

  async groups_resolve_links() {
    const [box, group] = [`box${randomUUID().replaceAll("-", "")}`, fresh("g")];
    await append(`${box}-1`, events(0, 2));
    const from = settings({ startFrom: START, resolveLinkTos: true });
    await client.createPersistentSubscriptionToStream(`$ce-${box}`, group, from);
    const consumer = join(`$ce-${box}`, group);
    const found = [];
    consumer.on("data", (resolved) => {
      found.push(resolved);
      consumer.ack(resolved);
    });
    await until(() => found.length === 2);
    assert.deepEqual(found.map(({ link, event }) => [link.streamId, event.data.n]), [0, 1].map((n) => [`$ce-${box}`, n]));
    await until(async () => (await info(`$ce-${box}`, group)).stats.outstandingMessagesCount === 0);
    await consumer.unsubscribe();
    shows(["group.links"]);
  },

  async a_consumer_that_stops_is_dropped() {
    const [stream, group] = [fresh("stop"), fresh("g")];
    await append(stream, event(0));
    await client.createPersistentSubscriptionToStream(stream, group, settings({ startFrom: START }));
    const consumer = join(stream, group);
    const dropped = new Promise((resolve) => consumer.once("error", resolve));
    consumer.on("data", (resolved) => consumer.nack(lib.STOP, "enough", resolved));
    assert.ok((await dropped) instanceof lib.PersistentSubscriptionDroppedError, await dropped);
    assert.deepEqual(numbers(await take(join(stream, group), 1)), [0]);
    shows(["group.stop"], { differs: "the consumer is dropped and the event goes to another; KurrentDB skips it" });
  },

  async a_group_goes_on_after_a_restart_of_them_all() {
    const [stream, group] = [fresh("restart"), fresh("g")];
    await append(stream, event(0));
    await client.createPersistentSubscriptionToStream(stream, group, settings({ startFrom: START }));
    const dropped = failure(join(stream, group));
    await until(async () => (await info(stream, group)).connections.length === 1);
    await client.restartPersistentSubscriptionSubsystem();
    assert.ok((await dropped) instanceof lib.PersistentSubscriptionDroppedError, await dropped);
    assert.deepEqual(numbers(await take(join(stream, group), 1)), [0]);
    shows(["group.restart"]);
  },

  async what_a_group_cannot_handle_is_parked_and_replayed() {
    const [stream, group] = [fresh("park"), fresh("g")];
    await append(stream, events(0, 4));
    const once = settings({ startFrom: START, maxRetryCount: 1 });
    await client.createPersistentSubscriptionToStream(stream, group, once);
    const consumer = join(stream, group);
    const [seen, again] = [[], []];
    consumer.on("data", (resolved) => {
      const { n } = resolved.event.data;
      seen.push(n);
      if (seen.length > 5) {
        again.push(n);
        consumer.ack(resolved);
      } else if (n === 3) consumer.ack(resolved);
      else consumer.nack([lib.RETRY, lib.PARK, lib.SKIP][n], "as told", resolved);
    });
    await until(() => seen.length === 5);
    assert.deepEqual([...seen].sort(), [0, 0, 1, 2, 3]);
    const parked = async () => Number((await info(stream, group)).stats.parkedMessageCount);
    await until(async () => (await parked()) === 2);
    shows(["group.retry", "group.skip", "group.park"]);
    await client.replayParkedMessagesToStream(stream, group);
    await until(() => again.length === 2);
    assert.deepEqual(again.sort(), [0, 1]);
    await until(async () => (await parked()) === 0);
    await consumer.unsubscribe();
    shows(["group.replay"]);
  },

  async groups_of_the_log_have_filters() {
    const [type, group, stream] = [fresh("Kind"), fresh("g"), fresh("log")];
    const { position } = await append(stream, event(0, type));
    await append(stream, [event(1), event(2, type)]);
    const from = lib.persistentSubscriptionToAllSettingsFromDefaults({ startFrom: position });
    const filter = lib.eventTypeFilter({ prefixes: [type] });
    await client.createPersistentSubscriptionToAll(group, from, { filter });
    const consumer = client.subscribeToPersistentSubscriptionToAll(group);
    const found = [];
    consumer.on("data", (resolved) => {
      found.push(resolved);
      consumer.ack(resolved);
    });
    await until(() => found.length === 2);
    assert.deepEqual(numbers(found), [0, 2]);
    shows(["group.all"]);
    await consumer.unsubscribe();
    await client.deletePersistentSubscriptionToAll(group);
  },

  async groups_are_made_listed_changed_and_ended() {
    const [stream, group] = [fresh("manage"), fresh("g")];
    const create = (changes) =>
      client.createPersistentSubscriptionToStream(stream, group, settings(changes));
    await refused(lib.PersistentSubscriptionDoesNotExistError, () => info(stream, group));
    const nobody = await failure(join(stream, group));
    assert.ok(nobody instanceof lib.PersistentSubscriptionDoesNotExistError, nobody);
    shows(["group.missing"]);
    await create({ maxSubscriberCount: 1, consumerStrategyName: lib.PINNED });
    const twice = await refused(lib.PersistentSubscriptionExistsError, () => create({}));
    assert.deepEqual([twice.streamName, twice.groupName], [stream, group]);
    shows(["group.create"]);
    const settled = (await info(stream, group)).settings;
    assert.deepEqual([settled.startFrom, settled.maxSubscriberCount], [END, 1]);
    assert.equal(settled.consumerStrategyName, lib.PINNED);
    shows(["group.info"]);
    const listed = await client.listPersistentSubscriptionsToStream(stream);
    assert.deepEqual(listed.map(({ groupName }) => groupName), [group]);
    const everywhere = await client.listAllPersistentSubscriptions();
    assert.ok(everywhere.some(({ groupName }) => groupName === group));
    shows(["group.list"]);
    const only = join(stream, group);
    await new Promise((resolve) => only.once("confirmation", resolve));
    const crowd = await failure(join(stream, group));
    assert.ok(crowd instanceof lib.PersistentSubscriptionMaximumSubscribersReachedError, crowd);
    shows(["group.full"]);
    const dropped = failure(only);
    await client.updatePersistentSubscriptionToStream(stream, group, settings({ maxRetryCount: 3 }));
    assert.ok((await dropped) instanceof lib.PersistentSubscriptionDroppedError, await dropped);
    assert.equal((await info(stream, group)).settings.maxRetryCount, 3);
    shows(["group.update"]);
    await client.deletePersistentSubscriptionToStream(stream, group);
    await refused(lib.PersistentSubscriptionDoesNotExistError, () => info(stream, group));
    shows(["group.delete"]);
  },

  async metadata_is_kept_and_obeyed() {
    const stream = fresh("metadata");
    assert.equal((await client.getStreamMetadata(stream)).metadata, undefined);
    shows(["metadata.none"]);
    await append(stream, events(0, 10));
    await client.setStreamMetadata(stream, { maxCount: 3, mine: "x" });
    const { metadata } = await client.getStreamMetadata(stream);
    assert.deepEqual([metadata.maxCount, metadata.mine], [3, "x"]);
    shows(["metadata.kept"]);
    assert.deepEqual(await read(stream), [7, 8, 9]);
    shows(["metadata.max_count"]);
    const at = (revision) => ({ expectedRevision: revision, streamState: revision });
    const truncate = (revision) => client.setStreamMetadata(stream, { truncateBefore: 9 }, at(revision));
    await refused(lib.WrongExpectedVersionError, () => truncate(5n));
    shows(["metadata.conflict"]);
    await truncate(0n);
    assert.deepEqual(await read(stream), [9]);
    shows(["metadata.truncate"]);
    await client.setStreamMetadata(stream, { maxAge: 3600 });
    assert.equal((await read(stream)).length, 10);
    await client.setStreamMetadata(stream, { maxAge: 1 });
    await until(async () => (await read(stream)).length === 0);
    shows(["metadata.max_age"]);
  },

  async system_streams_link_to_what_they_are_named_after() {
    const box = `box${randomUUID().replaceAll("-", "")}`;
    await append(`${box}-1`, [event(0, box), event(1)]);
    await append(`${box}-2`, event(2, box));
    for (const [name, expected] of [
      [`$ce-${box}`, [0, 1, 2]],
      [`$category-${box}`, [0, 2]],
      [`$et-${box}`, [0, 2]],
    ]) {
      const found = await all(client.readStream(name, { resolveLinkTos: true }));
      assert.deepEqual(numbers(found), expected);
      assert.deepEqual(found.map(({ link }) => [link.streamId, link.revision]), expected.map((_, n) => [name, BigInt(n)]));
      const back = { resolveLinkTos: true, direction: BACKWARDS, fromRevision: END };
      assert.deepEqual(await read(name, back), [...expected].reverse());
    }
    await refused(lib.StreamNotFoundError, () => read("$ce-nothing"));
    shows(["read.system"]);
    await refused(lib.AccessDeniedError, () => append(`$ce-${box}`, event(0)));
    shows(["append.system"]);
    const following = client.subscribeToStream(`$ce-${box}`, { fromRevision: 0n, resolveLinkTos: true });
    setTimeout(() => append(`${box}-3`, event(3)), 50);
    assert.deepEqual(numbers(await take(following, 3)), [1, 2, 3]);
    shows(["follow.links"]);
  },

  async links_are_resolved_where_asked() {
    const [stream, links] = [fresh("target"), fresh("links")];
    await append(stream, events(0, 2));
    const link = (to) => lib.binaryEvent({ type: "$>", data: Buffer.from(to) });
    await append(links, [link(`1@${stream}`), link(`0@${stream}`)]);
    const [plain] = await all(client.readStream(links));
    assert.deepEqual([plain.event.type, plain.link], ["$>", undefined]);
    const found = await all(client.readStream(links, { resolveLinkTos: true }));
    assert.deepEqual(found.map(({ event, link }) => [event.data.n, link.revision]), [[1, 0n], [0, 1n]]);
    shows(["read.links"]);
  },

  async a_cluster_is_found_by_gossip() {
    const discovering = url.replace("://", "+discover://");
    const found = (lib.KurrentDBClient ?? lib.EventStoreDBClient).connectionString(discovering);
    const stream = fresh("found");
    await found.appendToStream(stream, event(7));
    assert.deepEqual(await read(stream), [7]);
    shows(["gossip.read"]);
  },

  async only_the_newer_client_appends_to_several_streams() {
    if (client.multiStreamAppend) return; // `sessions.cjs` does
    const sessions = ["written", "conflict", "tombstoned", "large"].map((row) => `session.${row}`);
    shows([...sessions, "records.written", "records.checks"], NO_SUCH_CALL);
  },
};

(async () => {
  for (const [chapter, tell] of Object.entries(chapters)) {
    try {
      await tell();
    } catch (error) {
      console.log("FAILED", chapter);
      console.error(error);
      process.exit(1);
    }
    console.log("ok", chapter);
  }
  process.exit(0);
})();
