package import LogFormat
package import Model
package import RingLog
import Synchronization

/// Everything that a gateway did to its disk, in order, and what it had promised by then.
package struct DiskTrace: Sendable {
    package enum Step: Sendable {
        case write(position: Int, bytes: [UInt8])
        /// A sync has returned: everything written before is durable.
        case sync
        /// From here on the gateway is held to this.
        case promise(DiskPromise)
    }

    /// Bytes of the disk, which was all zeros at first.
    package let size: Int
    package let options: RingOptions
    package private(set) var steps: [Step] = []

    package init(size: Int, options: RingOptions) {
        self.size = size
        self.options = options
    }

    package mutating func append(_ step: Step) { steps.append(step) }

    package var writes: Int { steps.count { if case .write = $0 { true } else { false } } }
    package var syncs: Int { steps.count { if case .sync = $0 { true } else { false } } }
}

/// What a gateway says of its disk at one moment: a start after a power cut must find that.
package struct DiskPromise: Sendable {
    package struct Log: Sendable {
        package let log: LogID
        package let isOwn: Bool
        /// Readings that are durable, and of which nothing was said to the contrary.
        package let held: [Range<Offset>]
        /// One past the last offset given out.
        package let end: Offset

        package init(log: LogID, isOwn: Bool, held: [Range<Offset>], end: Offset) {
            self.log = log
            self.isOwn = isOwn
            self.held = held
            self.end = end
        }
    }

    package var logs: [Log] = []
    /// Values that each small record may have: the durable one, and those put since.
    package var states: [StateKey: [[UInt8]]] = [:] {
        didSet { kept = states.keys.filter { states[$0]?.contains([]) == false }.sorted() }
    }
    /// Those of them that must be there.
    package private(set) var kept: [StateKey] = []
    /// `false` where nobody took down what the small records were.
    package var isAboutRecords = true
    /// Messages that were answered lately: redelivered, they must be known.
    package var marks: [DeliveryMark] = []

    package init() {}

    /// What `ring` says, for a log and its copies alike.
    package init(of ring: RingLog) {
        for log in ring.logs {
            let end = log.log == ring.currentLog ? max(log.end, ring.nextOffset) : log.end
            logs.append(Log(log: log.log, isOwn: true, held: ring.ranges(of: log.log), end: end))
        }
        for copy in ring.copies {
            logs.append(Log(log: copy.log, isOwn: false, held: copy.ranges, end: copy.end))
        }
    }
}

/// Every reading that was ever given a place, by log and offset: what an image shows must be one of them.
package struct DiskTruth: Sendable {
    private var logs: [LogID: [Reading?]] = [:]

    package init() {}

    package mutating func note(_ log: LogID, _ readings: [Reading?]) { logs[log] = readings }

    package func reading(_ log: LogID, _ offset: Offset) -> Reading? {
        guard let known = logs[log], offset.rawValue < UInt64(known.count) else { return nil }
        return known[Int(offset.rawValue)]
    }
}

/// Takes down what a disk is asked to do. Any thread.
package final class DiskRecorder: Sendable {
    private let state: Mutex<DiskTrace>

    package init(size: Int, options: RingOptions) { state = Mutex(DiskTrace(size: size, options: options)) }

    package func note(_ step: DiskTrace.Step) { state.withLock { $0.append(step) } }

    package var trace: DiskTrace { state.withLock { $0 } }
}
