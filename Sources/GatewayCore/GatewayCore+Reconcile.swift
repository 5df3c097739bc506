import Environment
import LogFormat
import Model
import RingLog
import Sinks

// At the start, accounts and progress may come from different blocks. What came to an end in between is read again and counted; what
// cannot be read any more stays without a stream. No count is ever taken on trust: sums must fit the sink's own counts and the stored
// counts of the first equation.
//
// | what the disk shows                                       | what is made of the account                                |
// |-----------------------------------------------------------|------------------------------------------------------------|
// | sums that are the sink's counts already                   | stands as it is                                            |
// | progress ahead of the account                             | stands, and what lies between is read and added            |
// | the same, and too much to read, or evicted since          | stands; the rest has no stream                             |
// | the same, and refused readings among it without a name    | stands; as many of each stream have none                   |
// | progress behind the account, or sums beyond the sink's    | begins anew; all that had come to an end has no stream     |
// | more readings at a sink than in the first equation        | those are stored ones of an unknown stream                 |
// | fewer at a sink (it is new, and logs were forgotten)      | they were gone before the sink was there: counted evicted  |
extension GatewayCore {
    /// Readings that a start reads again at most, for each sink: some tenths of a second on a small board.
    private static let mostReread = 200_000

    /// What the start makes of one sink's account.
    private struct Draft {
        var rows: [DeviceID: AccountRecord] = [:]
        var moments = [AccountMoment()]
        var changed: Set<DeviceID> = []
        var sum = UploadCounts()

        mutating func add(_ count: UInt64, _ fate: UploadFate, to device: DeviceID) {
            guard count > 0 else { return }
            rows[device, default: AccountRecord(number: 0, counts: UploadCounts())].counts.add(count, fate)
            changed.insert(device)
            sum.add(count, fate)
        }

        /// Counts what the record of `device` counts already.
        func base(of device: DeviceID) -> Frontier {
            let number = rows[device]?.number ?? 0
            return (moments.last { $0.number <= number } ?? moments[0]).frontier
        }
    }

    mutating func reconcileAccounts(disk: any Disk, now: MonotonicInstant) {
        agreeOnStored()
        forgetForeignAccounts()
        let age = ring.logs.map(\.log)
        for index in sinks.indices {
            let own = sinks[index].machine.counts
            var draft = storedAccount(index)
            var reread = 0
            if isAhead(draft, index, age) {
                draft = begunAnew(index, draft)
            } else if !isSame(draft.sum, own) {
                reread = readBetween(&draft, index, age, own, disk: disk)
            }
            let fits =
                own.fates.allSatisfy { draft.sum[$0] <= own[$0] } && draft.sum.settled <= own.settled
                && openRows(draft.rows.mapValues(\.counts)) != nil
            if !fits { draft = begunAnew(index, draft) }
            sinks[index].account.checkpoint = AccountCheckpoint(
                changed: draft.changed, settled: reread, takenAt: now, moments: draft.moments)
            sinks[index].account.open(draft.rows.mapValues(\.counts), total: own)
        }
        hasSettled = true
    }

    /// Both equations speak of the same readings: of all that any log ever held.
    private mutating func agreeOnStored() {
        let counted = ledger.total.stored
        let most = max(sinks.map { $0.machine.counts.stored }.max() ?? 0, counted)
        if !sinks.isEmpty, most > counted { ledger.recover(Int(most - counted), from: Ledger.unattributed) }
        for index in sinks.indices {
            let stored = sinks[index].machine.counts.stored
            if stored < most { sinks[index].machine.addMissed(most - stored, reason: "before-sink") }
        }
    }

    /// Records of sinks that are not configured any more: should one return, it begins anew.
    private mutating func forgetForeignAccounts() {
        let names = sinks.map(\.name)
        for (key, _) in ring.states {
            switch key.kind {
            case StateKind.checkpoint where !names.contains(key.name): putState(key, [])
            case StateKind.account where !(AccountName(key.name).map { names.contains($0.sink) } ?? false):
                putState(key, [])
            default: break
            }
        }
    }

    private func storedAccount(_ index: Int) -> Draft {
        var draft = Draft()
        let name = sinks[index].name
        guard let record = ring.state(StateKey(StateKind.checkpoint, name)), let moments = MomentsRecord(record) else {
            return draft
        }
        draft.moments = moments.moments
        let newest = moments.moments.last?.number ?? 0
        for (key, value) in ring.states where key.kind == StateKind.account {
            guard let known = AccountName(key.name), known.sink == name, let row = AccountRecord(value),
                row.number <= newest
            else { continue }
            draft.rows[known.device] = row
            draft.sum.add(row.counts)
        }
        return draft
    }

    /// Whether the account counts readings that the progress holds for pending.
    private func isAhead(_ draft: Draft, _ index: Int, _ age: [LogID]) -> Bool {
        guard let newest = draft.moments.last?.frontier else { return false }
        return ring.logs.contains { log in
            let counted = newest.settled(of: log.log, among: age).map { $0.clamped(to: 0..<log.end.rawValue) }
            return !minus(counted.filter { !$0.isEmpty }, settledOffsets(index, log.log)).isEmpty
        }
    }

    private func isSame(_ one: UploadCounts, _ other: UploadCounts) -> Bool {
        one.settled == other.settled && other.fates.allSatisfy { one[$0] == other[$0] }
    }

    private mutating func begunAnew(_ index: Int, _ old: Draft) -> Draft {
        var draft = Draft()
        draft.moments = [
            AccountMoment(number: (old.moments.last?.number ?? 0) + 1, frontier: frontier(of: index))
        ]
        for (key, _) in ring.states where key.kind == StateKind.account {
            if AccountName(key.name)?.sink == sinks[index].name { putState(key, []) }
        }
        putMoments(index, draft.moments)
        return draft
    }

    /// Counts what came to an end since the account's records were taken; returns how many readings that took.
    private func readBetween(
        _ draft: inout Draft, _ index: Int, _ age: [LogID], _ own: UploadCounts, disk: any Disk
    ) -> Int {
        let between = ring.logs.map { log in
            (log.log, minus(settledOffsets(index, log.log), draft.moments[0].frontier.settled(of: log.log, among: age)))
        }
        let count = between.reduce(0) { $0 + $1.1.reduce(0) { $0 + $1.count } }
        guard count <= Self.mostReread else { return 0 }
        var nameless: [DeviceID: UInt64] = [:]
        var unnamed: UInt64 = 0
        for (log, ranges) in between where !ranges.isEmpty {
            let refused = sinks[index].machine.refusedOffsets(log)
            let all = sinks[index].machine.counts(log).refused
            unnamed += all - min(UInt64(refused.count), all)
            let fates = sinks[index].machine.settledRanges(log)
            ring.read(log, in: ranges, disk: disk) { stored in
                let (device, offset) = (stored.reading.series.device, stored.offset)
                let counted = draft.base(of: device).settled(of: log, among: age)
                if counted.contains(where: { $0.contains(offset.rawValue) }) { return }
                let named = refused.contains(offset) ? UploadFate.refused : nil
                guard let fate = fates.first(where: { $0.range.contains(offset) })?.fate ?? named else {
                    return nameless[device, default: 0] += 1
                }
                if draft.sum[fate] < own[fate] { draft.add(1, fate, to: device) }
            }
        }
        // Which readings below the watermark were refused is known of the last ones only. The others may all be one device's, whichever it
        // is: so many of each stay without a stream.
        unnamed = min(unnamed, own[.refused] - min(draft.sum[.refused], own[.refused]))
        for device in nameless.keys.sorted() {
            let rest = own[.uploaded] - min(draft.sum[.uploaded], own[.uploaded])
            let uploaded = nameless[device].map { $0 - min($0, unnamed) } ?? 0
            draft.add(min(uploaded, rest), .uploaded, to: device)
        }
        return count
    }

    /// The parts of `ranges` that none of `others` covers; both ascending and disjoint.
    private func minus(_ ranges: [Range<UInt64>], _ others: [Range<UInt64>]) -> [Range<UInt64>] {
        var left: [Range<UInt64>] = []
        for range in ranges {
            var cursor = range.lowerBound
            for other in others where other.upperBound > cursor && other.lowerBound < range.upperBound {
                if cursor < other.lowerBound { left.append(cursor..<other.lowerBound) }
                cursor = max(cursor, other.upperBound)
            }
            if cursor < range.upperBound { left.append(cursor..<range.upperBound) }
        }
        return left
    }
}

extension RingLog {
    /// Gives what of `ranges` can be read, in order. Blocks.
    fileprivate func read(_ log: LogID, in ranges: [Range<UInt64>], disk: any Disk, _ body: (StoredReading) -> Void) {
        for range in ranges {
            var from = Offset(range.lowerBound)
            while from.rawValue < range.upperBound {
                let plan = readPlan(log: log, range: from..<Offset(range.upperBound), limit: GatewayCore.readAtOnce)
                let result = plan.perform(on: disk)
                for stored in result.readings { body(stored) }
                guard result.next > from else { break }
                from = result.next
            }
        }
    }
}
