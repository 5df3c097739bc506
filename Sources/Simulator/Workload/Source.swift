import Environment
import GatewayCore
import LogFormat
import Model

/// What a source has in hand: a broker's message, or what a wire said.
struct Message {
    let id: UInt16
    let hash: UInt64
    let readings: [Reading]
}

/// A source of readings. A broker keeps its messages until they are acknowledged, and delivers them again to a new process.
struct Source {
    let name: String
    let isBroker: Bool
    let devices: [DeviceID]
    var inFlight: [Message] = []
    var ticket: Ticket?
    var mustRedeliver = false
    var nextID: UInt16 = 0
    /// It has said its last word.
    var isSilent = false

    init(name: String, isBroker: Bool) {
        self.name = name
        self.isBroker = isBroker
        devices = (0..<3).map { DeviceID("\(name)-\($0)") }
    }
}
