import Environment
import LogFormat
import Model
import Replication
import RingLog

// What is asked of others, and what comes of it.
extension CoveyQuery {
    mutating func ask(
        _ now: MonotonicInstant, _ directives: inout [CoveyQueryDirective],
        _ random: inout some RandomNumberGenerator
    ) {
        for index in sources.indices where sources[index].isEmpty && sources[index].since == nil {
            sources[index].since = now
        }
        var inFlight = sources.count(where: \.isAsked)
        for index in sources.indices where sources[index].state == .idle && inFlight < QueryLimits.inFlight {
            let source = sources[index]
            // Its part goes to another one with the next tick.
            if failed.contains(where: { $0.node == source.holder }) { continue }
            let id = QuestionID(random.next())
            let question = PeerQuestion(wish: wish, parts: source.parts, after: source.after, limit: pageReadings)
            let last = source.since?.advanced(by: QueryLimits.waiting)
            let patience = now.advanced(by: QueryLimits.patience)
            sources[index].state = .asked(id, until: min(patience, last ?? patience))
            directives.append(.send(QueryFrame.question(id, question).encoded, to: source.holder))
            inFlight += 1
        }
    }

    /// Whoever has been waited for in vain is asked no more; what nobody brought in time is missing.
    mutating func expire(_ now: MonotonicInstant) {
        for source in sources {
            switch source.state {
            case .asked(_, let until) where until <= now:
                counts.unanswered += 1
                fail(source.holder, .silent)
            case .quiet(let until) where until <= now:
                if let index = sources.firstIndex(where: { $0.holder == source.holder && $0.state == source.state }) {
                    sources[index].state = .idle
                }
            default: break
            }
        }
        failOver()
        let late = sources.filter { $0.isLate(now) }
        sources.removeAll { $0.isLate(now) }
        for source in late { name(source, as: .silent) }
    }

    mutating func lose(_ peer: NodeID) {
        guard sources.contains(where: { $0.holder == peer && $0.isAsked }) else { return }
        counts.unanswered += 1
        fail(peer, .unreachable)
    }

    private mutating func fail(_ holder: NodeID, _ reason: Missing.Reason) {
        if !failed.contains(where: { $0.node == holder }) { failed.append((holder, reason)) }
        failOver()
    }

    /// What those should have brought that are asked no more is asked of others, from where they were.
    private mutating func failOver() {
        // A few times at most, for each time some holder has failed.
        while let index = sources.firstIndex(where: { source in
            source.isEmpty && failed.contains { $0.node == source.holder }
        }) {
            let source = sources.remove(at: index)
            for part in source.parts { hand(part.ranges, of: part.name, from: source) }
        }
    }

    private mutating func hand(_ ranges: OffsetRanges, of log: LogName, from source: QuerySource) {
        var assignment = Assignment(elsewhere: elsewhere)
        assignment.failed = failed
        assignment.lacking = lacking
        assignment.assign(ranges, of: log)
        missing += assignment.missing
        for heir in assignment.sources(after: source.after, since: source.since) { add(heir) }
    }

    /// Logs that go the same way at the same place go together.
    private mutating func add(_ heir: QuerySource) {
        let index = sources.firstIndex {
            $0.holder == heir.holder && $0.state == .idle && $0.isEmpty && $0.after == heir.after
                && $0.since == heir.since && $0.parts.count < QueryLimits.parts / 2
                && !$0.parts.contains { part in heir.parts.contains { $0.name.log == part.name.log } }
        }
        if let index { return sources[index].parts += heir.parts }
        guard sources.count < QueryLimits.sources else { return crowd(out: heir) }
        sources.append(heir)
    }

    mutating func crowd(out source: QuerySource) { name(source, as: .crowded) }

    private mutating func name(_ source: QuerySource, as reason: Missing.Reason) {
        for part in source.parts {
            let holder = Missing.Holder(node: source.holder, reason: reason)
            missing.append(Missing(log: part.name, ranges: part.ranges, holders: [holder]))
        }
    }

    // MARK: Answers

    mutating func receive(_ bytes: [UInt8], from peer: NodeID, now: MonotonicInstant) {
        guard let frame = try? QueryFrame(decoding: bytes) else {
            guard sources.contains(where: { $0.holder == peer && $0.isAsked }) else { return }
            counts.malformed += 1
            return fail(peer, .rubbish)
        }
        switch frame {
        case .question: break
        case .answer(let id, let held, let end, let bytes):
            guard let index = asked(id, of: peer) else { return }
            guard let page = page(of: sources[index], held, end, bytes) else {
                counts.malformed += 1
                return fail(peer, .rubbish)
            }
            take(page, held, end, at: index)
        case .busy(let id):
            guard let index = asked(id, of: peer) else { return }
            sources[index].state = .quiet(until: now.advanced(by: QueryLimits.busy))
        case .refused(let id):
            guard asked(id, of: peer) != nil else { return }
            fail(peer, .refused)
        }
    }

    private func asked(_ id: QuestionID, of peer: NodeID) -> Int? {
        sources.firstIndex { source in
            guard case .asked(id, _) = source.state else { return false }
            return source.holder == peer
        }
    }

    private mutating func take(
        _ page: [ToldReading], _ held: [OffsetRanges], _ end: QueryPlace?, at index: Int
    ) {
        let before = sources[index]
        counts.pages += 1
        counts.readings += UInt64(page.count)
        for (place, ranges) in held.enumerated() { sources[index].parts[place].ranges = ranges }
        sources[index].parts.removeAll(where: \.ranges.isEmpty)
        sources[index].fill(page, end: sources[index].parts.isEmpty ? nil : end)
        if sources[index].isEmpty, sources[index].isLast { sources.remove(at: index) }
        for (part, ranges) in zip(before.parts, held) {
            let rest = part.ranges.subtracting(ranges)
            if rest.isEmpty { continue }
            lacking[part.name, default: []].append(before.holder)
            hand(rest, of: part.name, from: before)
        }
    }

    /// The readings of an answer in order; `nil` where it is not what was asked for.
    private func page(
        of source: QuerySource, _ held: [OffsetRanges], _ end: QueryPlace?, _ bytes: [UInt8]
    ) -> [ToldReading]? {
        guard held.count == source.parts.count,
            zip(source.parts, held).allSatisfy({ $0.ranges.contains($1) }),
            // An answer that does not get on would be asked for again and again.
            end.map({ isBehind($0, source.after) }) ?? true
        else { return nil }
        guard !bytes.isEmpty else { return [] }
        guard let page = try? ReadingPage(decoding: bytes), page.items.count <= pageReadings else { return nil }
        var ranges: [LogName: OffsetRanges] = [:]
        for (part, held) in zip(source.parts, held) { ranges[part.name] = held }
        let clock = PageClock(page.anchors)
        var verdicts: [Series: Bool] = [:]
        var told: [ToldReading] = []
        told.reserveCapacity(page.items.count)
        for item in page.items {
            let time = clock.table.time(of: item.reading.stamp)
            let stored = StoredReading(log: item.name.log, offset: item.offset, reading: item.reading)
            let timed = TimedReading(stored: stored, time: time.time, isTrusted: time.isTrusted)
            let verdict = verdicts[item.reading.series] ?? wish.matches(item.reading.series)
            verdicts[item.reading.series] = verdict
            guard verdict, ranges[item.name]?.contains(item.offset) ?? false, isWanted(timed.place, source.after, end)
            else { return nil }
            told.append(ToldReading(reading: timed, name: item.name, clock: clock))
        }
        let newestFirst = wish.newestFirst
        return told.sorted { $0.reading.place.comes(before: $1.reading.place, newestFirst: newestFirst) }
    }

    private func isBehind(_ place: QueryPlace, _ after: QueryPlace?) -> Bool {
        after.map { $0.comes(before: place, newestFirst: wish.newestFirst) } ?? true
    }

    private func isWanted(_ place: QueryPlace, _ after: QueryPlace?, _ end: QueryPlace?) -> Bool {
        if let from = wish.from, place.time < from { return false }
        if let to = wish.to, place.time >= to { return false }
        guard isBehind(place, after) else { return false }
        return end.map { !$0.comes(before: place, newestFirst: wish.newestFirst) } ?? true
    }
}
