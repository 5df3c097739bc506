import Environment
import Testing

@testable import Simulator

@Suite("The event heap")
struct EventHeapTests {
    @Test("Events come by time, and those of one moment in the order in which they were planned")
    func order() {
        var random = SeededRandom(seed: 1)
        var heap = EventHeap<Int>()
        var model: [(at: Int64, id: Int)] = []
        for id in 0..<2000 {
            let at = random.draw(0, 50)
            heap.push(id, at: at)
            model.append((at, id))
            if random.isOne(in: 3), let popped = heap.pop() {
                let first = model.enumerated().min { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }
                #expect(first?.element.id == popped.payload)
                if let first { model.remove(at: first.offset) }
            }
        }
        let rest = model.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }
        for (_, expected) in rest {
            let popped = heap.pop()
            #expect(popped?.payload == expected.id)
            #expect(popped?.at == expected.at)
        }
        #expect(heap.pop() == nil)
    }

    @Test("What is taken out never happens, and the rest keeps its order")
    func removal() {
        var heap = EventHeap<Int>()
        for id in 0..<100 { heap.push(id, at: Int64(id % 7)) }
        heap.removeAll { $0.isMultiple(of: 2) }
        var last: (at: Int64, payload: Int) = (-1, -1)
        var count = 0
        while let next = heap.pop() {
            #expect(!next.payload.isMultiple(of: 2))
            #expect((last.at, last.payload) < (next.at, next.payload))
            last = next
            count += 1
        }
        #expect(count == 50)
    }
}
