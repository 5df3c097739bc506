import Model
import RingLog
import Sinks

/// What happens in a site, and to whom.
enum Happening {
    /// Reaches the process of that gateway and that life, or nobody.
    case process(gateway: Int, life: Int, ProcessEvent)
    case start(Int)
    case feed(gateway: Int, source: Int)
    /// A chunk has come to a sink; what left the gateway arrives, whether or not its process still lives.
    indirect case arrival(Shipment)
    case datagram([UInt8], from: Int, to: Int)
    case frame(Frame)
    case fault(FaultKind)
    /// A condition that a fault brought about ends.
    case relief(Relief)
}

enum Relief {
    case disk(Int)
    case wake(Int)
    case clock(Int)
    case reach(gateway: Int, sink: Int)
    case mood(sink: Int)
    case network(split: Int)
}

/// A frame on its way to a peer.
struct Frame {
    let bytes: [UInt8]
    let from: Int
    let to: Int
    let stream: Int
    let senderLife: Int
    let receiverLife: Int
}

/// A chunk on its way to a sink.
struct Shipment {
    let gateway: Int
    let life: Int
    let sink: Int
    let request: SendRequest
    let readings: [StoredReading]
    let mood: SharedSink.Mood
}
