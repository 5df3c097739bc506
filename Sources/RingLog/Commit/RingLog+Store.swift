package import LogFormat
package import Model

extension RingLog {
    /// Takes readings of a log in that this ring did not mint: a peer's, or this gateway's own from a ring that is gone. They are stored
    /// as they are, and durable when ``RingEvent/copied(_:_:)`` says so. Own readings go first; these take what room is left.
    ///
    /// What is held or waiting already is passed over: the first stays. What had been lost here is welcome, and is lost no more.
    /// Of a log that this ring minted nothing else is: what damage had taken of it comes back, and is durable when
    /// ``RingEvent/restored(_:_:devices:)`` says so. An anchor counts where its boot has none yet.
    ///
    /// - Returns: What is new of it. For the rest there comes no event.
    /// - Throws: ``RingError/readOnly``, ``RingError/notACopy(_:)``, ``RingError/entryTooLarge(bytes:)``, ``RingError/bufferFull`` or
    ///   ``RingError/copiesFull``; then nothing was taken.
    @discardableResult
    package mutating func store(
        _ name: LogName, first: Offset, readings: [Reading], anchors: [ClockAnchor]
    ) throws(RingError) -> [Range<Offset>] {
        guard !isReadOnly else { throw .readOnly }
        if case .copy(let node)? = indexes[name.log]?.origin, node != name.node { throw .notACopy(name.log) }
        let missing = try missing(name.log, first: first, count: readings.count)
        // A log that damage left without a name has got one, should there be nothing new of it.
        if indexes[name.log]?.origin == .unknown { records.dirty.append(.log(adopt(name))) }
        guard !missing.isEmpty else { return [] }
        var items: [WaitingCopies.Item] = []
        for range in missing {
            let start = Int(range.lowerBound - first.rawValue)
            try pieces(readings[start..<start + range.count], of: name.log, at: Offset(range.lowerBound), into: &items)
        }
        let bytes = items.reduce(0) { $0 + $1.bytes }
        // Own readings may have all of that memory; these come in only while half of it is free.
        guard waiting.bytes + copyQueue.bytes + bytes <= options.pendingBytes / 2 else { throw .bufferFull }
        guard hasRoomForCopies() else { throw .copiesFull }
        if indexes[name.log]?.origin != .own { _ = adopt(name) }
        for anchor in anchors where clocks.adopt(anchor) { records.dirty.append(.anchor(anchor)) }
        for item in items { copyQueue.append(item) }
        return missing.map { Offset($0.lowerBound)..<Offset($0.upperBound) }
    }

    /// Parts that are neither held nor on their way, and of a log that this ring minted were damaged.
    private func missing(_ log: LogID, first: Offset, count: Int) throws(RingError) -> [Range<UInt64>] {
        guard first.rawValue <= LogChunk.mostOffset, count <= Self.mostStored else { throw .entryTooLarge(bytes: .max) }
        let range = first.rawValue..<first.rawValue + UInt64(count)
        guard !range.isEmpty else { return [] }
        guard let index = indexes[log] else { return copyQueue.missing(log, in: range) }
        let absent = index.origin == .own ? index.damaged(in: range) : index.ranges.missing(in: range)
        return absent.flatMap { copyQueue.missing(log, in: $0) }
    }

    /// Readings that one call takes: those of the fullest chunk.
    private static let mostStored = 65_536

    /// Pieces that fit a block beside the record that names their log.
    private func pieces(
        _ readings: ArraySlice<Reading>, of log: LogID, at first: Offset, into items: inout [WaitingCopies.Item]
    ) throws(RingError) {
        if readings.count <= WaitingCopies.pieceReadings {
            let piece = Array(readings)
            let bytes = BlockBuilder.mostBytesAlone(piece, mark: nil)
            if bytes <= options.geometry.blockBytes - 1024 {
                items.append(WaitingCopies.Item(log: log, first: first, readings: piece, bytes: bytes))
                return
            }
            guard piece.count > 1, bytes < .max else { throw .entryTooLarge(bytes: bytes) }
        }
        let half = readings.count > WaitingCopies.pieceReadings ? WaitingCopies.pieceReadings : readings.count / 2
        var (rest, place) = (readings, first)
        while !rest.isEmpty {
            try pieces(rest.prefix(half), of: log, at: place, into: &items)
            place = place.advanced(by: min(half, rest.count))
            rest = rest.dropFirst(half)
        }
    }

    /// From now on the log is known with its node; every block with readings of it says so, and every new segment.
    private mutating func adopt(_ name: LogName) -> LogRecord {
        if indexes[name.log] == nil {
            indexes[name.log] = LogIndex()
            logOrder.append(name.log)
        }
        indexes[name.log]?.origin = .copy(name.node)
        return LogRecord(log: name.log, end: Offset(indexes[name.log]?.end ?? 0), isClosed: false, node: name.node)
    }

    /// Copies take what own readings leave of a block.
    mutating func takeCopies(_ builder: inout BlockBuilder, _ items: inout [WaitingCopies.Item]) {
        var named: [LogID] = []
        while let item = copyQueue.first, let index = indexes[item.log] {
            if !named.contains(item.log) {
                let record = LogRecord(
                    log: item.log, end: Offset(index.end), isClosed: false, node: index.origin.node)
                guard builder.add(.log(record)) else { return }
                named.append(item.log)
            }
            guard builder.add(item.readings, log: item.log, first: item.first) else { return }
            items.append(copyQueue.removeFirst())
        }
    }
}

/// A log of another ring as this one holds it.
package struct CopiedLog: Hashable, Sendable {
    package let log: LogID
    /// `nil` where damage took every record that named it: the readings are kept, and belong to nobody until a peer names them.
    package let node: NodeID?
    /// Held, durable: sorted, neither overlapping nor touching. Absence says nothing.
    package let ranges: [Range<Offset>]
    /// Readings in ``ranges``.
    package let stored: Int
    /// One past the last offset known here to have been used.
    package let end: Offset
    /// Everything below may go without being missed, as ``RingLog/setReleased(_:upTo:)`` said in this process.
    package let released: Offset
    /// What was held here and is no more; sorted.
    package let lost: [Gap]

    package var name: LogName? { node.map { LogName(node: $0, log: log) } }
}

extension RingLog {
    /// Every log known here that this ring did not mint, in the order in which they came.
    package var copies: [CopiedLog] { logOrder.compactMap { copiedLog($0) } }

    /// One of ``copies``; `nil` for a log that is not known or that this ring minted.
    package func copiedLog(_ log: LogID) -> CopiedLog? {
        guard let index = indexes[log], index.origin != .own else { return nil }
        return CopiedLog(
            log: log, node: index.origin.node, ranges: ranges(of: log), stored: index.ranges.count,
            end: Offset(index.end), released: Offset(index.released), lost: index.gaps)
    }

    /// Whether this ring minted the log.
    package func isOwn(_ log: LogID) -> Bool { indexes[log]?.origin == .own }

    /// Whether the log is one of ``copies``.
    package func isCopy(_ log: LogID) -> Bool { indexes[log].map { $0.origin != .own } ?? false }

    /// Whose log one of ``copies`` is; `nil` where damage left it without a name, and for any other log.
    package func owner(ofCopy log: LogID) -> NodeID? { indexes[log]?.origin.node }

    /// What is held of any log, durable: sorted, neither overlapping nor touching. Cheap: asked after every commit.
    package func ranges(of log: LogID) -> [Range<Offset>] {
        indexes[log]?.ranges.all.map { Offset($0.lowerBound)..<Offset($0.upperBound) } ?? []
    }

    /// Readings of ``copies`` that are taken in and not yet durable.
    package var waitingCopiedReadings: Int {
        copyQueue.readings + (inFlight?.copies.reduce(0) { $0 + $1.readings.count } ?? 0)
    }
}
