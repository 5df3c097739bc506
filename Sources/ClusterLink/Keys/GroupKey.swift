import Crypto
import Model

/// The secret that the gateways of one covey share: 32 bytes. Whoever has it is one of them.
package struct GroupKey: Hashable, Sendable {
    package static let byteCount = 32

    private let secret: [UInt8]
    /// Names the key in the open, so that a receiver knows which of its keys to try: a hash, which tells nothing of it.
    package let id: UInt32

    /// ``id`` in 8 hexadecimal digits.
    package var name: String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// `nil` for anything but 64 hexadecimal digits.
    package init?(hex: some StringProtocol) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.byteCount)
        var high: UInt8?
        for character in hex.utf8 {
            guard let digit = Character(Unicode.Scalar(character)).hexDigitValue.map(UInt8.init) else { return nil }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        guard high == nil else { return nil }
        self.init(bytes: bytes)
    }

    /// `nil` for anything but ``byteCount`` bytes.
    package init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        secret = bytes
        let digest = SHA256.hash(data: Array("covey key id 1".utf8) + bytes)
        id = digest.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The secret itself, to be kept, or to be sent where only members read.
    package var bytes: [UInt8] { secret }

    /// 32 bytes that only holders of the key can know, another for each purpose and context.
    func derived(for purpose: String, context: [UInt8] = []) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: secret), salt: Array(purpose.utf8), info: context,
            outputByteCount: Self.byteCount)
    }
}

/// The keys that a gateway knows: it speaks with the first and understands all of them, which is how a key is changed without a gap.
package struct KeyRing: Hashable, Sendable {
    /// Keys that may be known at a time: two while one is changed, and some that were forgotten.
    package static let mostKeys = 8

    package let keys: [GroupKey]

    package var primary: GroupKey { keys[0] }

    /// `nil` for no key or more than ``mostKeys``.
    package init?(_ keys: [GroupKey]) {
        guard (1...Self.mostKeys).contains(keys.count) else { return nil }
        self.keys = keys
    }

    func key(_ id: UInt32) -> GroupKey? { keys.first { $0.id == id } }
}

extension KeyRing {
    /// The key of a covey on one machine's loop, where no stranger listens: everybody knows it.
    package static let loopback: KeyRing = {
        guard let key = GroupKey(hex: String(repeating: "0", count: 2 * GroupKey.byteCount)), let ring = KeyRing([key])
        else {
            preconditionFailure("64 zeros are a key")
        }
        return ring
    }()
}
