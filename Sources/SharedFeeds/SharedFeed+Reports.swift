// Pure.
import Environment
import Model

/// Who knows what is durable where. Reports go to each gateway that reads the same, in order and numbered, so that one that comes twice counts
/// once; one that is lost costs a double at worst.
extension SharedFeed {
    // MARK: Telling

    mutating func finish(_ id: TakenID) {
        guard let index = open.firstIndex(where: { $0.id == id }) else { return }
        reports += open.remove(at: index).reports
        let surplus = reports.count - SharedFeedLimits.reports
        // Not one by one, which would move them all each time.
        guard surplus > SharedFeedLimits.reports / 4 else { return }
        reports.removeFirst(surplus)
        reportsBase += UInt64(surplus)
    }

    var reportsEnd: UInt64 { reportsBase + UInt64(reports.count) }

    mutating func lost(_ node: NodeID, now: MonotonicInstant) {
        guard let index = peers.firstIndex(where: { $0.node == node }) else { return }
        let young = MonotonicInstant(nanoseconds: now.nanoseconds - settings.age.nanoseconds)
        let first = reports.firstIndex { $0.arrival >= young } ?? reports.count
        peers[index].next = min(peers[index].next, reportsBase + UInt64(first))
        peers[index].isAnswered = false
        peers[index].pausedUntil = now.advanced(by: settings.hush)
    }

    mutating func report(now: MonotonicInstant, _ out: inout [SharedFeedDirective<Payload>]) {
        for index in peers.indices where peers[index].pausedUntil.map({ $0 <= now }) ?? false {
            peers[index].pausedUntil = nil
        }
        let isDue = lastReportAt.map { $0.advanced(by: settings.reportEvery) <= now } ?? true
        for index in peers.indices where isToBeTold(index, isDue: isDue) {
            send(index, now: now, &out)
            lastReportAt = now
        }
    }

    private func isToBeTold(_ index: Int, isDue: Bool) -> Bool {
        let peer = peers[index]
        guard peer.pausedUntil == nil, isCompanion(peer) else { return false }
        return mayAnswer(peer) || (isDue && peer.next < reportsEnd)
    }

    /// Whether all that was taken before that gateway came is durable.
    private func mayAnswer(_ peer: Peer) -> Bool {
        !peer.isAnswered && open.allSatisfy { $0.id.rawValue >= peer.horizon }
    }

    private mutating func send(_ index: Int, now: MonotonicInstant, _ out: inout [SharedFeedDirective<Payload>]) {
        let peer = peers[index]
        let answers = mayAnswer(peer)
        var next = max(peer.next, reportsBase)
        repeat {
            let part = reports.dropFirst(Int(next - reportsBase)).prefix(SharedFeedLimits.frameReports)
            let isLast = next + UInt64(part.count) == reportsEnd
            let frame = ReportFrame(
                to: peer.entry.epoch, reporter: reporter, handsOver: answers && isLast, covers: peer.isCovered,
                first: next,
                reports: part.map {
                    let age = max(0, $0.arrival.duration(to: now).nanoseconds / 1_000_000)
                    return ReportFrame.Report(key: $0.key, age: UInt64(age))
                })
            out.append(.frame(frame.bytes, to: peer.node))
            next += UInt64(part.count)
        } while next < reportsEnd
        peers[index].next = next
        if answers { peers[index].isAnswered = true }
    }

    // MARK: Hearing

    mutating func receive(_ bytes: [UInt8], from node: NodeID, now: MonotonicInstant) {
        guard let frame = ReportFrame(bytes) else {
            counts.malformed += 1
            return
        }
        guard case .serving(let since) = phase, frame.to == epoch else { return }
        let known = heard.first { $0.node == node && $0.reporter == frame.reporter }?.upTo ?? 0
        let skipped = Int(min(UInt64(frame.reports.count), known > frame.first ? known - frame.first : 0))
        for report in frame.reports.dropFirst(skipped) { credit(report, since: since, now: now) }
        let end = frame.first + UInt64(frame.reports.count)
        heard.removeAll { $0.node == node }
        heard.append(Heard(node: node, reporter: frame.reporter, upTo: max(known, end)))
        guard let index = peers.firstIndex(where: { $0.node == node }) else { return }
        if frame.handsOver { peers[index].hasHandedOver = true }
        if frame.covers { peers[index].vouches = true }
    }

    /// A message is durable elsewhere. What is alike goes in the order in which it came, so that as many are left as were not reported.
    private mutating func credit(_ report: ReportFrame.Report, since: MonotonicInstant, now: MonotonicInstant) {
        let arrival = MonotonicInstant(nanoseconds: now.nanoseconds - Int64(report.age) * 1_000_000)
        let slack = settings.slack
        let isFound = memory.removeFirst(report.key) { message in
            // What came before this gateway read is from the time when it was away, or may be.
            message.arrival < since || arrival.advanced(by: slack) >= message.arrival
        }
        if isFound {
            counts.confirmed += 1
        } else if report.key.isKept, arrival.advanced(by: slack) >= now {
            credits.add(report.key, arrival: arrival)
        }
    }
}
