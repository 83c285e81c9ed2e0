// What a program does that appends to several streams as one, with the client
// for Node that can. A chapter that goes otherwise than told ends the process
// with its reason. What a chapter has shown it tells by its row in
// `vocabulary.rs`.

const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");

const [, , name, url] = process.argv;
const lib = require(name);
const { ANY, NO_STREAM, STREAM_EXISTS } = lib;
const client = lib.KurrentDBClient.connectionString(url);

const shows = (row, what = {}) => console.log(JSON.stringify({ shows: row, ...what }));
const fresh = (stream) => `${stream}-${randomUUID()}`;
const event = (n, metadata) => lib.jsonEvent({ type: "Happened", data: { n }, metadata });
const read = async (streamName) => {
  const numbers = [];
  for await (const { event } of client.readStream(streamName)) numbers.push(event.data.n);
  return numbers;
};
const part = (streamName, expectedState, events) => ({ streamName, expectedState, events });
const record = (streamName, n) => ({ streamName, record: event(n) });
const check = (streamName, expectedState) => ({ type: lib.STREAM_STATE, streamName, expectedState });

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
const absent = (stream) => refused(lib.StreamNotFoundError, () => read(stream));

const chapters = {
  async a_session_is_recorded_whole() {
    const [one, two] = [fresh("one"), fresh("two")];
    const written = await client.multiStreamAppend([
      part(one, NO_STREAM, [event(0), event(1)]),
      part(two, ANY, [event(2)]),
    ]);
    assert.deepEqual(written.responses, [
      { streamName: one, revision: 1n },
      { streamName: two, revision: 0n },
    ]);
    assert.ok(written.position > 0n);
    assert.deepEqual([await read(one), await read(two)], [[0, 1], [2]]);
    shows("session.written");
  },

  async a_session_is_refused_whole() {
    const [one, two] = [fresh("one"), fresh("two")];
    await client.multiStreamAppend([part(one, NO_STREAM, [event(0)])]);
    const conflict = await refused(lib.WrongExpectedVersionError, () =>
      client.multiStreamAppend([part(two, ANY, [event(1)]), part(one, NO_STREAM, [event(2)])]),
    );
    assert.deepEqual([conflict.streamName, conflict.expectedState, conflict.actualState], [one, NO_STREAM, 0n]);
    await absent(two);
    shows("session.conflict");
    await client.tombstoneStream(one);
    const ended = await refused(lib.StreamTombstonedError, () =>
      client.multiStreamAppend([part(two, ANY, [event(1)]), part(one, ANY, [event(2)])]),
    );
    assert.equal(ended.stream, one);
    await absent(two);
    shows("session.tombstoned");
  },

  async properties_are_metadata() {
    const one = fresh("one");
    await client.multiStreamAppend([part(one, ANY, [event(0, { zone: "eu" })])]);
    for await (const { event } of client.readStream(one)) {
      assert.deepEqual(event.metadata, { zone: "eu", "$schema.name": "Happened", "$schema.format": "Json" });
    }
  },

  async records_and_checks() {
    const [one, two, seen] = [fresh("one"), fresh("two"), fresh("seen")];
    await client.multiStreamAppend([part(seen, NO_STREAM, [event(0)])]);
    const written = await client.appendRecords(
      [record(one, 0), record(two, 1), record(one, 2)],
      [check(seen, 0n), check(one, NO_STREAM)],
    );
    assert.deepEqual(written.responses, [
      { streamName: one, revision: 1n },
      { streamName: two, revision: 0n },
    ]);
    assert.deepEqual([await read(one), await read(two)], [[0, 2], [1]]);
    shows("records.written");
    const refusal = await refused(lib.AppendConsistencyViolationError, () =>
      client.appendRecords([record(one, 9)], [check(seen, 0n), check(two, 5n), check(fresh("none"), STREAM_EXISTS)]),
    );
    assert.deepEqual(
      refusal.violations.map(({ checkIndex, expectedState, actualState }) => [checkIndex, expectedState, actualState]),
      [
        [1, 5n, 0n],
        [2, STREAM_EXISTS, NO_STREAM],
      ],
    );
    assert.deepEqual(await read(one), [0, 2]);
    shows("records.checks");
  },

  async what_is_too_large_is_told_its_limit() {
    const [one, two] = [fresh("one"), fresh("two")];
    const sized = (megabytes) => lib.binaryEvent({ type: "Large", data: Buffer.alloc(megabytes << 20) });
    const large = await refused(lib.AppendRecordSizeExceededError, () =>
      client.multiStreamAppend([part(one, ANY, [sized(16)])]),
    );
    assert.equal(large.maxSize, 16 << 20);
    const larger = await refused(lib.TransactionMaxSizeExceededError, () =>
      client.multiStreamAppend([part(one, ANY, [sized(12)]), part(two, ANY, [sized(12), sized(12)])]),
    );
    assert.equal(larger.maxSize, 32 << 20);
    await absent(one);
    await absent(two);
    shows("session.large", { differs: "32 MiB in all, where KurrentDB takes 256 MiB" });
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
