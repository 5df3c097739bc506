package import Environment
import LogFormat
import Model

extension RingLog {
    /// Opens the ring on `disk`, or makes a new one of a blank disk. Nothing is written before the first commit. Blocks while it
    /// reads: every header, the footers, and two segments or three in full.
    ///
    /// Throws ``RingError/tooSmall(segments:)``, ``RingError/newerVersion(found:)``, ``RingError/notARing(_:)`` or
    /// ``RingError/otherGeometry(_:)``, each having touched nothing.
    package static func open(
        disk: any Disk, options: RingOptions, using random: inout some RandomNumberGenerator
    ) throws(RingError) -> (ring: RingLog, report: RecoveryReport) {
        var recovery = Recovery(disk: disk, options: options, isReadOnly: false)
        let ring = try recovery.run(newStore: StoreID(using: &random))
        return (ring, recovery.report)
    }

    /// Opens a stopped gateway's ring to read from it. Nothing is ever written.
    package static func openReadOnly(
        disk: any Disk, options: RingOptions
    ) throws(RingError) -> (ring: RingLog, report: RecoveryReport) {
        var recovery = Recovery(disk: disk, options: options, isReadOnly: true)
        let ring = try recovery.run(newStore: StoreID(high: 0, low: 0))
        return (ring, recovery.report)
    }

    // Whose a log is that has readings or gaps here. Every block with copies names their logs, and every new segment names all.
    //
    // | a record or a segment header names it          | this ring ever held copies | the log is                              |
    // |------------------------------------------------|----------------------------|-----------------------------------------|
    // | as one that this ring minted                   | -                          | own                                     |
    // | with a node                                    | -                          | a copy for that node                    |
    // | not at all                                     | no                         | own: damage took its record             |
    // | not at all                                     | yes                        | nobody's: kept and read, not uploaded   |
    //
    // In the last row a wrong guess would upload readings of a peer under this gateway's name. Nobody's log becomes a copy when a
    // peer's readings of it name it. "Ever held copies": a record or a header says so, and as long as one copy was ever forgotten
    // ``finishedCopiesKept`` others are remembered.
    //
    // What is missing, and what a gap record says, by the origin of the log:
    //
    // | log  | neither held nor in a gap | in a gap record and readable                               | in a gap record only |
    // |------|---------------------------|------------------------------------------------------------|----------------------|
    // | own  | damaged: a new gap        | damaged: held; else given up: a gap                        | a gap                |
    // | else | absent, which is nothing  | damaged, or in a segment not older than the record's: held | lost here            |
    // | else | -                         | else given up: lost here                                   | -                    |

    /// Fills index and records from what was read; `found` is sorted by generation. `isWhole` reads a block.
    mutating func recover(
        _ found: [Recovery.Found], report: inout RecoveryReport, isWhole: (BlockPlace) -> Bool
    ) {
        let gaps = replayRecords(found)
        // A snapshot repeats what is still lost of copies; what it leaves out had come back.
        let snapshot = found.last { segments[$0.segment].hasSnapshot }?.generation ?? 0
        let recent = gaps.filter { $0.generation >= snapshot }
        var contests: [Contest] = []
        // Merged blocks first: where a crash left both, the hot source is the one that may go.
        for kind in [SegmentKind.cold, .hot] {
            var givenUp = GivenUp([])
            var count = 0
            for item in found where item.kind == kind {
                let later = recent.drop { $0.generation <= item.generation }
                // The same for all segments but the newest few.
                if later.count != count { givenUp = GivenUp(later.map(\.gap)) }
                count = later.count
                contests += recoverBlocks(item, givenUp: givenUp)
            }
        }
        settle(contests, isWhole: isWhole)
        for log in Set(gaps.map(\.gap.log)).sorted() where indexes[log] == nil { indexes[log] = LogIndex() }
        let known = Set(logOrder)
        for log in indexes.keys.sorted() where !known.contains(log) { logOrder.insert(log, at: 0) }
        settleOrigins(found)
        doubt(gaps.map(\.gap).filter { $0.reason == .damaged }, isWhole: isWhole)
        for (gap, _) in gaps where indexes[gap.log]?.origin == .own { recoverGap(gap) }
        // Of one range the latest record counts.
        for (gap, _) in recent.reversed() where indexes[gap.log]?.origin != .own { recoverLost(gap) }
        for log in logOrder where indexes[log]?.origin == .own {
            for hole in indexes[log]?.holes() ?? [] {
                addGap(log, hole.lowerBound, hole.upperBound, .damaged)
                report.damagedReadings += hole.count
                counters.damaged += hole.count
                report.findings.append(
                    .readingsLost(log: log, range: Offset(hole.lowerBound)..<Offset(hole.upperBound)))
            }
        }
        for log in logOrder { report.readings += indexes[log]?.ranges.count ?? 0 }
    }

    /// What no record has named.
    private mutating func settleOrigins(_ found: [Recovery.Found]) {
        for item in found {
            guard let log = item.header?.log, indexes[log]?.origin == .unknown else { continue }
            indexes[log]?.origin = .own
        }
        let hasCopies =
            logOrder.contains { indexes[$0]?.origin.node != nil } || found.contains { $0.header?.mayHoldCopies == true }
        guard !hasCopies else { return }
        for log in logOrder where indexes[log]?.origin == .unknown { indexes[log]?.origin = .own }
    }

    /// Of a copy: what of the gap is not held.
    private mutating func recoverLost(_ gap: Gap) {
        let range = gap.range.lowerBound.rawValue..<gap.range.upperBound.rawValue
        for part in indexes[gap.log]?.ranges.missing(in: range) ?? [] {
            _ = indexes[gap.log]?.addGap(log: gap.log, part.lowerBound, part.upperBound, gap.reason)
        }
    }

    /// Replays the small records, oldest first, and returns the gaps with the segment's generation that each was written in.
    private mutating func replayRecords(_ found: [Recovery.Found]) -> [(gap: Gap, generation: UInt64)] {
        var gaps: [(gap: Gap, generation: UInt64)] = []
        var older: [LogID] = []
        for item in found where item.kind == .hot {
            guard let scan = item.scan else { continue }
            // A snapshot names all logs in the order of their age; a segment without one knows a few of them only.
            if scan.hasSnapshot {
                older.append(contentsOf: logOrder)
                logOrder = []
            }
            var marks: [DeliveryMark] = []
            var repeated: [DeliveryMark] = []
            segments[item.segment].hasSnapshot = scan.hasSnapshot
            if scan.hasSnapshot { records.forgetValues() }
            for (key, value) in scan.states { records.recover(key, value) }
            for block in scan.blocks {
                let isReadable = block.isReadable
                for record in block.frame.records {
                    switch record {
                    // The scan has taken them out of its blocks.
                    case .state: break
                    case .gap(let gap): gaps.append((gap, item.generation))
                    case .anchor(let anchor): _ = clocks.set(anchor)
                    // Of a message whose readings are lost its source may have a copy still.
                    case .mark(let mark): if isReadable { marks.append(mark) }
                    case .repeatedMark(let mark): repeated.append(mark)
                    case .log(let known): recover(known)
                    }
                }
            }
            // What a segment repeats is older than what came with its own readings, wherever in it it stands.
            for mark in repeated + marks { records.remember(mark) }
        }
        var forgotten: [LogID] = []
        for log in older where !logOrder.contains(log) && !forgotten.contains(log) { forgotten.append(log) }
        logOrder = forgotten + logOrder
        return gaps
    }

    private mutating func recover(_ known: LogRecord) {
        if !logOrder.contains(known.log) { logOrder.append(known.log) }
        var index = indexes[known.log] ?? LogIndex()
        index.end = max(index.end, known.end.rawValue)
        if index.origin != .own { index.origin = known.node.map { .copy($0) } ?? .own }
        indexes[known.log] = index
    }

    /// Returns what is in the index already, from another block.
    private mutating func recoverBlocks(_ item: Recovery.Found, givenUp: GivenUp) -> [Contest] {
        var contests: [Contest] = []
        let blocks =
            item.scan?.blocks.map { BlockEntry(unit: $0.unit, units: $0.frame.header.units, runs: $0.runs) }
            ?? item.footer?.blocks ?? []
        for block in blocks {
            for run in block.runs {
                let parts = indexes[run.log]?.origin == .own ? [run] : givenUp.parts(of: run)
                for part in parts {
                    let entry = IndexEntry(part, segment: item.segment, unit: block.unit, units: block.units)
                    if insert(entry, of: part.log) < part.count {
                        contests.append(Contest(log: part.log, entry: entry))
                    }
                }
            }
        }
        guard let scan = item.scan else { return contests }
        keepTable(item.segment, item.generation, scan.table)
        // They were used: of an own log they show as a hole, unless they are elsewhere as well.
        for run in scan.undecodable {
            indexes[run.log, default: LogIndex()].end = max(indexes[run.log]?.end ?? 0, run.range.upperBound.rawValue)
        }
        return contests
    }

    /// A block that holds what another one in the index holds as well.
    private struct Contest {
        let log: LogID
        let entry: IndexEntry
    }

    /// Blocks that are read for it; a crash in the middle of a merge leaves one segment's at most.
    private static let mostContests = 1024
    /// Blocks that a record says are damaged and a footer that they are there, and that are read to see who is right: some seconds of a slow card.
    /// A card with more of them is no disk any more; whoever reads the others finds out.
    private static let mostDoubts = 1024

    /// Where two blocks hold the same readings, one may be damaged, and the other what a peer brought in its place: a start that goes by
    /// footers alone cannot tell them. So the first is looked at, and gives way where it is not whole.
    private mutating func settle(_ contests: [Contest], isWhole: (BlockPlace) -> Bool) {
        var verdicts: [BlockPlace: Bool] = [:]
        for contest in contests.prefix(Self.mostContests) {
            let (log, entry) = (contest.log, contest.entry)
            for rival in indexes[log]?.overlapping(entry.first, entry.end) ?? [] {
                let place = place(of: rival)
                guard place != self.place(of: entry) else { continue }
                let verdict = verdicts[place] ?? isWhole(place)
                verdicts[place] = verdict
                guard !verdict else { continue }
                takeOut(rival.clipped(entry.first, entry.end), of: log)
                insert(entry, of: log)
            }
        }
    }

    /// What a record says was damaged is damaged still, unless its block is whole again as after a disk's passing fault; the footer of its
    /// segment was written before, and tells of it in either case.
    private mutating func doubt(_ gaps: [Gap], isWhole: (BlockPlace) -> Bool) {
        var verdicts: [BlockPlace: Bool] = [:]
        for gap in gaps {
            let (lower, upper) = (gap.range.lowerBound.rawValue, gap.range.upperBound.rawValue)
            for entry in indexes[gap.log]?.overlapping(lower, upper) ?? [] {
                let place = place(of: entry)
                guard verdicts[place] != nil || verdicts.count < Self.mostDoubts else { continue }
                let verdict = verdicts[place] ?? isWhole(place)
                verdicts[place] = verdict
                if !verdict { takeOut(entry.clipped(lower, upper), of: gap.log) }
            }
        }
    }

    private mutating func takeOut(_ part: IndexEntry, of log: LogID) {
        for taken in indexes[log]?.remove(part.first, part.end, segment: part.segment) ?? [] {
            segments[Int(taken.segment)].held -= Int(taken.count)
        }
    }

    /// What was given up stays so, even where it can still be read: it has been counted. Of damage the reverse is true.
    private mutating func recoverGap(_ gap: Gap) {
        let (lower, upper) = (gap.range.lowerBound.rawValue, gap.range.upperBound.rawValue)
        guard gap.reason == .damaged else {
            for part in indexes[gap.log]?.remove(lower, upper) ?? [] {
                segments[Int(part.segment)].held -= Int(part.count)
            }
            _ = indexes[gap.log]?.addGap(log: gap.log, lower, upper, gap.reason)
            return
        }
        var next = lower
        for entry in indexes[gap.log]?.overlapping(lower, upper) ?? [] {
            _ = indexes[gap.log]?.addGap(log: gap.log, next, max(next, entry.first), .damaged)
            returned[gap.log, default: OffsetRanges()].insert(max(next, entry.first), min(entry.end, upper))
            next = max(next, entry.end)
        }
        _ = indexes[gap.log]?.addGap(log: gap.log, next, max(next, upper), .damaged)
    }

    /// Goes on in the segments that were open, where nothing is wrong with them; else they are sealed as they are.
    mutating func resume(_ found: [Recovery.Found]) {
        if let item = found.last(where: { $0.kind == .hot }), let head = head(continuing: item) {
            hot = head
            segments[item.segment].state = .open
        }
        if let item = found.last(where: { $0.kind == .cold }), let head = head(continuing: item) {
            cold = head
            segments[item.segment].state = .open
        }
        // Their dictionaries grow from here on.
        tables.removeAll { $0.segment == hot?.segment || $0.segment == cold?.segment }
    }

    private func head(continuing item: Recovery.Found) -> Head? {
        guard let scan = item.scan, item.footer == nil, item.header?.index == item.segment, scan.isSound
        else { return nil }
        // An older program opened it: what would be added now is not of the format that its header tells.
        guard item.kind == .hot ? item.header?.mayHoldPacked == true : item.header?.mayHoldGroups == true else {
            return nil
        }
        let head = Head(segment: item.segment, generation: item.generation, continuing: scan)
        let footer = Footer.mostUnits(
            runs: head.runs + 1, dictionaryBytes: head.dictionary.bytes, blockBytes: options.geometry.blockBytes)
        return head.room(options.geometry) >= (footer + 2) * Geometry.unit ? head : nil
    }
}

/// What records in later segments say was given up of copies: it stays so in the segment that is being read, which then is as free as it
/// was. What has come back lies in the record's segment or a later one: before it is merged into an older one, a snapshot leaves the gap out.
private struct GivenUp {
    private var ranges: [LogID: OffsetRanges] = [:]

    init(_ gaps: [Gap]) {
        for gap in gaps where gap.reason != .damaged {
            let (lower, upper) = (gap.range.lowerBound.rawValue, gap.range.upperBound.rawValue)
            ranges[gap.log, default: OffsetRanges()].insert(lower, upper)
        }
    }

    /// What of the run was not given up. Its times bound those of its parts as well.
    func parts(of run: Run) -> [Run] {
        guard let ranges = ranges[run.log] else { return [run] }
        return ranges.missing(in: run.first.rawValue..<run.range.upperBound.rawValue).map {
            var part = run
            part.first = Offset($0.lowerBound)
            part.count = $0.count
            return part
        }
    }
}
