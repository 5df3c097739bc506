import Crypto
import FoundationEssentials
package import Model
import Synchronization

/// Seals datagrams to peers and opens theirs.
///
/// | byte | meaning |
/// |---|---|
/// | 0 | 0xC1: version 1 |
/// | 1–4 | id of the group key, little-endian, as all numbers |
/// | 5–20 | node id of the sender |
/// | 21–28 | start id of the sender |
/// | 29–36 | number of the datagram, from 0, never twice in one life |
/// | 37– | ChaCha20-Poly1305: ciphertext and 16 bytes of tag; the bytes before are authenticated with it |
///
/// The key is HKDF-SHA256 of group key, node id and start id, so that a number may come again in another life; the nonce is the number.
/// A key holder can speak in any name: they are trusted.
package final class DatagramCipher: Sendable {
    static let version: UInt8 = 0xC1
    static let headerBytes = 37
    package static let overhead = headerBytes + 16
    /// Lives of senders that are remembered; beyond, the one that was silent for longest is forgotten. An old datagram of a forgotten life
    /// may then be opened once more, which changes nothing: the machines above take every message twice.
    static let mostSenders = 1024

    /// Who a datagram says it is from. Its key is bound to that.
    struct Sender: Hashable {
        let node: NodeID
        let start: StartID

        var context: [UInt8] {
            var bytes: [UInt8] = []
            for part in [node.high, node.low, start.rawValue] { bytes.append(fixed: part) }
            return bytes
        }
    }

    /// Why a datagram was passed over.
    package enum Fault: String, Error, CaseIterable, Sendable {
        case notOurs = "not a datagram of a covey"
        case unknownKey = "sealed with a key that is not known here"
        case forged = "not what its sender sealed"
        case replayed = "seen before, or too old"
        case echo = "from this gateway itself"
    }

    private struct Known {
        let key: SymmetricKey
        var window = ReplayWindow()
        var lastHeard: UInt64 = 0
    }

    private struct State {
        var ring: KeyRing
        /// To seal with, by the id of the group key.
        var keys: [UInt32: SymmetricKey]
        var number: UInt64 = 0
        var heard: UInt64 = 0
        var known: [UInt32: [Sender: Known]] = [:]
    }

    private let own: Sender
    private let state: Mutex<State>

    package init(_ ring: KeyRing, node: NodeID, start: StartID) {
        own = Sender(node: node, start: start)
        state = Mutex(State(ring: ring, keys: Self.keys(ring, own)))
    }

    /// Other keys from now on. Numbers go on, and what is known of senders under keys that stay.
    package func install(_ ring: KeyRing) {
        state.withLock { state in
            state.ring = ring
            state.keys = Self.keys(ring, own)
            state.known = state.known.filter { ring.key($0.key) != nil }
        }
    }

    var keys: KeyRing { state.withLock { $0.ring } }

    private static func key(_ group: GroupKey, _ sender: Sender) -> SymmetricKey {
        group.derived(for: "covey datagram 1", context: sender.context)
    }

    private static func keys(_ ring: KeyRing, _ sender: Sender) -> [UInt32: SymmetricKey] {
        Dictionary(ring.keys.map { ($0.id, key($0, sender)) }, uniquingKeysWith: { first, _ in first })
    }

    /// - Parameter wanted: The id of the key to seal with; where it is none of those that are known, and by default, the first is taken.
    package func seal(_ payload: [UInt8], with wanted: UInt32? = nil) -> [UInt8] {
        let (key, keyID, number) = state.withLock { state in
            defer { state.number += 1 }
            if let wanted, let key = state.keys[wanted] { return (key, wanted, state.number) }
            let first = state.ring.primary
            return (state.keys[first.id] ?? Self.key(first, own), first.id, state.number)
        }
        var bytes: [UInt8] = [Self.version]
        bytes.reserveCapacity(payload.count + Self.overhead)
        bytes.append(fixed: keyID)
        bytes.append(contentsOf: own.context)
        bytes.append(fixed: number)
        guard let nonce = try? ChaChaPoly.Nonce(data: Self.nonce(number)),
            let box = try? ChaChaPoly.seal(payload, using: key, nonce: nonce, authenticating: bytes)
        else { preconditionFailure("a nonce of 12 bytes was refused") }
        bytes.append(contentsOf: box.ciphertext)
        bytes.append(contentsOf: box.tag)
        return bytes
    }

    private static func nonce(_ number: UInt64) -> [UInt8] {
        var bytes: [UInt8] = [0, 0, 0, 0]
        bytes.append(fixed: number)
        return bytes
    }

    /// What a peer sealed. Total: arbitrary bytes give a fault.
    ///
    /// - Parameter sealedWith: Is told the id of the key, of what is genuine.
    package func open(_ bytes: [UInt8], sealedWith: (UInt32) -> Void = { _ in }) throws(Fault) -> [UInt8] {
        guard bytes.count >= Self.overhead, bytes[0] == Self.version else { throw .notOurs }
        var reader = ByteReader(bytes, 1..<Self.headerBytes)
        guard let keyID = try? reader.fixed(UInt32.self), let high = try? reader.fixed(UInt64.self),
            let low = try? reader.fixed(UInt64.self), let start = try? reader.fixed(UInt64.self),
            let number = try? reader.fixed(UInt64.self)
        else { throw .notOurs }
        let sender = Sender(node: NodeID(high: high, low: low), start: StartID(start))
        guard sender != own else { throw .echo }
        let (group, known) = state.withLock { ($0.ring.key(keyID), $0.known[keyID]?[sender]) }
        guard let group else { throw .unknownKey }
        // Before the work of opening it.
        guard known?.window.admits(number) ?? (number < .max) else { throw .replayed }
        let key = known?.key ?? Self.key(group, sender)
        let end = bytes.count - 16
        guard let nonce = try? ChaChaPoly.Nonce(data: Self.nonce(number)),
            let box = try? ChaChaPoly.SealedBox(
                nonce: nonce, ciphertext: bytes[Self.headerBytes..<end], tag: bytes[end...]),
            let payload = try? ChaChaPoly.open(box, using: key, authenticating: bytes[..<Self.headerBytes])
        else { throw .forged }
        guard note(number, of: sender, keyID, key) else { throw .replayed }
        sealedWith(keyID)
        return Array(payload)
    }

    /// Only senders whose datagram was genuine are remembered, so that a stranger fills no table.
    private func note(_ number: UInt64, of sender: Sender, _ keyID: UInt32, _ key: SymmetricKey) -> Bool {
        state.withLock { state in
            state.heard += 1
            var known = state.known[keyID]?[sender] ?? Known(key: key)
            guard known.window.admits(number) else { return false }
            known.window.note(number)
            known.lastHeard = state.heard
            state.known[keyID, default: [:]][sender] = known
            if state.known[keyID]?.count ?? 0 > Self.mostSenders {
                let oldest = state.known[keyID]?.min { $0.value.lastHeard < $1.value.lastHeard }?.key
                if let oldest { state.known[keyID]?[oldest] = nil }
            }
            return true
        }
    }
}
