import Environment
import GatewayCore
import LogFormat
import Membership
import Model
import RingLog
import Sinks

/// A site in one thread: whole gateways over simulated disks, clocks and sinks. A seed is one history.
package final class World {
    package let scenario: Scenario
    let options: RunOptions
    let ringOptions: RingOptions
    var streams: Streams
    var heap = EventHeap<Happening>()
    /// Simulated nanoseconds since the beginning.
    package internal(set) var time: Int64 = 0
    package internal(set) var trace = TraceHash()
    package internal(set) var failures: [Failure] = []
    /// Events that happened.
    package internal(set) var events = 0
    /// How often each fault kind has struck, by raw value.
    package internal(set) var coverage = [Int](repeating: 0, count: FaultKind.allCases.count)
    /// Where the trace goes, if anywhere.
    package var tracer: ((String) -> Void)?

    var gateways: [SimulatedGateway] = []
    var sinks: [SharedSink]
    var network: Network
    /// Who is reached under which address.
    let places: [PeerAddress: Int]
    let addresses: [PeerAddress]
    /// Opportunities that a planted bug had.
    var tampered = 0
    /// Partitions so far.
    var splits = 0
    let truth: Truth
    var nextTicket: UInt64 = 0
    var isHealed = false
    var healedAt: Int64 = 0
    /// The required sinks, or all where none is: what has a bit for each of these may leave.
    let judges: UInt8

    package init(seed: UInt64, options: RunOptions = RunOptions()) {
        self.options = options
        streams = Streams(seed: seed)
        scenario = Scenario(seed: seed, options: options)
        var ringOptions = RingOptions()
        ringOptions.geometry = Geometry(segmentBytes: 64 << 10, blockBytes: 16 << 10)
        // Half of it must hold the largest chunk of a peer's.
        ringOptions.pendingBytes = scenario.gateways > 1 ? 512 << 10 : 64 << 10
        ringOptions.backgroundBytes = 32 << 10
        // What is recorded is asked whether the last answers are known: a quarter of these is sure to be.
        ringOptions.marksKept = options.records ? 1024 : 256
        self.ringOptions = ringOptions
        sinks = scenario.sinks.map { SharedSink(plan: $0) }
        judges = scenario.requiredSinks
        truth = Truth(sinks: sinks.count)
        network = Network(size: scenario.gateways)
        addresses = (0..<scenario.gateways).map { Self.address(of: $0) }
        places = Dictionary(uniqueKeysWithValues: zip(addresses, 0...))
        drawWeather()
        for index in 0..<scenario.gateways {
            let size = scenario.segments[index] * ringOptions.geometry.segmentBytes
            let gateway = SimulatedGateway(index: index, disk: SimulatedDisk(size: size), sinks: sinks.count)
            if scenario.faults.contains(.clockDrift) {
                gateway.clock.driftPPM = streams.clocks.draw(-200, 200)
                cover(.clockDrift)
            }
            if index < scenario.configuredNodes { gateway.configuredNode = NodeID(using: &streams.cores) }
            if options.records { gateway.recording = Recording(of: gateway.disk, options: ringOptions) }
            gateways.append(gateway)
            heap.push(.start(index), at: streams.processes.draw(0, 2) * SimulatedTime.second)
            for source in gateway.sources.indices {
                heap.push(.feed(gateway: index, source: source), at: SimulatedTime.second)
            }
        }
        for kind in scenario.faults.kinds { plan(kind) }
    }

    /// The next event.
    func happen() {
        guard let (at, payload) = heap.pop() else { return }
        time = max(time, at)
        events += 1
        trace.note(UInt64(bitPattern: at))
        perform(payload)
    }

    private func perform(_ happening: Happening) {
        switch happening {
        case .process(let index, let life, let event): deliver(event, to: gateways[index], life: life)
        case .start(let index): start(gateways[index])
        case .feed(let index, let source): feed(gateways[index], source)
        case .arrival(let shipment): arrive(shipment)
        case .datagram(let bytes, let sender, let receiver): arrive(bytes, from: sender, to: receiver)
        case .frame(let frame): arrive(frame)
        case .fault(let kind): strike(kind)
        case .relief(let relief): relieve(relief)
        }
    }

    func later(_ delay: Int64, _ happening: Happening) { heap.push(happening, at: time + max(0, delay)) }

    func later(_ delay: Int64, _ gateway: SimulatedGateway, _ event: ProcessEvent) {
        later(delay, .process(gateway: gateway.index, life: gateway.life, event))
    }

    func cover(_ kind: FaultKind) { coverage[kind.rawValue] += 1 }

    func say(_ text: @autoclosure () -> String) {
        guard let tracer else { return }
        tracer("\(SimulatedTime.text(time)) \(text())")
    }

    func fail(_ property: Property, _ gateway: SimulatedGateway? = nil, _ text: @autoclosure () -> String) {
        guard failures.count < 5 else { return }
        let failure = Failure(property: property, at: time, gateway: gateway?.index, text: text())
        failures.append(failure)
        say("BROKEN \(failure)")
        if let gateway { sayState(gateway) }
    }

    /// For whoever reads the trace of a failure: what its gateway believes and what it wants to send.
    private func sayState(_ gateway: SimulatedGateway) {
        guard tracer != nil, let core = gateway.core, let cluster = core.cluster else { return }
        for member in cluster.membership.members { say("knows \(member.node) as \(member.state)") }
        say("duty: \(cluster.duty)".replacing("KeyDuty(", with: "\nKeyDuty("))
        for sink in core.sinks { say("machine: \(sink.machine)".replacing("LogUpload(", with: "\nLogUpload(")) }
        for other in gateways {
            guard let core = other.core, let cluster = core.cluster else { continue }
            say("gateway \(other.index) is \(cluster.setup.node), ring: \(core.ring.statistics)")
            say("replication of \(other.index): \(cluster.replicator)".replacing("LogState(", with: "\nLogState("))
        }
    }
}
