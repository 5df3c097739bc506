import Environment
import GatewayCore
import Model

extension World {
    static func address(of gateway: Int) -> PeerAddress {
        guard let address = PeerAddress("10.0.0.\(gateway + 1):8472") else { preconditionFailure("no address") }
        return address
    }

    /// The first byte says whose message it is, the one behind the envelope of what kind.
    private func sayMessage(
        _ what: String, _ bytes: [UInt8], from gateway: SimulatedGateway, to address: PeerAddress
    ) {
        guard tracer != nil else { return }
        let kind = bytes.prefix(1) + bytes.dropFirst(25).prefix(1)
        say("gateway \(gateway.index) to \(address): \(what) of kind \(kind), \(bytes.count) bytes")
    }

    func send(datagram bytes: [UInt8], from gateway: SimulatedGateway, to address: PeerAddress) {
        trace.note(bytes)
        sayMessage("datagram", bytes, from: gateway, to: address)
        if bytes.count > Self.mostDatagramBytes {
            fail(.isBounded, gateway, "a datagram of \(bytes.count) bytes")
        }
        guard let receiver = places[address] else { return }
        let arrivals = network.send(
            datagram: bytes, from: gateway.index, to: receiver, at: time, using: &streams.network,
            struck: { coverage[$0.rawValue] += 1 })
        if has(.chatter) { network.repeatCount(of: bytes, 19) }
        for arrival in arrivals {
            heap.push(.datagram(bytes, from: gateway.index, to: receiver), at: arrival)
        }
    }

    func send(frame bytes: [UInt8], from gateway: SimulatedGateway, to address: PeerAddress) {
        sayMessage("frame", bytes, from: gateway, to: address)
        trace.note(bytes)
        if bytes.count > Self.mostFrameBytes { fail(.isBounded, gateway, "a frame of \(bytes.count) bytes") }
        guard let receiver = places[address] else {
            return later(SimulatedTime.second, gateway, .unreachable(address))
        }
        let (arrival, stream) = network.send(
            frame: bytes, from: gateway.index, to: receiver, at: time, using: &streams.network)
        let frame = Frame(
            bytes: bytes, from: gateway.index, to: receiver, stream: stream, senderLife: gateway.life,
            receiverLife: gateways[receiver].life)
        heap.push(.frame(frame), at: arrival)
    }

    /// What a gateway may put into one datagram, without the envelope that the next floor adds, and into one frame.
    static let mostDatagramBytes = 1200
    static let mostFrameBytes = (128 << 10) + 256

    func arrive(_ bytes: [UInt8], from sender: Int, to receiver: Int) {
        let gateway = gateways[receiver]
        guard let bytes = tamper(message: bytes, from: sender, to: receiver) else { return }
        deliver(.datagram(bytes, from: addresses[sender]), to: gateway, life: gateway.life)
        if bytes.first.map({ $0 & 0x0F }) == 1 { checkIncarnations(gateway) }
    }

    /// A frame arrives where its stream still stands; else whoever sent it learns so, a while later.
    func arrive(_ frame: Frame) {
        guard network.arrives(frameOf: frame.stream, from: frame.from, to: frame.to) else {
            return breakStream(frame, after: streams.network.draw(1, 500))
        }
        let receiver = gateways[frame.to]
        if network.isStreamCut(frame.from, frame.to) {
            network.breakStream(frame.from, frame.to)
            return breakStream(frame, after: streams.network.draw(3000, 15_000))
        }
        guard receiver.life == frame.receiverLife, receiver.core != nil else {
            // Refused, or reset: the kernel of the other side says so at once.
            network.breakStream(frame.from, frame.to)
            return breakStream(frame, after: streams.network.draw(1, 50))
        }
        guard let bytes = tamper(message: frame.bytes, from: frame.from, to: frame.to) else { return }
        deliver(.frame(bytes, from: addresses[frame.from]), to: receiver, life: receiver.life)
        if bytes.first.map({ $0 & 0x0F }) == 1 { checkIncarnations(receiver) }
    }

    private func breakStream(_ frame: Frame, after milliseconds: Int64) {
        let sender = gateways[frame.from]
        guard sender.life == frame.senderLife else { return }
        later(milliseconds * SimulatedTime.millisecond, sender, .unreachable(Self.address(of: frame.to)))
    }

    // MARK: Faults

    /// The weather of this history.
    func drawWeather() {
        var weather = NetworkWeather()
        let faults = scenario.faults
        if faults.contains(.datagramLoss) { weather.lost = streams.network.pick([5, 20, 100, 300]) }
        if faults.contains(.datagramDuplication) { weather.doubled = streams.network.pick([5, 50, 200]) }
        if faults.contains(.datagramReorder) { weather.straying = streams.network.pick([10, 50, 200]) }
        if faults.contains(.slowNetwork) {
            weather.delay = streams.network.pick([5000...40_000, 50_000...400_000])
            cover(.slowNetwork)
        }
        // Below what a message may be: some of them never come through.
        if faults.contains(.smallMTU) { weather.mtu = streams.network.pick([900, 1000, 1100]) }
        network.weather = weather
    }

    func disturbNetwork(_ kind: FaultKind) {
        guard gateways.count > 1 else { return }
        let random = streams.faults[kind.rawValue].next()
        let one = Int(random % UInt64(gateways.count))
        let other = (one + 1 + Int(random >> 32 % UInt64(gateways.count - 1))) % gateways.count
        switch kind {
        case .partition: split(by: random >> 16, isOneWay: false)
        case .oneWayPartition: split(by: random >> 16, isOneWay: true)
        case .clog:
            let until = time + streams.network.draw(100, 20_000) * SimulatedTime.millisecond
            network[one, other].cloggedUntil = max(network[one, other].cloggedUntil, until)
        case .brokenStream: network.breakStream(one, other)
        case .datagramReplay:
            guard !network.recorded.isEmpty else { return }
            for _ in 0..<streams.network.draw(1, 20) {
                let old = network.recorded[Int(streams.network.draw(0, Int64(network.recorded.count) - 1))]
                let delay = streams.network.draw(0, 1000) * SimulatedTime.millisecond
                later(delay, .datagram(old.bytes, from: old.from, to: old.to))
            }
        default: return
        }
        cover(kind)
    }

    /// Cuts the ways between two parts of the site, in both directions or in one.
    private func split(by bits: UInt64, isOneWay: Bool) {
        let isLong = streams.network.isOne(in: 4)
        let milliseconds = streams.network.draw(500, isLong ? 120_000 : 20_000)
        splits += 1
        for one in gateways.indices {
            for other in gateways.indices where bits >> UInt64(one) & 1 == 1 && bits >> UInt64(other) & 1 == 0 {
                network[one, other].isCut = true
                if !isOneWay { network[other, one].isCut = true }
            }
        }
        later(milliseconds * SimulatedTime.millisecond, .relief(.network(split: splits)))
    }

    /// A split ends; where another has begun since, that one's end opens all ways.
    func mend(_ split: Int) {
        guard split == splits else { return }
        for one in gateways.indices {
            for other in gateways.indices { network[one, other].isCut = false }
        }
    }
}
