// What a program written with a client for Node does, chapter by chapter.
//
// The same story for both packages, `@kurrent/kurrentdb-client` and
// `@eventstore/db-client`, which name a few things differently. A chapter that
// goes otherwise than told ends the process with its reason.

const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");

const [, , name, url] = process.argv;
const lib = require(name);
const { ANY, NO_STREAM, STREAM_EXISTS, START, END, FORWARDS, BACKWARDS } = lib;
const client = (lib.KurrentDBClient ?? lib.EventStoreDBClient).connectionString(url);

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
  },

  async the_same_event_again_is_recorded_once() {
    const stream = fresh("again");
    const same = events(0, 2);
    const first = await append(stream, same, NO_STREAM);
    for (const state of [NO_STREAM, ANY]) {
      assert.deepEqual((await append(stream, same, state)).position, first.position);
    }
    assert.deepEqual(await read(stream), [0, 1]);
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
  },

  async streams_are_read_both_ways_and_in_parts() {
    const stream = fresh("both");
    await append(stream, events(0, 1000));
    const upward = Array.from({ length: 1000 }, (_, n) => n);
    assert.deepEqual(await read(stream, { direction: FORWARDS, fromRevision: START }), upward);
    assert.deepEqual(await read(stream, { direction: BACKWARDS, fromRevision: END }), upward.reverse());
    assert.deepEqual(await read(stream, { fromRevision: 5n, maxCount: 2 }), [5, 6]);
    assert.deepEqual(await read(stream, { direction: BACKWARDS, fromRevision: 5n, maxCount: 2 }), [5, 4]);
    await refused(lib.StreamNotFoundError, () => read(fresh("none")));
  },

  async the_log_is_read_both_ways_and_filtered() {
    const [one, two] = [fresh("one"), fresh("two")];
    const { position } = await append(one, event(0));
    await append(two, event(1, "Other"));
    const after = await all(client.readAll({ fromPosition: position }));
    assert.deepEqual(numbers(after), [0, 1]);
    const before = await all(client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 2 }));
    assert.deepEqual(numbers(before), [1, 0]);
  },

  async subscriptions_catch_up_and_go_on_live() {
    const stream = fresh("follow");
    await append(stream, events(0, 600));
    const subscription = client.subscribeToStream(stream, { fromRevision: START });
    const taking = take(subscription, 602);
    await append(stream, events(600, 602));
    assert.deepEqual(numbers(await taking), Array.from({ length: 602 }, (_, n) => n));
    assert.deepEqual(numbers(await take(client.subscribeToStream(stream, { fromRevision: 600n }), 1)), [601]);
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
    const own = { fromPosition: position, filter: lib.streamNameFilter({ regex: `^${stream}$` }) };
    assert.deepEqual(numbers(await take(client.subscribeToAll(own), 4)), [1, 2, 3, 4]);
    const users = { fromPosition: position, filter: lib.excludeSystemEvents() };
    assert.deepEqual(numbers(await take(client.subscribeToAll(users), 4)), [1, 2, 3, 4]);
  },

  async a_deleted_stream_can_begin_again() {
    const stream = fresh("delete");
    await append(stream, events(0, 2));
    await refused(lib.WrongExpectedVersionError, () => client.deleteStream(stream, { expectedRevision: 0n }));
    assert.ok((await client.deleteStream(stream, { expectedRevision: 1n })).position.commit > 0n);
    await refused(lib.StreamNotFoundError, () => read(stream));
    assert.equal((await append(stream, event(2), NO_STREAM)).nextExpectedRevision, 2n);
    assert.deepEqual(await read(stream), [2]);
  },

  async a_tombstone_is_the_end() {
    const stream = fresh("tombstone");
    await append(stream, event(0));
    await client.tombstoneStream(stream, { expectedRevision: 0n });
    for (const call of [
      () => read(stream),
      () => append(stream, event(1)),
      () => client.deleteStream(stream),
      () => client.tombstoneStream(stream),
    ]) {
      assert.equal((await refused(lib.StreamDeletedError, call)).streamName, stream);
    }
  },

  async metadata_is_kept_and_obeyed() {
    const stream = fresh("metadata");
    assert.equal((await client.getStreamMetadata(stream)).metadata, undefined);
    await append(stream, events(0, 10));
    await client.setStreamMetadata(stream, { maxCount: 3, mine: "x" });
    const { metadata } = await client.getStreamMetadata(stream);
    assert.deepEqual([metadata.maxCount, metadata.mine], [3, "x"]);
    assert.deepEqual(await read(stream), [7, 8, 9]);
    await client.setStreamMetadata(stream, { truncateBefore: 9 }, { expectedRevision: 0n });
    assert.deepEqual(await read(stream), [9]);
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
    await refused(lib.AccessDeniedError, () => append(`$ce-${box}`, event(0)));
    const following = client.subscribeToStream(`$ce-${box}`, { fromRevision: 0n, resolveLinkTos: true });
    setTimeout(() => append(`${box}-3`, event(3)), 50);
    assert.deepEqual(numbers(await take(following, 3)), [1, 2, 3]);
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
