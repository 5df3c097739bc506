import Crypto
import Environment
import Model
import Testing

@testable import ClusterLink

@Suite("The numbers of datagrams")
struct ReplayTests {
    @Test("admit each once, in any order within the window")
    func admitsInAnyOrder() {
        var window = ReplayWindow()
        var random = SeededRandom(seed: 3)
        let numbers = (0..<ReplayWindow.width).shuffled(using: &random)
        for number in numbers {
            #expect(window.admits(number))
            window.note(number)
            #expect(!window.admits(number))
        }
        #expect(numbers.allSatisfy { !window.admits($0) })
        #expect(window.admits(ReplayWindow.width))
    }

    @Test("that lie further behind than the window are refused, and the last within it is not")
    func endsWhereItSays() {
        var window = ReplayWindow()
        window.note(5000)
        let last = 5001 - ReplayWindow.width
        #expect(window.admits(last))
        #expect(!window.admits(last - 1))
        #expect(!window.admits(0))
        #expect(window.admits(4999))
    }

    @Test("agree with a plain set of what was seen, over jumps of every size")
    func agreesWithAModel() {
        var window = ReplayWindow()
        var random = SeededRandom(seed: 11)
        var seen: Set<UInt64> = []
        var (next, refused): (UInt64, Int) = (0, 0)
        for _ in 0..<50_000 {
            let reach: UInt64 = [3, 70, 1100, 5000][Int(random.next() % 4)]
            let number = next < reach ? random.next() % reach : next - reach / 2 + random.next() % reach
            let isGood = !seen.contains(number) && (number >= next || next - number <= ReplayWindow.width)
            #expect(window.admits(number) == isGood)
            guard isGood else {
                refused += 1
                continue
            }
            window.note(number)
            seen.insert(number)
            next = max(next, number + 1)
        }
        #expect(refused > 1000)
    }

    @Test("end before the greatest, and a leap there and back does no harm")
    func endOfNumbers() {
        var window = ReplayWindow()
        window.note(7)
        #expect(!window.admits(.max))
        #expect(window.admits(.max - 1))
        window.note(.max - 1)
        #expect(!window.admits(.max - 1))
        #expect(!window.admits(.max))
        #expect(window.admits(.max - 2))
        window.note(.max - 2)
        #expect(!window.admits(.max - 2))
        #expect(!window.admits(7))
        #expect(!window.admits(8))
    }

    @Test("of a sender are its own: replays are refused, late ones are not, others have theirs")
    func countsBySender() throws {
        let receiver = DatagramCipher(Known.ring, node: Known.peer, start: Known.peerStart)
        let senders = [1, 2].map { DatagramCipher(Known.ring, node: Known.node, start: StartID($0)) }
        let sealed = senders.map { sender in (0..<1100).map { sender.seal(Known.text("\($0)")) } }
        for numbers in sealed {
            #expect(try receiver.open(numbers[1023]) == Known.text("1023"))
            #expect(try receiver.open(numbers[0]) == Known.text("0"))
            #expect(throws: DatagramCipher.Fault.replayed) { try receiver.open(numbers[0]) }
            #expect(try receiver.open(numbers[1099]) == Known.text("1099"))
            #expect(throws: DatagramCipher.Fault.replayed) { try receiver.open(numbers[1]) }
            #expect(try receiver.open(numbers[76]) == Known.text("76"))
            #expect(throws: DatagramCipher.Fault.replayed) { try receiver.open(numbers[1099]) }
        }
    }

    @Test("are not moved by a forged one, however great it says it is")
    func forgedOnesMoveNothing() throws {
        let receiver = DatagramCipher(Known.ring, node: Known.peer, start: Known.peerStart)
        let sender = DatagramCipher(Known.ring, node: Known.node, start: Known.start)
        let (first, second) = (sender.seal([1]), sender.seal([2]))
        #expect(try receiver.open(second) == [2])
        for number: UInt64 in [2, 5000, .max - 1, .max] {
            var forged = first
            forged.put(fixed: number, at: 29)
            #expect(throws: number == .max ? DatagramCipher.Fault.replayed : .forged) { try receiver.open(forged) }
        }
        #expect(try receiver.open(first) == [1])
    }

    @Test("near their end are opened when they are genuine, and the greatest never is")
    func genuineOnesNearTheEnd() throws {
        let receiver = DatagramCipher(Known.ring, node: Known.peer, start: Known.peerStart)
        #expect(try receiver.open(try sealed(.max - 1)) == [9])
        #expect(throws: DatagramCipher.Fault.replayed) { try receiver.open(try sealed(.max)) }
        #expect(throws: DatagramCipher.Fault.replayed) { try receiver.open(try sealed(.max - 1)) }
        #expect(try receiver.open(try sealed(.max - 2)) == [9])
        #expect(throws: DatagramCipher.Fault.replayed) { try receiver.open(try sealed(0)) }
    }

    /// What a sender would seal that had come so far.
    private func sealed(_ number: UInt64) throws -> [UInt8] {
        let context = DatagramCipher.Sender(node: Known.node, start: Known.start).context
        let key = Known.key.derived(for: "covey datagram 1", context: context)
        var head: [UInt8] = [DatagramCipher.version]
        head.append(fixed: Known.key.id)
        head += context
        head.append(fixed: number)
        let nonce = try ChaChaPoly.Nonce(data: [0, 0, 0, 0] + head.suffix(8))
        let box = try ChaChaPoly.seal([UInt8(9)], using: key, nonce: nonce, authenticating: head)
        return head + box.ciphertext + box.tag
    }

    @Test("of senders beyond the limit cost no more memory, and the newest senders keep theirs")
    func sendersAreLimited() throws {
        let receiver = DatagramCipher(Known.ring, node: Known.peer, start: Known.peerStart)
        let count = DatagramCipher.mostSenders + 50
        let sealed = (0..<count).map { index in
            DatagramCipher(Known.ring, node: Known.node, start: StartID(UInt64(index))).seal([5])
        }
        for bytes in sealed { #expect(try receiver.open(bytes) == [5]) }
        for bytes in sealed.suffix(DatagramCipher.mostSenders) {
            #expect(throws: DatagramCipher.Fault.replayed) { try receiver.open(bytes) }
        }
    }
}
