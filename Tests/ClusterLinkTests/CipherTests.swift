import Environment
import Model
import Testing

@testable import ClusterLink

@Suite("A sealed datagram")
struct CipherTests {
    private func sender(_ ring: KeyRing = Known.ring) -> DatagramCipher {
        DatagramCipher(ring, node: Known.node, start: Known.start)
    }

    private func receiver(_ ring: KeyRing = Known.ring) -> DatagramCipher {
        DatagramCipher(ring, node: Known.peer, start: Known.peerStart)
    }

    private func fault(_ bytes: [UInt8], at cipher: DatagramCipher) -> DatagramCipher.Fault? {
        do throws(DatagramCipher.Fault) {
            _ = try cipher.open(bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test("comes out as it went in, at every length up to that of a message")
    func roundTrip() throws {
        let (sender, receiver) = (sender(), receiver())
        var random = SeededRandom(seed: 1)
        for length in Array(0...64) + [1099, 1100, 1400] {
            let payload = random.bytes(length)
            let sealed = sender.seal(payload)
            #expect(sealed.count == length + DatagramCipher.overhead)
            #expect(try receiver.open(sealed) == payload)
        }
    }

    @Test("shows nothing of what it carries, and the same twice gives other bytes")
    func hidesItsContent() {
        let cipher = sender()
        let payload = Known.text("boiler-room/temperature 21.5 boiler-room/temperature 21.5")
        let sealed = [cipher.seal(payload), cipher.seal(payload)]
        #expect(sealed[0].dropFirst(DatagramCipher.headerBytes) != sealed[1].dropFirst(DatagramCipher.headerBytes))
        for sealed in sealed {
            for start in 0...(payload.count - 4) {
                let part = payload[start..<(start + 4)]
                #expect(!(0...(sealed.count - 4)).contains { sealed[$0..<($0 + 4)] == part })
            }
        }
    }

    @Test("is refused when any one bit of it is another, and is good still after all that")
    func refusesEveryFlip() throws {
        let receiver = receiver()
        let sealed = sender().seal(Known.text("hello, covey"))
        for place in sealed.indices {
            for bit in 0..<8 {
                var changed = sealed
                changed[place] ^= 1 << bit
                let expected: DatagramCipher.Fault =
                    switch place {
                    case 0: .notOurs
                    case 1...4: .unknownKey
                    default: .forged
                    }
                #expect(fault(changed, at: receiver) == expected, "bit \(bit) of byte \(place)")
            }
        }
        #expect(try receiver.open(sealed) == Known.text("hello, covey"))
    }

    @Test("is refused at every shorter length, and with anything behind it")
    func refusesOtherLengths() {
        let receiver = receiver()
        let sealed = sender().seal(Known.text("hello, covey"))
        for length in 0..<sealed.count {
            let expected: DatagramCipher.Fault = length < DatagramCipher.overhead ? .notOurs : .forged
            #expect(fault(Array(sealed[..<length]), at: receiver) == expected, "\(length) bytes")
        }
        #expect(fault(sealed + [0], at: receiver) == .forged)
    }

    @Test("of another key is refused, also where it names a key that is known")
    func refusesOtherKeys() {
        var foreign = sender(Known.otherRing).seal(Known.text("hello"))
        #expect(fault(foreign, at: receiver()) == .unknownKey)
        foreign.put(fixed: Known.key.id, at: 1)
        #expect(fault(foreign, at: receiver()) == .forged)
    }

    @Test("of this gateway itself is known as an echo, and one of its earlier life is not")
    func knowsItsEcho() throws {
        let own = sender()
        #expect(fault(own.seal([1]), at: own) == .echo)
        let earlier = DatagramCipher(Known.ring, node: Known.node, start: StartID(1))
        #expect(try own.open(earlier.seal([1])) == [1])
    }

    @Test("is understood through a change of keys: install, use, remove")
    func rotates() throws {
        let both = KeyRing([Known.key, Known.otherKey])!
        let turned = KeyRing([Known.otherKey, Known.key])!
        let (one, other) = (sender(), receiver())
        var old: [[UInt8]] = []
        func speak() throws {
            for (from, to) in [(one, other), (other, one)] {
                let sealed = from.seal([7])
                #expect(try to.open(sealed) == [7])
                #expect(fault(sealed, at: to) == .replayed)
                if from === one { old.append(sealed) }
            }
        }
        try speak()
        // Each step reaches one gateway after the other; they speak with each other in between.
        for ring in [both, turned, Known.otherRing] {
            one.install(ring)
            try speak()
            other.install(ring)
            try speak()
        }
        // What was caught before the key was removed is worth nothing.
        #expect(fault(old[0], at: other) == .unknownKey)
        #expect(fault(sender(Known.ring).seal([8]), at: other) == .unknownKey)
    }

    @Test("keeps what was seen over a change of keys")
    func remembersOverChanges() throws {
        let (one, other) = (sender(), receiver())
        let sealed = one.seal([7])
        #expect(try other.open(sealed) == [7])
        other.install(KeyRing([Known.otherKey, Known.key])!)
        #expect(fault(sealed, at: other) == .replayed)
        let numbers = (0..<3).map { _ in one.seal([]) }.map { Array($0[29..<37]) }
        one.install(Known.otherRing)
        // A number never comes again in one life, whatever the key.
        #expect(!numbers.contains(Array(one.seal([])[29..<37])))
    }

    @Test("of random or mutated bytes gives a fault and nothing else")
    func isTotal() throws {
        let (sender, receiver) = (sender(), receiver())
        var random = SeededRandom(seed: 5)
        var faults: [DatagramCipher.Fault: Int] = [:]
        for round in 0..<20_000 {
            var bytes: [UInt8]
            if round % 2 == 0 {
                bytes = random.mutant(of: sender.seal(random.bytes(Int(random.next() % 200))))
            } else {
                bytes = random.bytes(Int(random.next() % 300))
                if !bytes.isEmpty { bytes[0] = 0xC1 }
                if bytes.count > 4, round % 4 == 1 { bytes.put(fixed: Known.key.id, at: 1) }
            }
            // A mutant may be what it was.
            if let fault = fault(bytes, at: receiver) { faults[fault, default: 0] += 1 }
        }
        #expect(faults[.notOurs, default: 0] > 100)
        #expect(faults[.unknownKey, default: 0] > 100)
        #expect(faults[.forged, default: 0] > 100)
        #expect(try receiver.open(sender.seal([1])) == [1])
    }
}
