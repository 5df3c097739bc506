/// Every limit that more than one part shares, each with its reason. Parts keep limits of their own beside their code.
package enum Limits {
    /// A device name must fit a topic level and a table column.
    package static let deviceNameBytes = 128
    /// A metric is a dotted JSON path; deeper or longer ones are noise, not quantities.
    package static let metricNameBytes = 128
    /// A unit is a few letters.
    package static let unitBytes = 32
    /// Text readings are states such as `Online`; longer text is a document, which is not a reading.
    package static let textValueBytes = 256
    /// A message beyond this is rejected before it is parsed: the largest honest sensor payload seen is some 20 KiB.
    package static let payloadBytes = 256 * 1024
    /// Readings of one message stay together in one block, so that a message is stored whole or not at all.
    package static let readingsPerMessage = 512
    /// JSON deeper than this is an attack or a fault, and recursion costs stack.
    package static let jsonDepth = 32
    /// Devices of one gateway, configured and discovered: each costs an actor, counters and a line in every segment.
    package static let devices = 4096
    /// Series of one gateway; a topic bomb of metrics ends here.
    package static let series = 32_768
    /// Values of each series that are kept in RAM beside the newest: a trend as wide as a column of a table. 4 bytes each.
    package static let historyValues = 24
    /// A chunk is the unit of upload: its boundaries are multiples of this offset, on every gateway alike.
    package static let chunkReadings = 512
    /// Chunks on the way to one sink: enough to fill a slow link, few enough to repeat after a hand-off.
    package static let chunksInFlight = 4
}
