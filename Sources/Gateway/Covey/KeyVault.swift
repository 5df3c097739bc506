import ClusterLink
import GatewayCore
import Glibc
import Model
import Synchronization

/// The covey's keys on this gateway's disk: the key file, which a person gave and which the service may not write to, and in the data
/// folder what a change of the key has made of it.
///
/// | the key file | counts |
/// |---|---|
/// | there is no other | the key file |
/// | as it was when the other was written, or missing | the other |
/// | has a new key behind those of then | the other, and the new key behind it |
/// | begins with a new key, and has some of then | the new ones first, the other behind them |
/// | has none of then | the key file |
///
/// So whoever changes the key by hand, as described in `Documentation/Security.md`, need not know of the other.
final class KeyVault: Sendable {
    /// The name of the other, in the data folder.
    static let name = "cluster.key"

    private struct Contents: Equatable {
        var state: KeyState
        /// The ids of the key file's keys when this was written.
        var file: [UInt32]
    }

    private struct State {
        /// What counts; `nil` before the first look.
        var current: KeyState?
        /// What a change of the key left in the data folder.
        var kept: Contents?
        /// The ids of the key file's keys as they were seen last.
        var file: [UInt32] = []
    }

    private let keyFile: String
    private let directory: String
    private let path: String
    private let state = Mutex(State())

    init(keyFile: String, dataDirectory: String) {
        self.keyFile = keyFile
        directory = dataDirectory
        path = "\(dataDirectory)/\(Self.name)"
    }

    /// The keys as they count now; reads the disk at the first call alone. Blocks for a moment.
    func load() throws(KeyFileError) -> KeyState {
        if let current = state.withLock(\.current) { return current }
        return try renew().state
    }

    /// Reads the key file again.
    ///
    /// - Returns: What counts now, and whether that is something else than before.
    func renew() throws(KeyFileError) -> (state: KeyState, isNew: Bool) {
        let (before, known) = state.withLock { ($0.current, $0.kept) }
        let kept = if before == nil { try read() } else { known }
        let isNeeded = kept == nil || access(keyFile, F_OK) == 0
        let given = isNeeded ? try KeyFile.load(keyFile).keys.map(KeySecret.init) : nil
        let merged = Self.merge(given, kept)
        state.withLock { state in
            state.current = merged
            state.kept = kept
            state.file = given?.map(\.id) ?? kept?.file ?? []
        }
        return (merged, before.map { $0 != merged } ?? false)
    }

    /// The table above. One of the two is there.
    private static func merge(_ given: [KeySecret]?, _ kept: Contents?) -> KeyState {
        guard let kept else { return KeyState(keys: given ?? []) }
        guard let given, given.map(\.id) != kept.file else { return kept.state }
        let new = given.filter { !kept.file.contains($0.id) }
        let isOther = new.count == given.count
        let isFirst = given.first == new.first
        var keys: [KeySecret] = []
        for key in isOther ? given : isFirst ? new + kept.state.keys : kept.state.keys + new
        where !keys.contains(key) && keys.count < KeyState.mostKeys {
            keys.append(key)
        }
        let change = kept.state.rotation.flatMap { change in
            keys.contains { $0.id == change.target } ? change : nil
        }
        return KeyState(keys: keys, rotation: change)
    }

    /// Puts the keys on the disk: whatever happens, the file is the old one or the new one. Blocks.
    func write(_ keys: KeyState) throws(KeyFileError) {
        let file = state.withLock(\.file)
        let contents = Contents(state: keys, file: file)
        let fresh = path + ".new"
        try Self.write(Self.text(contents), to: fresh)
        guard rename(fresh, path) == 0 else { throw KeyFileError(path, errno) }
        let folder = open(directory, O_RDONLY | O_CLOEXEC | O_DIRECTORY)
        guard folder >= 0 else { throw KeyFileError(path, errno) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw KeyFileError(path, errno) }
        state.withLock { ($0.current, $0.kept) = (keys, contents) }
    }

    private static func write(_ text: String, to path: String) throws(KeyFileError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw KeyFileError(path, errno) }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard fchmod(descriptor, 0o600) == 0, Glibc.write(descriptor, bytes, bytes.count) == bytes.count,
            fsync(descriptor) == 0
        else { throw KeyFileError(path, errno) }
    }
}

// MARK: The form

// A key file as any other, so that it may be given to a newcomer; what this gateway alone needs stands in remarks.
extension KeyVault {
    private static let mark = "#covey "
    /// A covey's worth of gateways that are waited for.
    private static let mostBytes = 128 << 10

    private static func text(_ contents: Contents) -> String {
        var lines = [
            "# The covey's keys as `covey key rotate` left them, in place of those of the key_file with these ids:"
        ]
        lines.append(mark + (["file"] + contents.file.map(hex)).joined(separator: " "))
        if let change = contents.state.rotation {
            let id = "\(change.id.number) \(change.id.node)"
            lines.append(mark + "change \(id) \(hex(change.target)) \(change.stage.rawValue)")
            lines += change.awaited.map { mark + "awaited \($0)" }
            lines += change.skipped.map { mark + "skipped \($0)" }
        }
        lines += contents.state.keys.map { key in key.bytes.map { hex($0) }.joined() }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func hex(_ number: some FixedWidthInteger) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: number.bitWidth / 4 - digits.count) + digits
    }

    /// `nil` where there is no such file.
    private func read() throws(KeyFileError) -> Contents? {
        guard access(path, F_OK) == 0 else { return nil }
        let text = try KeyFile.text(path, limit: Self.mostBytes)
        let keys = try KeyFile.parse(text, path).keys.map(KeySecret.init)
        var contents = Contents(state: KeyState(keys: keys), file: [])
        for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix(Self.mark) {
            let words = line.dropFirst(Self.mark.count).split(separator: " ").map(String.init)
            guard Self.read(words, into: &contents) else {
                throw KeyFileError("\(path) is damaged: put another gateway's in its place, and reload")
            }
        }
        return contents
    }

    private static func read(_ words: [String], into contents: inout Contents) -> Bool {
        switch words.first {
        case "file":
            contents.file = words.dropFirst().compactMap { UInt32($0, radix: 16) }
            return contents.file.count == words.count - 1
        case "change":
            guard words.count == 5, let number = UInt64(words[1]), let node = NodeID(hex: words[2]),
                let target = UInt32(words[3], radix: 16), let stage = UInt8(words[4]).flatMap(KeyStage.init)
            else { return false }
            let id = RotationID(number: number, node: node)
            contents.state.rotation = Rotation(id: id, target: target, stage: stage)
            return true
        case "awaited", "skipped":
            guard words.count == 2, let node = NodeID(hex: words[1]), contents.state.rotation != nil else {
                return false
            }
            if words[0] == "awaited" {
                contents.state.rotation?.awaited.append(node)
            } else {
                contents.state.rotation?.skipped.append(node)
            }
            return true
        // A later version's.
        default: return true
        }
    }
}

extension KeySecret {
    init(_ key: GroupKey) { self.init(id: key.id, bytes: key.bytes) }

    /// A new one, from the kernel's generator.
    static func random() -> KeySecret {
        var random = SystemRandomNumberGenerator()
        let bytes = (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &random) }
        return KeySecret(id: identify(bytes), bytes: bytes)
    }

    /// Bytes that are no key have no id that any key has: they are never taken for one.
    static func identify(_ bytes: [UInt8]) -> UInt32 { GroupKey(bytes: bytes)?.id ?? 0 }
}

extension KeyState {
    /// For the link.
    var ring: KeyRing? { KeyRing(keys.compactMap { GroupKey(bytes: $0.bytes) }) }
}
