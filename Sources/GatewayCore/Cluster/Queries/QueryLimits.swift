/// Every limit of questions between gateways, each with its reason.
package enum QueryLimits {
    /// Logs that one question names: a gateway that was started so often since its peers began to forget. Those of
    /// ``ReadingPage/mostLogs``.
    static let parts = 128
    /// Ranges of one log in a question: what a claim has, and as many holes as a copy of it may have here.
    static let ranges = 64
    /// Ranges in a question: with 18 bytes each it stays far below the 160 KiB of a frame.
    static let questionRanges = 1024
    /// Patterns, and the bytes of each: what a caller of the control interface may say.
    static let globs = 64
    static let globBytes = 300
    /// Readings of a page at most: some 20 KiB. All pages that wait to be merged hold ``heldReadings`` at most.
    static let pageReadings = 1024
    static let leastPageReadings = 128
    /// Readings of others that one query holds in memory, some 3 MB.
    static let heldReadings = 16_384
    /// Questions of one query that wait for an answer: with pages of 64 KiB at most they fit a slow gateway's RAM.
    static let inFlight = 16
    /// Questions of one query at a time, those that are done not counted: pages of ``leastPageReadings`` hold ``heldReadings``.
    static let sources = 128
    /// How long one holder may take for a page, before the next is asked.
    static let patience = Duration.seconds(2)
    /// How long an answer waits for readings, whoever was asked for them. Below the 10 s in which the control interface wants to
    /// hear something.
    static let waiting = Duration.seconds(5)
    /// How long a holder that is busy is left alone.
    static let busy = Duration.milliseconds(300)
    /// Questions of one peer that wait here; beyond, it is told to come again.
    static let waitingPerPeer = 4
    /// Questions of all peers that wait here, some 30 KiB each at the most. One is read at a time, so that chunks and uploads get the
    /// reading thread between any two pages.
    static let waitingInAll = 16
    /// Blocks that one page reads where time tells which come first: 4 MiB.
    static let blocks = 64
    /// Blocks that one page may have to read because their times are not certain, or reach over all of it: 64 MiB at the most, mostly
    /// a tenth of that. Beyond, the question is refused.
    static let blocksInAll = 1024
}
