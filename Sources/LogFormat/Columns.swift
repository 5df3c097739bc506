import Model

/// Differences between neighbours, runs of equal ones counted: a round of devices in the same order costs almost nothing.
struct StepWriter {
    private(set) var bytes: [UInt8] = []
    private var last = 0
    private var step: Int64 = 0
    private var count = 0
    /// What the run that is still open takes at most.
    static let openBytes = 10

    @inline(__always)
    mutating func append(_ value: Int) {
        let step = Int64(value - last)
        last = value
        if count > 0, step == self.step {
            count += 1
        } else {
            flush()
            self.step = step
            count = 1
        }
    }

    /// Call once, at the end.
    mutating func flush() {
        guard count > 0 else { return }
        bytes.append(varint: step.zigzagged << 1 | (count > 1 ? 1 : 0))
        if count > 1 { bytes.append(varint: UInt64(count)) }
    }
}

struct StepReader {
    private var reader: ByteReader
    /// Of a packed column, all that is left, next one last.
    private var numbers: [Int64] = []
    private var last: Int64 = 0
    private var step: Int64 = 0
    private var count: UInt64 = 0

    init(_ reader: ByteReader) {
        self.reader = reader
    }

    /// `numbers`: of an ``IntegerColumn``.
    init(_ numbers: [Int64]) {
        reader = ByteReader([], 0..<0)
        self.numbers = numbers.reversed()
    }

    /// A value from 0 to below `limit`.
    @inline(__always)
    mutating func next(limit: Int) throws(FormatError) -> Int {
        if let number = numbers.popLast() {
            guard number >= 0, number < Int64(limit) else { throw .invalid("index") }
            return Int(number)
        }
        if count == 0 {
            let token = try reader.varint()
            step = (token >> 1).unzigzagged
            count = token & 1 == 1 ? try reader.varint() : 1
            guard count > 0 else { throw .invalid("run of steps") }
        }
        count -= 1
        last &+= step
        guard last >= 0, last < Int64(limit) else { throw .invalid("index") }
        return Int(last)
    }
}

/// Uptimes, both as differences and as differences of differences; the shorter form is kept. Messages that bring several
/// readings favour the first, steady single series the second.
struct TimeWriter {
    private var steps: [UInt8] = [0]
    private var changes: [UInt8] = [1]
    private var last: Int64 = 0
    private var lastStep: Int64 = 0

    @inline(__always)
    mutating func append(_ time: Int64) {
        let step = time &- last
        steps.append(signed: step)
        changes.append(signed: step &- lastStep)
        last = time
        lastStep = step
    }

    var count: Int { min(steps.count, changes.count) }
    var bytes: [UInt8] { steps.count <= changes.count ? steps : changes }
}

struct TimeReader {
    private var reader: ByteReader
    private let countsChanges: Bool
    private var last: Int64 = 0
    private var lastStep: Int64 = 0
    /// Of a packed column, all that is left, next one last.
    private var numbers: [Int64] = []

    /// `numbers`: of an ``IntegerColumn``.
    init(_ numbers: [Int64]) {
        reader = ByteReader([], 0..<0)
        countsChanges = false
        self.numbers = numbers.reversed()
    }

    init(_ part: ByteReader) throws(FormatError) {
        reader = part
        let form = try reader.byte()
        guard form <= 1 else { throw .invalid("form of times") }
        countsChanges = form == 1
    }

    @inline(__always)
    mutating func next() throws(FormatError) -> Int64 {
        if let number = numbers.popLast() { return number }
        let value = try reader.signed()
        lastStep = countsChanges ? lastStep &+ value : value
        last &+= lastStep
        return last
    }
}

/// Which readings of a block have something unusual: runs of them, each after a gap of usual ones.
struct QualityWriter {
    private(set) var bytes: [UInt8] = []
    private var quality: Quality = .good
    private var gap = 0
    private var count = 0
    static let openBytes = 8

    @inline(__always)
    mutating func append(_ next: Quality) {
        if next == quality, next == .good {
            gap += 1
        } else if next == quality {
            count += 1
        } else {
            flush()
            quality = next
            if next == .good { gap = 1 } else { count = 1 }
        }
    }

    /// Call once, at the end.
    mutating func flush() {
        guard quality != .good else { return }
        bytes.append(varint: UInt64(gap))
        bytes.append(varint: UInt64(count))
        bytes.append(quality.rawValue)
        gap = 0
        count = 0
    }
}

struct QualityReader {
    private var reader: ByteReader?
    private var gap: UInt64 = 0
    private var count: UInt64 = 0
    private var quality: Quality = .good

    init(_ reader: ByteReader?) {
        self.reader = reader
    }

    @inline(__always)
    mutating func next() throws(FormatError) -> Quality {
        guard reader != nil else { return .good }
        if gap == 0, count == 0 { try load() }
        if gap > 0 {
            gap -= 1
            return .good
        }
        if count > 0 {
            count -= 1
            return quality
        }
        return .good
    }

    private mutating func load() throws(FormatError) {
        guard var part = reader else { return }
        guard !part.isAtEnd else {
            reader = nil
            return
        }
        gap = try part.varint()
        count = try part.varint()
        guard count > 0, let known = Quality(rawValue: try part.byte()) else { throw .invalid("quality") }
        quality = known
        reader = part
    }
}

/// The devices' own times, for those readings that have one.
struct DeviceTimeWriter {
    private(set) var bytes: [UInt8] = []
    private var gap = 0
    private var last: Int64 = 0

    @inline(__always)
    mutating func append(_ time: Milliseconds?) {
        guard let time else {
            gap += 1
            return
        }
        bytes.append(varint: UInt64(gap))
        bytes.append(signed: time.rawValue &- last)
        last = time.rawValue
        gap = 0
    }
}

struct DeviceTimeReader {
    private var reader: ByteReader?
    private var gap: UInt64 = 0
    private var last: Int64 = 0

    init(_ part: ByteReader?) throws(FormatError) {
        reader = part
        try load()
    }

    @inline(__always)
    mutating func next() throws(FormatError) -> Milliseconds? {
        guard reader != nil else { return nil }
        if gap > 0 {
            gap -= 1
            return nil
        }
        last &+= try reader?.signed() ?? 0
        try load()
        return Milliseconds(last)
    }

    private mutating func load() throws(FormatError) {
        guard let part = reader else { return }
        if part.isAtEnd { reader = nil } else { gap = try reader?.varint() ?? 0 }
    }
}
