import Model

/// What values may be, each with its reason.
enum Bounds {
    /// A configuration of 4096 devices takes about 1 MiB; what is larger is some other file.
    static let fileBytes = 4 * 1024 * 1024
    /// Enough to mend a file in one go, few enough to read.
    static let faults = 200
    /// Syntax faults after which the rest of the text is guesswork.
    static let repairs = 16
    static let brokers = 32
    static let uploads = 32
    /// Names of brokers and uploads become parts of topics, file names and table columns.
    static let nameBytes = 64
    /// `sun_path` of a Unix socket has 108 bytes with its end.
    static let socketPathBytes = 107
    /// Eight segments: fewer leave no room to merge and to evict by whole segments.
    static let ringSize = ByteCount.mebibytes(32)...ByteCount.mebibytes(1 << 20)
    static let segmentBytes: Int64 = 4 << 20
    /// A stated loss window of more than a minute is no durability.
    static let commitWindow = Duration.zero...Duration.seconds(60)
    static let acks: ClosedRange<Int64> = 1...16
    static let cardEndurance = ByteCount(1_000_000_000)...ByteCount(100_000_000_000_000_000)
    /// Below a second a small board would do nothing else.
    static let scrubInterval = Duration.seconds(1)...Duration.seconds(365 * 86_400)
    static let keep = Duration.seconds(1)...Duration.seconds(3650 * 86_400)
    /// Below a second little would be won; above a day little would be told.
    static let downsampleWindow = Duration.seconds(1)...Duration.seconds(86_400)
    static let clockWait = Duration.zero...Duration.seconds(24 * 3600)
    /// The protocol counts seconds in 16 bits; below 5 s every hiccup is a disconnect.
    static let keepAlive = Duration.seconds(5)...Duration.seconds(18 * 3600)
    /// The protocol counts seconds in 32 bits; a session shorter than a minute does not outlive a restart.
    static let sessionExpiry = Duration.seconds(60)...Duration.seconds(365 * 86_400)
    /// Half of it is a commit's share of messages: below 10, every message would be a sync of its own.
    static let receiveMaximum: ClosedRange<Int64> = 10...65_535
    static let silentAlarm = Duration.seconds(1)...Duration.seconds(365 * 86_400)
    static let expectedInterval = Duration.milliseconds(10)...Duration.seconds(365 * 86_400)
    static let priority: ClosedRange<Int64> = 0...9
    /// From one reading a day to more than a board can take.
    static let ratePerSecond = (1.0 / 86_401)...1_000_000
    static let line: ClosedRange<Int64> = 0...1023
    /// The kernel counts debounce in 32 bits of microseconds; no contact bounces for as long as this.
    static let debounce = Duration.zero...Duration.seconds(10)
    static let interval = Duration.milliseconds(10)...Duration.seconds(86_400)
    static let simulatedInterval = Duration.milliseconds(1)...Duration.seconds(86_400)
    static let period = Duration.milliseconds(10)...Duration.seconds(365 * 86_400)
    static let amount = -1e12...1e12
    static let linger = Duration.zero...Duration.seconds(600)
    static let timeout = Duration.milliseconds(100)...Duration.seconds(600)
    static let chunksInFlight: ClosedRange<Int64> = 1...Int64(Limits.chunksInFlight)
    static let rotateAt = ByteCount.kibibytes(64)...ByteCount.mebibytes(1 << 20)
    static let headers = 32
    static let seeds = 64
    static let paths = Limits.readingsPerMessage
}

/// What a key means that the file does not have, each with its reason.
enum Defaults {
    static let dataDirectory = "/var/lib/covey"
    static let socket = "/run/covey/covey.sock"
    /// Days of a house's readings, and a small part of the smallest card.
    static let ringSize = ByteCount.mebibytes(1024)
    /// A second is what most sources can lose without anyone minding, and it spares the flash.
    static let commitWindow = Duration.seconds(1)
    /// What a person looks at when an outage of days is over.
    static let downsampleWindow = Duration.seconds(600)
    /// NTP answers within seconds of the network's arrival, or not soon.
    static let clockWait = Duration.seconds(30)
    /// Often enough to find what a card forgets while peers still have it; 1 GiB in a week are 2 KB/s.
    static let scrubInterval = Duration.seconds(7 * 86_400)
    static let keepAlive = Duration.seconds(60)
    /// A gateway that comes back within a week finds what the broker kept.
    static let sessionExpiry = Duration.seconds(7 * 86_400)
    /// Half of it is committed at a time: 2048 messages, even where the window is long.
    static let receiveMaximum = 4096
    static let silentAlarm = Duration.seconds(600)
    static let priority = 5
    static let chip = "gpiochip0"
    static let interval = Duration.seconds(10)
    static let simulatedInterval = Duration.seconds(1)
    static let period = Duration.seconds(60)
    static let linger = Duration.seconds(1)
    static let timeout = Duration.seconds(30)
    static let rotateAt = ByteCount.mebibytes(64)
    static let clusterPort = 8472
}
