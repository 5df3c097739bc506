import Environment
package import LogFormat
import Model
import RingLog

extension GatewayCore {
    /// Whether a message that may be a redelivery is here already, durable or on its way to the disk.
    package func holds(broker: String, message: UInt16, hash: UInt64) -> Bool {
        ring.knows(mark(broker: broker, message: message, hash: hash))
    }

    /// The mark to store with a message. Message ids mean something within one session only, so a lost session starts a new name.
    package func mark(broker: String, message: UInt16, hash: UInt64) -> DeliveryMark {
        DeliveryMark(session: "\(broker)/\(sessions[broker] ?? 0)", message: message, hash: hash)
    }

    mutating func submit(_ submission: Submission, now: MonotonicInstant) {
        for (device, counts) in submission.counts { ledger.count(counts, for: device) }
        for entry in submission.entries {
            forEachRun(of: entry.readings) { ledger.accept($1, from: $0) }
        }
        if backlog.isEmpty {
            if let rest = append(submission, now: now) { backlog.append(rest) }
        } else {
            backlog.append(submission)
        }
    }

    /// Moves what waited for room into the ring, in order.
    mutating func drainBacklog(now: MonotonicInstant) {
        while let first = backlog.first {
            if let rest = append(first, now: now) {
                backlog[0] = rest
                return
            }
            backlog.removeFirst()
        }
    }

    /// Appends a submission's entries; what the ring has no room for is handed back.
    private mutating func append(_ submission: Submission, now: MonotonicInstant) -> Submission? {
        for (index, entry) in submission.entries.enumerated() {
            do throws(RingError) {
                let readings = ring.settled(entry.readings)
                let range = try ring.append(Entry(readings, mark: entry.mark))
                for (place, reading) in readings.enumerated() {
                    pending.append((range.lowerBound.advanced(by: place), reading))
                }
                hold(readings, from: range.lowerBound, now: now)
            } catch {
                switch error {
                case .entryTooLarge: withdraw(entry, dropped: "too-large")
                case .ringFull: withdraw(entry, dropped: "ring-full")
                case .readOnly: withdraw(entry, dropped: "read-only")
                case .tooSmall, .newerVersion, .notARing, .otherGeometry, .disk, .bufferFull, .stateTooLarge,
                    .tooManyStates, .notACopy, .copiesFull:
                    var rest = submission
                    rest.entries.removeFirst(index)
                    rest.counts = []
                    want(by: now)
                    return rest
                }
            }
        }
        if let ticket = submission.ticket {
            tickets.append(OpenTicket(ticket: ticket, upTo: ring.nextOffset, stateVersion: nil))
        }
        if !submission.entries.isEmpty || submission.ticket != nil {
            want(by: now.advanced(by: submission.window))
        } else {
            touchState(now: now)
        }
        return nil
    }

    /// Readings that nobody can date yet keep back what comes behind them, until the clock is right or its time is up.
    private mutating func hold(_ readings: [Reading], from first: Offset, now: MonotonicInstant) {
        guard let place = readings.firstIndex(where: { !ring.time(of: $0.stamp).isTrusted }) else { return }
        let until = now.advanced(by: settings.clockWait)
        if let last = undated.last, last.until.duration(to: until) < settings.clockWait / Self.holdsKept { return }
        undated.append((first.advanced(by: place), until))
    }

    /// Moments of release in one ``Settings/clockWait`` at most.
    private static let holdsKept = 32

    private mutating func withdraw(_ entry: Entry, dropped reason: String) {
        forEachRun(of: entry.readings) { ledger.withdraw($1, from: $0, dropped: reason) }
    }

    mutating func loseSession(of broker: String, now: MonotonicInstant) {
        sessions[broker, default: 0] += 1
        var record: [UInt8] = []
        record.append(varint: sessions[broker] ?? 0)
        putState(StateKey(StateKind.session, broker), record)
        touchState(now: now)
    }

    mutating func want(by moment: MonotonicInstant) {
        deadline = min(deadline ?? moment, moment)
    }

    mutating func touchState(now: MonotonicInstant) {
        if stateDeadline == nil { stateDeadline = now.advanced(by: settings.stateWindow) }
    }
}

/// Calls `body` with each run of readings of one device: nearly always a single one, since an entry is one message.
func forEachRun(of readings: [Reading], _ body: (DeviceID, Int) -> Void) {
    var start = 0
    while start < readings.count {
        let device = readings[start].series.device
        var end = start + 1
        while end < readings.count, readings[end].series.device == device { end += 1 }
        body(device, end - start)
        start = end
    }
}
