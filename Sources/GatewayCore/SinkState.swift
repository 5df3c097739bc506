import LogFormat
import Model
package import Sinks

/// One sink as the core knows it: what it is called, whether its receipts free the ring, and how far it is.
package struct SinkState: Sendable {
    package let name: String
    /// Nothing may leave the ring before a required sink has it.
    package let isRequired: Bool
    package var machine: UploadMachine

    package init(name: String, isRequired: Bool, settings: UploadSettings) {
        self.name = name
        self.isRequired = isRequired
        machine = UploadMachine(settings: settings)
    }

    func progressKey(_ log: LogID) -> StateKey { StateKey(StateKind.progress, "\(log)/\(name)") }
    var totalsKey: StateKey { StateKey(StateKind.totals, name) }
}

/// The kinds of state records that ride in the ring's blocks. Raw values are part of the stored format.
enum StateKind {
    /// Name: device. ``StreamCounts``.
    static let stream: UInt8 = 1
    /// Name: `LOG/SINK`. The upload progress of one log.
    static let progress: UInt8 = 2
    /// Name: sink. Counts of logs that are forgotten.
    static let totals: UInt8 = 3
    /// Name: empty. Where the stream counts were taken: readings from there on are not in them yet.
    static let ledgerPosition: UInt8 = 4
    /// Name: broker. How often its session was lost.
    static let session: UInt8 = 5
    /// Name: empty. The node id, 32 hexadecimal digits.
    static let node: UInt8 = 6
    /// Name: empty. The gateway's name, UTF-8.
    static let name: UInt8 = 7
}
