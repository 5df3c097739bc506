import Environment

/// Conditions that hold for every datagram of a history.
struct NetworkWeather {
    /// Datagrams of a thousand that are lost, and that come twice.
    var lost: Int64 = 0
    var doubled: Int64 = 0
    /// Datagrams of a thousand that take much longer than the others, and so come behind later ones.
    var straying: Int64 = 0
    /// Microseconds that a message takes at least and at most.
    var delay: ClosedRange<Int64> = 200...2000
    /// Larger datagrams vanish.
    var mtu = 1472
}

/// The ways between gateways: datagrams that may do anything, and streams that are in order until they break.
///
/// Every way is directed; both directions of a partition are cut apart from each other.
struct Network {
    struct Way {
        var isCut = false
        /// Nothing arrives before this, and then all of it.
        var cloggedUntil: Int64 = 0
        /// When the last frame arrives: a later one comes behind it.
        var lastFrame: Int64 = 0
        /// Goes up when the stream breaks; frames of older ones are lost.
        var stream = 0
        /// Frames and bytes on their way.
        var framesUnderWay = 0
    }

    struct Counts {
        var datagrams = 0
        var datagramBytes = 0
        var frames = 0
        var frameBytes = 0
        var largestDatagram = 0
        var largestFrame = 0
    }

    let size: Int
    var weather = NetworkWeather()
    private var ways: [Way]
    private(set) var counts = Counts()
    /// Datagrams seen lately, for whoever replays them.
    private(set) var recorded: [(bytes: [UInt8], from: Int, to: Int)] = []
    private var nextRecorded = 0

    init(size: Int) {
        self.size = size
        ways = Array(repeating: Way(), count: size * size)
    }

    subscript(from: Int, to: Int) -> Way {
        get { ways[from * size + to] }
        set { ways[from * size + to] = newValue }
    }

    /// A stream needs both directions: one carries what it says, the other that it was heard.
    func isStreamCut(_ from: Int, _ to: Int) -> Bool { self[from, to].isCut || self[to, from].isCut }

    // MARK: Datagrams

    /// When a datagram arrives: never, once, or twice.
    mutating func send(
        datagram bytes: [UInt8], from: Int, to: Int, at time: Int64, using random: inout SeededRandom,
        struck: (FaultKind) -> Void
    ) -> [Int64] {
        counts.datagrams += 1
        counts.datagramBytes += bytes.count
        counts.largestDatagram = max(counts.largestDatagram, bytes.count)
        record(bytes, from, to)
        let way = self[from, to]
        if way.isCut { return [] }
        if bytes.count > weather.mtu {
            struck(.smallMTU)
            return []
        }
        if weather.lost > 0, random.draw(1, 1000) <= weather.lost {
            struck(.datagramLoss)
            return []
        }
        var arrivals = [max(time + delay(using: &random), way.cloggedUntil)]
        if weather.straying > 0, random.draw(1, 1000) <= weather.straying {
            struck(.datagramReorder)
            arrivals[0] += random.draw(5, 3000) * SimulatedTime.millisecond
        }
        if weather.doubled > 0, random.draw(1, 1000) <= weather.doubled {
            struck(.datagramDuplication)
            arrivals.append(arrivals[0] + random.draw(0, 5000) * SimulatedTime.millisecond)
        }
        return arrivals
    }

    /// A planted bug says it so many times more.
    mutating func repeatCount(of bytes: [UInt8], _ times: Int) {
        counts.datagrams += times
        counts.datagramBytes += times * bytes.count
    }

    private func delay(using random: inout SeededRandom) -> Int64 {
        random.draw(weather.delay.lowerBound, weather.delay.upperBound) * 1000
    }

    /// Old datagrams kept: enough that some of them are minutes old.
    private static let recordedMost = 512

    private mutating func record(_ bytes: [UInt8], _ from: Int, _ to: Int) {
        if recorded.count < Self.recordedMost {
            recorded.append((bytes, from, to))
        } else {
            recorded[nextRecorded] = (bytes, from, to)
            nextRecorded = (nextRecorded + 1) % Self.recordedMost
        }
    }

    // MARK: Streams

    /// When a frame arrives, behind all that were sent before it, at 4 MB/s.
    mutating func send(
        frame bytes: [UInt8], from: Int, to: Int, at time: Int64, using random: inout SeededRandom
    ) -> (arrival: Int64, stream: Int) {
        counts.frames += 1
        counts.frameBytes += bytes.count
        counts.largestFrame = max(counts.largestFrame, bytes.count)
        let way = self[from, to]
        let arrival = max(
            time + delay(using: &random) + Int64(bytes.count) * 250, way.cloggedUntil, way.lastFrame + 1000)
        self[from, to].lastFrame = arrival
        self[from, to].framesUnderWay += 1
        return (arrival, way.stream)
    }

    /// Whether a frame of that stream still arrives.
    mutating func arrives(frameOf stream: Int, from: Int, to: Int) -> Bool {
        self[from, to].framesUnderWay -= 1
        return self[from, to].stream == stream
    }

    /// Everything under way in both directions is lost.
    mutating func breakStream(_ one: Int, _ other: Int) {
        self[one, other].stream += 1
        self[other, one].stream += 1
    }

    /// Every way is open again, and the weather is fine.
    mutating func heal(at time: Int64) {
        weather = NetworkWeather()
        for index in ways.indices {
            ways[index].isCut = false
            ways[index].cloggedUntil = min(ways[index].cloggedUntil, time)
        }
    }
}
