package import KeyValue

/// What every ``KeyValueStore`` does, as cases that each take an empty store: run on the twin in memory and on the real one alike.
package struct KeyValueContract: Sendable, CustomStringConvertible {
    /// The sentence that the case proves.
    package let description: String
    /// Throws ``Broken`` where the store breaks the contract.
    package let check: @Sendable (any KeyValueStore) async throws -> Void

    package struct Broken: Error, CustomStringConvertible {
        package let description: String
    }

    private init(_ description: String, _ check: @escaping @Sendable (any KeyValueStore) async throws -> Void) {
        self.description = description
        self.check = check
    }

    private static let space = KeySpace("contract")

    package static let cases: [KeyValueContract] = [
        KeyValueContract("what was put is got, byte for byte, and the last put wins") { store in
            try expect(try await store.get("a", in: space), nil)
            try await store.put(Array(0...255), for: "a", in: space)
            try expect(try await store.get("a", in: space), Array(0...255))
            try await store.put([], for: "a", in: space)
            try expect(try await store.get("a", in: space), [])
        },
        KeyValueContract("a deleted key has no value, and deleting nothing is no fault") { store in
            try await store.put([1], for: "a", in: space)
            try await store.delete("a", in: space)
            try await store.delete("a", in: space)
            try expect(try await store.get("a", in: space), nil)
            try expect(try await store.scan(space), [])
        },
        KeyValueContract("spaces keep their keys apart") { store in
            try await store.put([1], for: "a", in: space)
            try await store.put([2], for: "a", in: .identity)
            try await store.delete("a", in: .identity)
            try expect(try await store.get("a", in: space), [1])
            try expect(try await store.scan(.identity), [])
        },
        KeyValueContract("a scan goes by the bytes of the keys, begins with the prefix, and pages on") { store in
            let keys = ["b", "a/2", "a/10", "a/1", "a", "ä", "aa", "A", "a/\u{10FFFF}", "a0"]
            try await store.apply(keys.map { .put(space, key: $0, value: Array($0.utf8)) })
            try expect(
                try await store.scan(space).map(\.key),
                ["A", "a", "a/1", "a/10", "a/2", "a/\u{10FFFF}", "a0", "aa", "b", "ä"])
            try expect(try await store.scan(space, prefix: "a/").map(\.key), ["a/1", "a/10", "a/2", "a/\u{10FFFF}"])
            try expect(try await store.scan(space, prefix: "a/", after: "a/10", limit: 1).map(\.key), ["a/2"])
            try expect(
                try await store.scan(space, prefix: "a/", after: "a/11", limit: 9).map(\.key), ["a/2", "a/\u{10FFFF}"])
            try expect(try await store.scan(space, prefix: "a/", after: "A", limit: 1).map(\.key), ["a/1"])
            try expect(try await store.scan(space, prefix: "a/", after: "b", limit: 9), [])
            try expect(try await store.scan(space, prefix: "zz"), [])
        },
        KeyValueContract("two spellings of one letter are two keys") { store in
            try await store.apply([
                .put(space, key: "\u{E9}", value: [1]), .put(space, key: "e\u{301}", value: [2]),
            ])
            try expect(try await store.get("\u{E9}", in: space), [1])
            try expect(try await store.get("e\u{301}", in: space), [2])
            try expect(try await store.scan(space).map(\.value), [[2], [1]])
        },
        KeyValueContract("a batch is done in its order") { store in
            try await store.apply([
                .put(space, key: "a", value: [1]), .delete(space, key: "a"), .put(space, key: "b", value: [2]),
                .put(space, key: "b", value: [3]),
            ])
            try expect(try await store.scan(space), [KeyValueEntry(key: "b", value: [3])])
        },
        KeyValueContract("a batch with one bad write does nothing at all") { store in
            let bad = [
                String(repeating: "k", count: KeyValueLimits.keyBytes + 1), "", "nul\0",
            ]
            for key in bad {
                try await expectError(.limit) {
                    try await store.apply([.put(space, key: "good", value: [1]), .put(space, key: key, value: [1])])
                }
                try await expectError(.limit) { _ = try await store.get(key, in: space) }
            }
            let large = [UInt8](repeating: 0, count: KeyValueLimits.valueBytes + 1)
            try await expectError(.limit) {
                try await store.apply([.put(space, key: "good", value: [1]), .put(space, key: "a", value: large)])
            }
            try expect(try await store.scan(space), [])
        },
        KeyValueContract("the largest key and value fit") { store in
            let key = String(repeating: "k", count: KeyValueLimits.keyBytes)
            let value = [UInt8](repeating: 7, count: KeyValueLimits.valueBytes)
            try await store.put(value, for: key, in: space)
            try expect(try await store.get(key, in: space) == value, true)
        },
        KeyValueContract("a page holds at least one entry and has a limit") { store in
            try await expectError(.limit) { _ = try await store.scan(space, limit: 0) }
            try await expectError(.limit) { _ = try await store.scan(space, limit: KeyValueLimits.pageEntries + 1) }
        },
        KeyValueContract("text comes back as text, and other bytes as none") { store in
            try await store.put(text: "grün", for: "a", in: space)
            try expect(try await store.text(for: "a", in: space), "grün")
            try await store.put([0xFF], for: "a", in: space)
            try expect(try await store.text(for: "a", in: space), nil)
            try expect(try await store.text(for: "b", in: space), nil)
        },
        KeyValueContract("many callers at once each find their own value") { store in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<UInt8(32) {
                    group.addTask {
                        try await store.put([number], for: "key-\(number)", in: space)
                        try expect(try await store.get("key-\(number)", in: space), [number])
                    }
                }
                try await group.waitForAll()
            }
            try expect(try await store.scan(space).count, 32)
        },
        KeyValueContract("a closed store says so, and closing twice is no fault") { store in
            await store.close()
            await store.close()
            try await expectError(.closed) { _ = try await store.get("a", in: space) }
            try await expectError(.closed) { _ = try await store.scan(space) }
            try await expectError(.closed) { try await store.put([1], for: "a", in: space) }
        },
    ]

    private static func expect<T: Equatable>(_ found: T, _ expected: T) throws(Broken) {
        if found != expected { throw Broken(description: "found \(found), expected \(expected)") }
    }

    private static func expectError(_ code: KeyValueError.Code, _ body: () async throws -> Void) async throws(Broken) {
        do {
            try await body()
        } catch let error as KeyValueError where error.code == code {
            return
        } catch {
            throw Broken(description: "threw \(error), expected \(code)")
        }
        throw Broken(description: "threw nothing, expected \(code)")
    }
}
