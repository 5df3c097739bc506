package import Model

/// What may be let go.
extension DutyRoster {
    /// What of a log every sink that anybody requires has, or will never have from here; `nil` where nothing requires any sink.
    package func settledRanges(_ log: LogName) -> OffsetRanges? {
        var common: OffsetRanges?
        for sink in required {
            let done = places[UploadKey(sink: sink, log: log)].map { duties[$0].done } ?? OffsetRanges()
            common = common.map { $0.intersection(done) } ?? done
        }
        return common
    }

    /// Every required sink has everything below, whoever holds it; zero where one has not the first reading, `nil` where nothing
    /// requires any sink. What was never held here stops it.
    package func releasable(_ log: LogName) -> Offset? { settledRanges(log)?.prefixEnd }

    /// Nothing that is held here below it is needed for an upload: what of the log this gateway may let go. At or above
    /// ``releasable(_:)``, as it passes over what is not here; `nil` where nothing requires any sink.
    package func releasableHere(_ log: LogName) -> Offset? {
        guard let settled = settledRanges(log) else { return nil }
        guard let holds = logs[log]?.holds else { return settled.prefixEnd }
        let needed = holds.subtracting(settled)
        return max(needed.lowest ?? holds.end, settled.prefixEnd)
    }

    /// Whether no sink that anybody requires still needs anything of what is held here.
    package func settledEverywhere(_ log: LogName) -> Bool {
        guard let holds = logs[log]?.holds, let settled = settledRanges(log) else { return true }
        return settled.contains(holds)
    }

    /// What the sink has of the log, as far as is proved here.
    package func proved(_ sink: SinkID, _ log: LogName) -> OffsetRanges {
        places[UploadKey(sink: sink, log: log)].map { duties[$0].proved } ?? OffsetRanges()
    }

    /// Whether this gateway works on the log for the sink now, and says so.
    package func isWorking(_ sink: SinkID, _ log: LogName) -> Bool {
        places[UploadKey(sink: sink, log: log)].map { duties[$0].isWorking } ?? false
    }
}
