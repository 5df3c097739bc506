import LogFormat
import Testing

@testable import RingLog

@Suite("Delivery marks in memory")
struct MarkTableTests {
    private func mark(_ session: String, _ message: UInt16, _ hash: UInt64 = 0xFF_1234_5678) -> DeliveryMark {
        DeliveryMark(session: session, message: message, hash: hash)
    }

    @Test("A mark is known by its session, its message id and its hash together, and given back as it was")
    func knowsAllThree() {
        var table = MarkTable()
        let marks = [mark("a/0", 65_535), mark("b/0", 65_535), mark("a/0", 0), mark("a/0", 0, 1)]
        for one in marks {
            #expect(!table.contains(one))
            let isNew = table.append(one)
            #expect(isNew)
            let isNewAgain = table.append(one)
            #expect(!isNewAgain)
            #expect(table.contains(one))
        }
        #expect(!table.contains(mark("a/1", 0)))
        #expect(table.suffix(3) == Array(marks.suffix(3)))
    }

    @Test("Those that were removed are unknown, and younger ones are not")
    func forgetsTheOldest() {
        var table = MarkTable()
        for id in 0..<10 { _ = table.append(mark("a/0", UInt16(id))) }
        table.removeFirst(4)
        #expect(table.count == 6)
        #expect(!table.contains(mark("a/0", 3)))
        #expect(table.contains(mark("a/0", 4)))
    }

    @Test("More sessions than can be told apart cost the oldest one its marks, and never mistake one for another")
    func reusesSlots() {
        var table = MarkTable()
        for session in 0..<257 { _ = table.append(mark("a/\(session)", 7)) }
        #expect(table.count == 256)
        #expect(!table.contains(mark("a/0", 7)))
        for session in 1..<257 { #expect(table.contains(mark("a/\(session)", 7))) }
        #expect(table.suffix(1) == [mark("a/256", 7)])
    }
}
