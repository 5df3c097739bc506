/// A named part of the store, so that keys of different uses never meet.
package struct KeySpace: Hashable, Sendable {
    /// 1 to 64 bytes.
    package let name: String

    package init(_ name: String) {
        precondition((1...64).contains(name.utf8.count), "key space '\(name)'")
        self.name = name
    }

    /// Who this gateway is: node id, incarnation.
    package static let identity = KeySpace("identity")
    /// Devices that appeared by themselves.
    package static let devices = KeySpace("devices")
    /// The last value of each series.
    package static let latest = KeySpace("latest")
}

/// A key with what it stands for.
package struct KeyValueEntry: Hashable, Sendable {
    package let key: String
    package let value: [UInt8]

    package init(key: String, value: [UInt8]) {
        self.key = key
        self.value = value
    }
}

/// One change of a batch.
package enum KeyValueWrite: Hashable, Sendable {
    /// Sets the value, whether or not there was one.
    case put(KeySpace, key: String, value: [UInt8])
    /// No fault where there is none.
    case delete(KeySpace, key: String)
}

/// Small things that must be found again after a restart: rarely written, never per reading. Keys are told apart and ordered by their
/// UTF-8 bytes. Every method throws `closed` behind ``close()``, and `limit` beyond ``KeyValueLimits``.
package protocol KeyValueStore: Sendable {
    /// `nil` where the key has no value.
    func get(_ key: String, in space: KeySpace) async throws(KeyValueError) -> [UInt8]?

    /// The first `limit` entries whose key begins with `prefix` and comes behind `after`, in the order of the keys' bytes. For the next
    /// page, pass the last key as `after`.
    func scan(
        _ space: KeySpace, prefix: String, after: String?, limit: Int
    ) async throws(KeyValueError) -> [KeyValueEntry]

    /// Does all writes in their order, or none. Durable when it returns. Costs one sync however many they are.
    func apply(_ writes: [KeyValueWrite]) async throws(KeyValueError)

    /// Ends the store. May be called twice.
    func close() async
}

/// What a store holds at most, each with its reason.
package enum KeyValueLimits {
    /// A device name with a metric fits well; an index is no place for documents.
    package static let keyBytes = 512
    /// Beyond this a value belongs in a file.
    package static let valueBytes = 1 << 20
    /// Writes of one batch: all series of a gateway fit, and the journal of one transaction stays bounded.
    package static let batchWrites = 65_536
    /// Entries of one page.
    package static let pageEntries = 65_536

    /// Throws `limit` where a key is empty, too long or holds a NUL.
    package static func check(key: String) throws(KeyValueError) {
        guard (1...keyBytes).contains(key.utf8.count), !key.utf8.contains(0) else {
            let rule = "1 to \(keyBytes) bytes without NUL"
            throw KeyValueError(.limit, "a key of \(key.utf8.count) bytes is not \(rule)")
        }
    }

    /// Throws `limit` where the batch or one of its writes is too large.
    package static func check(_ writes: [KeyValueWrite]) throws(KeyValueError) {
        guard writes.count <= batchWrites else {
            throw KeyValueError(.limit, "a batch of \(writes.count) writes; the limit is \(batchWrites)")
        }
        for write in writes {
            switch write {
            case .delete(_, let key): try check(key: key)
            case .put(_, let key, let value):
                try check(key: key)
                guard value.count <= valueBytes else {
                    throw KeyValueError(.limit, "a value of \(value.count) bytes; the limit is \(valueBytes)")
                }
            }
        }
    }
}

/// What a store can answer instead of doing its work.
package struct KeyValueError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What a caller can do something about.
    package enum Code: String, Hashable, Sendable {
        case closed
        /// A key, value, batch or page beyond ``KeyValueLimits``: the caller's fault.
        case limit
        /// No space left.
        case full
        case readOnly
        /// What was stored cannot be read. The file was set aside, and the store goes on empty.
        case damaged
        /// Any other failure of the machine; the work may be tried again.
        case failed
    }

    package let code: Code
    /// What was tried, and where.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "\(message) (\(code.rawValue))" }
}

extension KeyValueStore {
    /// A batch of one.
    package func put(_ value: [UInt8], for key: String, in space: KeySpace) async throws(KeyValueError) {
        try await apply([.put(space, key: key, value: value)])
    }

    /// A batch of one.
    package func delete(_ key: String, in space: KeySpace) async throws(KeyValueError) {
        try await apply([.delete(space, key: key)])
    }

    /// The value as text; bytes that are not UTF-8 are `nil` too, as nobody wrote them through ``put(text:for:in:)``.
    package func text(for key: String, in space: KeySpace) async throws(KeyValueError) -> String? {
        try await get(key, in: space).flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// A batch of one, as UTF-8.
    package func put(text: String, for key: String, in space: KeySpace) async throws(KeyValueError) {
        try await put(Array(text.utf8), for: key, in: space)
    }

    /// One page from the beginning.
    package func scan(
        _ space: KeySpace, prefix: String = "", limit: Int = KeyValueLimits.pageEntries
    ) async throws(KeyValueError) -> [KeyValueEntry] {
        try await scan(space, prefix: prefix, after: nil, limit: limit)
    }
}
