import Environment
import LogFormat
import Model
import Replication
import RingLog

@testable import GatewayCore

/// Holders of one log that answer a query, as they should or not; all within simulated time.
struct ScriptedHolders {
    enum Lie: CaseIterable {
        case noFrame, noPage, otherLog, otherOffsets, otherTime, moreThanAsked, noProgress, otherCount
    }

    static let log = LogName(node: node(9), log: LogID(5))
    static func node(_ index: Int) -> NodeID { NodeID(high: 0, low: UInt64(index)) }

    private(set) var query = CoveyQuery(CoveyBench.everything, elsewhere: [])
    var silent: Set<NodeID> = []
    var lies: [NodeID: Lie] = [:]
    var busyAnswers = 0
    /// Of whoever reads the answer, after each of its pages.
    var pause = Duration.zero
    private(set) var seconds = 0.0
    private var claims: [Elsewhere.Holder] = []
    private var held: [NodeID: OffsetRanges] = [:]

    mutating func hold(
        _ index: Int, _ range: Range<UInt64>, reallyHas real: Range<UInt64>? = nil,
        standing: Elsewhere.Standing = .alive
    ) {
        let ranges = OffsetRanges(Offset(range.lowerBound)..<Offset(range.upperBound))
        claims.append(Elsewhere.Holder(node: Self.node(index), ranges: ranges, standing: standing))
        held[Self.node(index)] = real.map { OffsetRanges(Offset($0.lowerBound)..<Offset($0.upperBound)) } ?? ranges
    }

    /// What the query tells until it is done.
    mutating func run() -> [ToldReading] {
        var random = SeededRandom(seed: 3)
        var now = MonotonicInstant(nanoseconds: 0)
        let elsewhere = [Elsewhere(log: Self.log, holders: claims)]
        query = CoveyQuery(CoveyBench.everything, elsewhere: elsewhere, limit: 16)
        var told: [ToldReading] = []
        var news: [QueryNews] = []
        for _ in 0..<10_000 {
            let page = query.take(7)
            told += page
            if query.isDone { break }
            // Whoever reads the answer takes its time.
            if !page.isEmpty { now = now.advanced(by: pause) }
            var directives: [CoveyQueryDirective] = []
            for news in news { directives += query.step(.news(news), now: now, using: &random) }
            directives += query.step(.tick, now: now, using: &random)
            news = []
            for directive in directives {
                switch directive {
                case .readOwn: _ = query.step(.own([], isLast: true), now: now, using: &random)
                case .send(let bytes, let node):
                    if let answer = answer(bytes, by: node) {
                        news.append(.answer(QueryFrame.id(of: bytes)!, answer, from: node))
                    }
                }
            }
            now = now.advanced(by: .milliseconds(1))
        }
        seconds = Double(now.nanoseconds) / 1e9
        return told
    }

    private func reading(_ offset: UInt64) -> Reading {
        Reading(
            series: Series(device: DeviceID("a"), metric: "m"),
            stamp: Stamp(
                boot: BootID(high: 1, low: 1), uptime: Microseconds(Int64(offset) * 1000), wallOffset: Microseconds(0),
                isTrusted: true),
            value: .number(Double(offset)))
    }

    private mutating func answer(_ bytes: [UInt8], by node: NodeID) -> [UInt8]? {
        guard !silent.contains(node), case .question(let id, let question)? = try? QueryFrame(decoding: bytes) else {
            return nil
        }
        if busyAnswers > 0 {
            busyAnswers -= 1
            return QueryFrame.busy(id).encoded
        }
        var held = question.parts.map { $0.ranges.intersection(self.held[node] ?? OffsetRanges()) }
        let offsets: [UInt64] = held.flatMap(\.ranges).flatMap { $0.lowerBound.rawValue..<$0.upperBound.rawValue }
        let behind = offsets.filter { offset in question.after.map { $0.offset.rawValue < offset } ?? true }
        var items = behind.prefix(question.limit).map {
            ReadingPage.Item(name: Self.log, offset: Offset($0), reading: reading($0))
        }
        func place(_ offset: UInt64) -> QueryPlace {
            QueryPlace(time: Milliseconds(Int64(offset)), log: Self.log.log, offset: Offset(offset))
        }
        var end = behind.count > question.limit ? items.last.map { place($0.offset.rawValue) } : nil
        switch lies[node] {
        case nil, .noPage: break
        case .noFrame: return [1, 9, 9]
        case .otherLog:
            items[0] = .init(name: LogName(node: node, log: LogID(6)), offset: .zero, reading: reading(0))
        case .otherOffsets: items.append(.init(name: Self.log, offset: Offset(7777), reading: reading(5)))
        case .otherTime:
            // Behind where the page is said to end.
            items[1] = .init(name: Self.log, offset: items[1].offset, reading: reading(20_000))
        case .moreThanAsked:
            items = behind.map { .init(name: Self.log, offset: Offset($0), reading: reading($0)) }
        case .noProgress: end = question.after ?? place(0)
        case .otherCount: held.append(OffsetRanges())
        }
        var page = items.isEmpty ? [] : ReadingPage.encode(items, anchors: []) ?? []
        if lies[node] == .noPage { page[page.count / 2] ^= 1 }
        return QueryFrame.answer(id, held: held, end: end, bytes: page).encoded
    }
}
