import CSQLiteTrace
import Synchronization

/// What SQLite did to its files, in order, and what the store had promised by then.
final class StoreTrace: Sendable {
    typealias Contents = [String: [UInt8]]

    enum Step: Sendable {
        case write(file: String, position: Int, bytes: [UInt8])
        case truncate(file: String, size: Int)
        case delete(file: String, isDurable: Bool)
        case sync(file: String)
        /// The store has `before` for sure, and all of `after` from the moment that it answers.
        case attempt(before: Contents, after: Contents)
    }

    private let folder: String
    private let recorded = Mutex<[Step]>([])

    /// Takes down what befalls the files in `folder`, until ``end()``.
    init(folder: String) throws {
        self.folder = folder
        let status = covey_trace_sqlite(
            { context, deed, path, position, bytes, count in
                guard let context, let path else { return }
                let trace = Unmanaged<StoreTrace>.fromOpaque(context).takeUnretainedValue()
                let data = bytes.map { Array(UnsafeRawBufferPointer(start: $0, count: Int(count))) } ?? []
                trace.note(Int(deed), String(cString: path), Int(position), data)
            }, Unmanaged.passUnretained(self).toOpaque())
        guard status == 0 else { throw Folder.Failed(what: "the layer over SQLite's files: \(status)") }
    }

    func end() { covey_leave_sqlite() }

    var steps: [Step] { recorded.withLock { $0 } }

    func note(_ step: Step) { recorded.withLock { $0.append(step) } }

    private func note(_ deed: Int, _ path: String, _ position: Int, _ bytes: [UInt8]) {
        guard path.hasPrefix(folder + "/") else { return }
        let file = String(path.dropFirst(folder.count + 1))
        switch deed {
        case Int(COVEY_WRITE.rawValue): note(.write(file: file, position: position, bytes: bytes))
        case Int(COVEY_SYNC.rawValue): note(.sync(file: file))
        case Int(COVEY_TRUNCATE.rawValue): note(.truncate(file: file, size: position))
        default: note(.delete(file: file, isDurable: position == 1))
        }
    }
}

/// The files of a trace, carried on step by step, out of which the images of power cuts are made.
struct StoreReplay {
    /// A part of what is not yet durable that arrives or not.
    enum Piece {
        /// Bytes within one sector of 512.
        case bytes(file: String, position: Int, bytes: ArraySlice<UInt8>)
        case size(file: String, size: Int)
        case gone(file: String)

        var file: String {
            switch self {
            case .bytes(let file, _, _), .size(let file, _), .gone(let file): file
            }
        }
    }

    private(set) var durable: [String: [UInt8]] = [:]
    private(set) var pending: [Piece] = []
    /// Where the last write begins among `pending`.
    private(set) var lastWrite = 0
    private static let sector = 512

    mutating func perform(_ step: StoreTrace.Step) {
        switch step {
        case .write(let file, let position, let bytes):
            lastWrite = pending.count
            var (start, rest) = (position, bytes[...])
            while !rest.isEmpty {
                let part = rest.prefix(Self.sector - start % Self.sector)
                pending.append(.bytes(file: file, position: start, bytes: part))
                rest = rest.dropFirst(part.count)
                start += part.count
            }
        case .truncate(let file, let size): pending.append(.size(file: file, size: size))
        case .delete(let file, let isDurable):
            if isDurable {
                durable[file] = nil
                pending.removeAll { $0.file == file }
            } else {
                pending.append(.gone(file: file))
            }
            lastWrite = pending.count
        case .sync(let file):
            if isNewJournal(file) { settleDeletions() }
            for piece in pending where piece.file == file { Self.apply(piece, to: &durable) }
            pending.removeAll { $0.file == file }
            lastWrite = pending.count
        case .attempt: break
        }
    }

    /// SQLite syncs the folder with the first sync of a journal that it has made.
    private func isNewJournal(_ file: String) -> Bool {
        guard file.hasSuffix("-wal") || file.hasSuffix("-journal") else { return false }
        return durable[file] == nil || pending.contains { if case .gone(file) = $0 { true } else { false } }
    }

    /// Files that were deleted are gone for good, with what had been written to them before.
    private mutating func settleDeletions() {
        while let last = pending.lastIndex(where: { if case .gone = $0 { true } else { false } }) {
            let file = pending[last].file
            durable[file] = nil
            let kept = pending[..<last].filter { $0.file != file }
            pending = kept + pending[(last + 1)...]
        }
    }

    /// The files after a power cut now: of what is pending those pieces that `isKept` names by their number.
    func image(keeping isKept: (Int) -> Bool) -> [String: [UInt8]] {
        var files = durable
        for (index, piece) in pending.enumerated() where isKept(index) { Self.apply(piece, to: &files) }
        return files
    }

    private static func apply(_ piece: Piece, to files: inout [String: [UInt8]]) {
        switch piece {
        case .bytes(let file, let position, let bytes):
            let missing = position + bytes.count - (files[file]?.count ?? 0)
            if missing > 0 { files[file, default: []].append(contentsOf: repeatElement(0, count: missing)) }
            files[file]?.replaceSubrange(position..<position + bytes.count, with: bytes)
        case .size(let file, let size):
            guard let count = files[file]?.count else { return }
            if count > size { files[file]?.removeLast(count - size) }
        case .gone(let file): files[file] = nil
        }
    }
}
