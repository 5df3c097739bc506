import Environment
import LogFormat
import Model
import RingLog
import Sinks

/// How far the stored form of a sink's account is behind it.
struct AccountCheckpoint {
    /// Streams that have changed since they were last put.
    var changed: Set<DeviceID> = []
    /// Readings that came to an end since the last checkpoint.
    var settled = 0
    var takenAt: MonotonicInstant?
    /// The last complete checkpoint, and those since.
    var moments = [AccountMoment()]
    /// The last put of a checkpoint that is not durable yet.
    var underWay: UInt64?
}

extension GatewayCore {
    /// Lets the accounts ride with the next block where it is time: seldom, as a start can read again what is missing. They never bring
    /// about a block of their own. The progress must have been put before.
    mutating func putAccounts(now: MonotonicInstant) {
        for index in sinks.indices {
            let checkpoint = sinks[index].account.checkpoint
            if let version = checkpoint.underWay {
                if version <= durableVersion { completeCheckpoint(index) }
            } else if isDue(checkpoint, streams: sinks[index].account.streams.count, now: now) {
                beginCheckpoint(index, now: now)
            }
        }
    }

    private func isDue(_ checkpoint: AccountCheckpoint, streams: Int, now: MonotonicInstant) -> Bool {
        guard !checkpoint.changed.isEmpty else { return false }
        // So that many streams cost no more bytes per reading than few.
        let most = max(settings.accountReadings, 16 * streams)
        guard let takenAt = checkpoint.takenAt else { return true }
        return isStopping || checkpoint.settled >= most || takenAt.duration(to: now) >= settings.accountWindow
    }

    private mutating func beginCheckpoint(_ index: Int, now: MonotonicInstant) {
        let account = sinks[index].account
        sinks[index].account.checkpoint.takenAt = now
        let number = (account.checkpoint.moments.last?.number ?? 0) + 1
        let moment = AccountMoment(number: number, frontier: frontier(of: index))
        let moments = account.checkpoint.moments.suffix(MomentsRecord.most - 1) + [moment]
        // A record that the ring refuses (many logs are open at once) is tried again at the next turn.
        guard putMoments(index, Array(moments)) else { return }
        sinks[index].account.checkpoint.settled = 0
        for device in account.checkpoint.changed.sorted() {
            let record = AccountRecord(number: number, counts: account.streams[device] ?? .init())
            let name = AccountName(sink: sinks[index].name, device: device).text
            // Then it stays incomplete, and the next one counts from where the last complete one was.
            guard let version = putState(StateKey(StateKind.account, name), record.bytes) else {
                sinks[index].account.checkpoint.underWay = nil
                return
            }
            sinks[index].account.checkpoint.underWay = version
        }
        sinks[index].account.checkpoint.changed = []
    }

    private mutating func completeCheckpoint(_ index: Int) {
        sinks[index].account.checkpoint.underWay = nil
        putMoments(index, Array(sinks[index].account.checkpoint.moments.suffix(1)))
    }

    @discardableResult
    mutating func putMoments(_ index: Int, _ moments: [AccountMoment]) -> Bool {
        let key = StateKey(StateKind.checkpoint, sinks[index].name)
        guard putState(key, MomentsRecord(moments).bytes) != nil else { return false }
        sinks[index].account.checkpoint.moments = moments
        return true
    }

    /// What has come to an end at a sink by now.
    func frontier(of index: Int) -> Frontier {
        var frontier = Frontier()
        var listed: [Frontier.Log] = []
        for log in ring.logs {
            let settled = settledOffsets(index, log.log)
            if settled.isEmpty {
                listed.append(Frontier.Log(log: log.log, settled: []))
                continue
            }
            frontier.newest = log.log
            frontier.logs += listed
            listed = []
            let isWhole = log.log != ring.currentLog && settled == [0..<max(log.end.rawValue, settled[0].upperBound)]
            if !isWhole { frontier.logs.append(Frontier.Log(log: log.log, settled: settled)) }
        }
        return frontier
    }

    /// Ascending; neighbours are one range.
    func settledOffsets(_ index: Int, _ log: LogID) -> [Range<UInt64>] {
        var ranges: [Range<UInt64>] = []
        for (range, _) in sinks[index].machine.settledRanges(log) {
            let (lower, upper) = (range.lowerBound.rawValue, range.upperBound.rawValue)
            if let last = ranges.last, last.upperBound == lower {
                ranges[ranges.count - 1] = last.lowerBound..<upper
            } else {
                ranges.append(lower..<upper)
            }
        }
        return ranges
    }
}
