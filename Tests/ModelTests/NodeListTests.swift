import Model
import Testing

@Suite("Lists of nodes")
struct NodeListTests {
    private func nodes(_ numbers: UInt64...) -> [NodeID] { numbers.map { NodeID(high: 0, low: $0) } }

    @Test("are put in order, each node once, with or without one")
    func ascending() {
        #expect(nodes(3, 1, 3, 2).ascending == nodes(1, 2, 3))
        #expect(nodes(1, 2, 2).ascending == nodes(1, 2))
        #expect(nodes().ascending == [])
        #expect(nodes(1, 2, 3).ascending(without: nodes(2)[0]) == nodes(1, 3))
        #expect(nodes(1, 3).ascending(with: nodes(2)[0]) == nodes(1, 2, 3))
        #expect(nodes(1, 3).ascending(with: nodes(3)[0]) == nodes(1, 3))
    }

    @Test("tell what another lacks")
    func missing() {
        #expect(nodes(1, 3, 5, 7).missing(in: nodes(2, 3, 7)) == nodes(1, 5))
        #expect(nodes(1, 2).missing(in: []) == nodes(1, 2))
        #expect(nodes().missing(in: nodes(1)) == [])
        #expect(nodes(1, 2).missing(in: nodes(1, 2, 3)) == [])
    }

    @Test("take a node in where it belongs, and let it go")
    func change() {
        var list = nodes(1, 5)
        list.enter(nodes(3)[0])
        list.enter(nodes(3)[0])
        #expect(list == nodes(1, 3, 5))
        list.leave(nodes(4)[0])
        list.leave(nodes(1)[0])
        #expect(list == nodes(3, 5))
    }
}
