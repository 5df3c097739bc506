package import Environment
package import Model

/// Decides who uploads which log to which sink, and which readings count as uploaded. Pure.
///
/// - *Receipts*: see `DutyRoster+Receipts.swift`. Nothing is settled that was not accepted from here or proved by a digest.
/// - *Duty*: see `DutyRoster+Ranks.swift`. One gateway at a time uploads a log to a sink; its death or silence moves the duty on.
/// - *Claims*: see `DutyRoster+Claims.swift`. What this gateway says of its work; nothing where nothing happens.
package struct DutyRoster: Sendable {
    package let node: NodeID
    package let settings: DutySettings

    /// Other members, dead ones too; sorted.
    var known: [NodeID] = []
    var alive: [NodeID] = []
    /// Sinks of this gateway and of the known others, by node.
    var statuses: [(node: NodeID, sinks: [SinkStatus])] = []
    /// Sinks that anybody known requires, sorted.
    package internal(set) var required: [SinkID] = []
    /// Sinks of this gateway.
    var mine: [SinkID: SinkStatus] = [:]

    var logs: [LogName: LogDuty] = [:]
    var duties: [KeyDuty] = []
    var places: [UploadKey: Int] = [:]
    /// Keys with a time at which to look at them again, by time.
    var agenda: [(at: MonotonicInstant, key: UploadKey)] = []
    /// Keys that this step has touched.
    var touched: [UploadKey] = []
    /// Keys that wait for gossip to be acknowledged, sorted.
    var throttled: [UploadKey] = []
    /// Keys that may have receipts to be proved, or own ones to be signed, sorted; looked at by turns.
    var unproved: [UploadKey] = []
    var lastProved: UploadKey?
    var reading: [(log: LogName, range: Range<Offset>)] = []
    var versions: [NodeID: UInt64] = [:]
    var waits: [SinkID: MonotonicInstant] = [:]
    var bornAt: MonotonicInstant?
    var toldWake: MonotonicInstant?

    package init(node: NodeID, settings: DutySettings = DutySettings()) {
        self.node = node
        self.settings = settings
    }

    /// Takes one event and says what is to be done now, in order.
    package mutating func step(
        _ event: DutyEvent, now: MonotonicInstant, using rng: inout some RandomNumberGenerator
    ) -> [DutyDirective] {
        var out: [DutyDirective] = []
        if bornAt == nil { bornAt = now }
        take(event, now: now, &out)
        while let first = agenda.first, first.at <= now {
            agenda.removeFirst()
            if let place = places[first.key] { duties[place].due = nil }
            touched.append(first.key)
        }
        if touched.count > 1 { touched.sort() }
        var last: UploadKey?
        for key in touched where key != last {
            last = key
            review(key, now: now, &out)
        }
        touched.removeAll(keepingCapacity: true)
        askForDigests(&out)
        if let first = agenda.first?.at, first != toldWake {
            toldWake = first
            out.append(.wake(at: first))
        }
        return out
    }

    private mutating func take(_ event: DutyEvent, now: MonotonicInstant, _ out: inout [DutyDirective]) {
        switch event {
        case .members(let alive, let known): setMembers(alive: alive, known: known)
        case .sinks(let node, let sinks): setSinks(sinks, of: node)
        case .uploads(let node, let key, let claim): hear(claim, of: key, from: node, now: now, &out)
        case .began(let log): edit(log) { $0.isNew = true }
        case .holds(let log, let ranges): hold(ranges, of: log)
        case .peerHolds(let peer, let log, let ranges):
            guard peer != node, ranges != nil || logs[log] != nil else { return }
            edit(log) { $0.peer(peer, holds: ranges ?? OffsetRanges()) }
        case .settled(let sink, let log, let ranges, let isUploaded):
            settle(UploadKey(sink: sink, log: log), ranges, isUploaded: isUploaded, now: now)
        case .restored(let sink, let log, let ranges): restore(UploadKey(sink: sink, log: log), ranges)
        case .uploaded(let sink, let log, let range, let digest):
            accept(UploadKey(sink: sink, log: log), range, digest, now: now)
        case .refused(let sink, let log, let range): refuse(UploadKey(sink: sink, log: log), range, now: now)
        case .digested(let log, let range, let digest): compare(log, range, digest, now: now, &out)
        case .published(let key, let version):
            guard let place = places[key] else { return }
            duties[place].own.published(version)
            touched.append(key)
        case .acknowledged(let peer, let version):
            guard versions.updateValue(version, forKey: peer) != version else { return }
            touched.append(contentsOf: throttled)
        case .waiting(let sink, let until): wait(sink, until: until, now: now)
        case .forgotten(let log): forget(log, &out)
        case .tick: break
        }
    }

    /// Changes what is known of a log, and looks at all its keys.
    mutating func edit(_ log: LogName, _ change: (inout LogDuty) -> Void) {
        change(&logs[log, default: LogDuty()])
        for sink in logs[log]?.sinks ?? [] { touched.append(UploadKey(sink: sink, log: log)) }
    }

    /// The place of a key, which is made where it is new.
    mutating func place(_ key: UploadKey) -> Int {
        if let place = places[key] { return place }
        places[key] = duties.count
        duties.append(KeyDuty(key: key))
        var log = logs[key.log] ?? LogDuty()
        log.sinks.insert(key.sink, at: log.sinks.firstIndex { $0 > key.sink } ?? log.sinks.endIndex)
        logs[key.log] = log
        return duties.count - 1
    }

    private mutating func hold(_ ranges: OffsetRanges, of log: LogName) {
        guard logs[log]?.holds != ranges else { return }
        edit(log) {
            $0.holds = ranges
            $0.unreadable = []
        }
        if !ranges.isEmpty { for sink in sinksOfInterest { _ = place(UploadKey(sink: sink, log: log)) } }
        for sink in logs[log]?.sinks ?? [] {
            let key = UploadKey(sink: sink, log: log)
            touched.append(key)
            guard let place = places[key] else { continue }
            if duties[place].peers.contains(where: { !$0.receipts.isEmpty }) || duties[place].own.isUnsigned {
                unproved.enter(key)
            }
        }
    }

    private mutating func forget(_ log: LogName, _ out: inout [DutyDirective]) {
        for sink in logs[log]?.sinks ?? [] {
            let key = UploadKey(sink: sink, log: log)
            guard let place = places.removeValue(forKey: key) else { continue }
            if duties[place].lastClaim != nil { out.append(.withdraw(key)) }
            if let due = duties[place].due { agenda.leave(due, key) }
            duties.swapAt(place, duties.count - 1)
            duties.removeLast()
            if place < duties.count { places[duties[place].key] = place }
            unproved.leave(key)
            throttled.leave(key)
        }
        logs[log] = nil
    }

    /// Looks at `key` again at `moment`, and not before; `nil`: when something happens.
    mutating func schedule(_ place: Int, at moment: MonotonicInstant?) {
        let (key, old) = (duties[place].key, duties[place].due)
        guard old != moment else { return }
        if let old { agenda.leave(old, key) }
        if let moment { agenda.enter(moment, key) }
        duties[place].due = moment
    }
}

extension [UploadKey] {
    /// Keeps the array sorted and without doubles.
    mutating func enter(_ key: UploadKey) {
        let index = place(of: key)
        if index == endIndex || self[index] != key { insert(key, at: index) }
    }

    mutating func leave(_ key: UploadKey) {
        let index = place(of: key)
        if index < endIndex, self[index] == key { remove(at: index) }
    }

    /// The index of the first key that is not below `key`.
    func place(of key: UploadKey) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension [(at: MonotonicInstant, key: UploadKey)] {
    mutating func enter(_ moment: MonotonicInstant, _ key: UploadKey) {
        insert((moment, key), at: place(moment, key))
    }

    mutating func leave(_ moment: MonotonicInstant, _ key: UploadKey) {
        let index = place(moment, key)
        if index < endIndex, self[index] == (moment, key) { remove(at: index) }
    }

    private func place(_ moment: MonotonicInstant, _ key: UploadKey) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < (moment, key) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
