package import Environment
package import Model

/// Everything that the gateway knows of one device: validates, stamps, counts, and notices silence. Pure but for the series budget and
/// the ring's pressure, which it shares with the other devices; knows no clock, and is told the time.
package struct DeviceState: Sendable {
    package let id: DeviceID
    private var policy: DevicePolicy
    private let pressure: RingPressure
    private let createdAt: MonotonicInstant
    private var series: SeriesTable
    private var bucket: TokenBucket?
    private var limiter = RejectionLimiter()
    private var counts = DeviceCounts()
    private var staleSince: MonotonicInstant?
    private var lastReadingAt: MonotonicInstant?
    /// Another gateway took the reading.
    private var heardElsewhereAt: MonotonicInstant?
    private var lastRejection: (rejection: Rejection, at: MonotonicInstant)?

    package init(
        id: DeviceID, policy: DevicePolicy = DevicePolicy(), series budget: SeriesBudget = SeriesBudget(),
        pressure: RingPressure = RingPressure(), createdAt now: MonotonicInstant
    ) {
        self.id = id
        self.policy = policy
        self.pressure = pressure
        createdAt = now
        series = SeriesTable(device: id, budget: budget)
        bucket = policy.quota.map { TokenBucket($0, now: now) }
    }

    /// Takes another policy, from the next message on. A changed quota begins with a full bucket.
    package mutating func adopt(_ policy: DevicePolicy, now: MonotonicInstant) {
        if policy.quota != self.policy.quota { bucket = policy.quota.map { TokenBucket($0, now: now) } }
        self.policy = policy
    }

    // MARK: Input

    /// Decodes and takes messages. A retained message is a state that the broker remembers, not a new reading: it is rejected, unread.
    package mutating func take(_ messages: [RoutedMessage], now: MonotonicInstant) -> DeviceOutcome {
        var outcome = DeviceOutcome()
        outcome.readings.reserveCapacity(messages.count)
        outcome.ends.reserveCapacity(messages.count)
        for input in messages {
            if input.message.isRetained {
                reject(
                    Rejection(.retained, "replayed by the broker: \(excerpt(input.message.topic.utf8))"), &outcome, now)
            } else {
                take(input.decoder.decode(input.message), at: input.stamp, &outcome, now)
            }
            outcome.ends.append(outcome.readings.count)
        }
        return finished(outcome, now)
    }

    /// Takes what the device's driver emitted.
    package mutating func take(samples: [Sample], now: MonotonicInstant) -> DeviceOutcome {
        var outcome = DeviceOutcome()
        outcome.readings.reserveCapacity(samples.count)
        outcome.ends.reserveCapacity(samples.count)
        var slot: Int?
        for sample in samples {
            outcome.counts.received += 1
            if let found = place(sample.metric, sample.unit, sample.value, after: slot, &outcome, now),
                spend(1, &outcome, now)
            {
                append(
                    Reading(
                        series: series[found].series, stamp: sample.stamp, value: sample.value, quality: sample.quality),
                    in: found, &outcome)
                slot = found
            }
            outcome.ends.append(outcome.readings.count)
        }
        return finished(outcome, now)
    }

    private mutating func take(
        _ decoded: Decoded, at stamp: Stamp, _ outcome: inout DeviceOutcome, _ now: MonotonicInstant
    ) {
        for rejection in decoded.rejections { reject(rejection, &outcome, now) }
        guard !decoded.measurements.isEmpty else { return }
        outcome.counts.received += decoded.measurements.count
        if decoded.measurements.count > Limits.readingsPerMessage {
            let size =
                "\(decoded.measurements.count) readings in one message; the limit is \(Limits.readingsPerMessage)"
            note(Rejection(.tooManyReadings, size), count: decoded.measurements.count, &outcome, now)
            return
        }
        let start = outcome.readings.count
        var slots: [Int] = []
        slots.reserveCapacity(decoded.measurements.count)
        for measurement in decoded.measurements {
            guard
                let slot = place(
                    measurement.metric, measurement.unit, measurement.value, after: slots.last, &outcome, now)
            else { continue }
            slots.append(slot)
            outcome.readings.append(
                Reading(
                    series: series[slot].series, stamp: stamp, value: measurement.value,
                    deviceTime: measurement.deviceTime))
        }
        if slots.isEmpty { return }
        if spend(slots.count, &outcome, now) {
            for (index, slot) in slots.enumerated() { series[slot].latest = outcome.readings[start + index] }
        } else {
            outcome.readings.removeLast(slots.count)
        }
    }

    /// The series' slot where the value can be a reading; otherwise counts a rejection of a value that was counted as received.
    private mutating func place(
        _ metric: String, _ unit: String?, _ value: Value, after previous: Int?, _ outcome: inout DeviceOutcome,
        _ now: MonotonicInstant
    ) -> Int? {
        if let fault = Self.fault(of: value, metric: metric) {
            note(fault, &outcome, now)
            return nil
        }
        switch series.find(metric: metric, unit: unit, after: previous) {
        case .slot(let slot): return slot
        case .added(let slot, let before):
            if let before {
                outcome.notices.append(.unitChanged(metric: metric, from: series[before].series.unit, to: unit))
            }
            return slot
        case .rejected(let rejection):
            note(rejection, &outcome, now)
            return nil
        }
    }

    private static func fault(of value: Value, metric: String) -> Rejection? {
        switch value {
        case .number(let number) where !number.isFinite:
            Rejection(.notANumber, "\(excerpt(metric.utf8)): \(number) is not finite")
        case .text(let text) where text.utf8.count > Limits.textValueBytes:
            Rejection(
                .tooLarge,
                "\(excerpt(metric.utf8)): text of \(text.utf8.count) bytes; the limit is \(Limits.textValueBytes)")
        default: nil
        }
    }

    /// Whether priority and quota allow `count` readings; counts them as dropped where one does not. Either way the device has spoken.
    private mutating func spend(_ count: Int, _ outcome: inout DeviceOutcome, _ now: MonotonicInstant) -> Bool {
        lastReadingAt = now
        if staleSince != nil {
            staleSince = nil
            outcome.notices.append(.fresh)
        }
        guard policy.priority.isTaken(at: pressure.percent) else {
            outcome.counts.dropped.add(count, .lowPriority)
            return false
        }
        if bucket?.take(count, now: now) ?? true { return true }
        outcome.counts.dropped.add(count, .quota)
        return false
    }

    private mutating func append(_ reading: Reading, in slot: Int, _ outcome: inout DeviceOutcome) {
        series[slot].latest = reading
        outcome.readings.append(reading)
    }

    private mutating func reject(_ rejection: Rejection, _ outcome: inout DeviceOutcome, _ now: MonotonicInstant) {
        outcome.counts.received += 1
        note(rejection, &outcome, now)
    }

    private mutating func note(
        _ rejection: Rejection, count: Int = 1, _ outcome: inout DeviceOutcome, _ now: MonotonicInstant
    ) {
        outcome.counts.rejected.add(count, rejection.reason)
        lastRejection = (rejection, now)
    }

    private mutating func finished(_ outcome: DeviceOutcome, _ now: MonotonicInstant) -> DeviceOutcome {
        var outcome = outcome
        counts.merge(outcome.counts)
        if let newest = lastRejection, let suppressed = limiter.admit(outcome.counts.rejected.total, now: now) {
            outcome.report = RejectionReport(rejection: newest.rejection, suppressed: suppressed)
        }
        return outcome
    }

    /// What was rejected and not reported yet, where an interval has passed since the last report. The newest stands for all.
    package mutating func overdueReport(now: MonotonicInstant) -> RejectionReport? {
        guard let newest = lastRejection, let count = limiter.overdue(now: now) else { return nil }
        return RejectionReport(rejection: newest.rejection, suppressed: count - 1)
    }

    // MARK: Silence

    /// When the device becomes stale if it stays silent; `nil` where it is stale already or may be silent.
    package var silenceDeadline: MonotonicInstant? {
        guard staleSince == nil, let interval = policy.expectedInterval else { return nil }
        return lastSignAt.advanced(by: interval)
    }

    private var lastSignAt: MonotonicInstant {
        max(lastReadingAt ?? createdAt, heardElsewhereAt ?? createdAt)
    }

    /// The device has spoken, and another gateway of the covey takes what it said.
    package mutating func heardElsewhere(now: MonotonicInstant) -> DeviceNotice? {
        heardElsewhereAt = now
        guard staleSince != nil else { return nil }
        staleSince = nil
        return .fresh
    }

    /// Notices that the device has been silent for longer than expected: once per silence. No reading is made up for it.
    package mutating func checkSilence(now: MonotonicInstant) -> DeviceNotice? {
        guard let deadline = silenceDeadline, now > deadline else { return nil }
        staleSince = deadline
        return .stale(silentFor: lastSignAt.duration(to: now))
    }

    package var seriesCount: Int { series.slots.count }

    package var status: DeviceStatus {
        DeviceStatus(
            id: id, counts: counts, latest: series.slots.compactMap(\.latest).sorted { $0.series < $1.series },
            seriesCount: seriesCount, staleSince: staleSince, lastReadingAt: lastReadingAt,
            lastRejection: lastRejection?.rejection, lastRejectionAt: lastRejection?.at)
    }
}
