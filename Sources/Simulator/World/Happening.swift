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
    case arrival(Shipment)
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
