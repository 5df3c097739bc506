/// Finds out which messages of a resumed session are redeliveries.
///
/// libmosquitto's message callback does not show MQTT's DUP flag, but its debug log does, in the line right before:
/// `Client ID received PUBLISH (d1, q1, r0, m5, 'topic', ... (12 bytes))`. A log line per message costs more than the message, so
/// the log is listened to only until the first message that is new: a broker resends what it has outstanding before anything else. Pure.
package struct RedeliveryWatch: Sendable {
    /// What a log line said of the message that follows it.
    struct Flags: Hashable {
        var isDuplicate: Bool
        var qos: Int
        var isRetained: Bool
        var messageID: UInt16
    }

    private enum State {
        /// Steady state, or a session that began now: nothing can be a redelivery.
        case off
        case watching
        /// The log could not be understood: this many messages more may be redeliveries.
        case guessing(Int)
    }

    private let prefix: [UInt8]
    private let receiveMaximum: Int
    private var state = State.off
    private var noted: Flags?

    /// `receiveMaximum`: how many messages a broker can have outstanding, and so resend.
    package init(clientID: String, receiveMaximum: Int) {
        prefix = Array("Client \(clientID) received PUBLISH (".utf8)
        self.receiveMaximum = receiveMaximum
    }

    /// Whether the debug log must be listened to.
    package var needsLog: Bool {
        if case .watching = state { true } else { false }
    }

    package mutating func connected(sessionPresent: Bool) {
        state = sessionPresent ? .watching : .off
        noted = nil
    }

    /// A line of the debug log; any line may be given.
    package mutating func note(line: some Sequence<UInt8>) {
        guard case .watching = state, let flags = parse(line) else { return }
        noted = flags
    }

    /// Whether this message, which comes right after its line, is or may be a redelivery.
    package mutating func classify(messageID: UInt16, qos: Int, isRetained: Bool) -> Bool {
        switch state {
        case .off: return false
        case .watching:
            guard let flags = noted, flags.messageID == messageID, flags.qos == qos, flags.isRetained == isRetained
            else {
                state = .guessing(receiveMaximum)
                return classify(messageID: messageID, qos: qos, isRetained: isRetained)
            }
            noted = nil
            // QoS 0 and retained messages may come in between and say nothing about the resent ones.
            if !flags.isDuplicate, qos > 0, !isRetained { state = .off }
            return flags.isDuplicate
        case .guessing(let left):
            guard qos > 0 else { return false }
            state = left > 1 ? .guessing(left - 1) : .off
            return true
        }
    }

    /// Reads `d1, q1, r0, m5,` after the prefix that names this client.
    func parse(_ line: some Sequence<UInt8>) -> Flags? {
        var bytes = line.makeIterator()
        for expected in prefix {
            guard bytes.next() == expected else { return nil }
        }
        guard let duplicate = Self.field("d", &bytes), let qos = Self.field("q", &bytes),
            let retained = Self.field("r", &bytes), let id = Self.field("m", &bytes),
            duplicate <= 1, qos <= 2, retained <= 1, let messageID = UInt16(exactly: id)
        else { return nil }
        return Flags(isDuplicate: duplicate == 1, qos: qos, isRetained: retained == 1, messageID: messageID)
    }

    /// One letter, digits and a comma, spaces before it.
    private static func field(_ letter: Unicode.Scalar, _ bytes: inout some IteratorProtocol<UInt8>) -> Int? {
        var byte = bytes.next()
        while byte == UInt8(ascii: " ") { byte = bytes.next() }
        guard byte == UInt8(ascii: letter) else { return nil }
        var value = 0
        var digits = 0
        while let digit = bytes.next() {
            if digit == UInt8(ascii: ",") { return digits > 0 ? value : nil }
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit), digits < 6 else { return nil }
            value = value * 10 + Int(digit - UInt8(ascii: "0"))
            digits += 1
        }
        return nil
    }
}
