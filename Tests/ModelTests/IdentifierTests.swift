import Model
import Testing

@Suite("Identifiers")
struct IdentifierTests {
    @Test("a node id is 32 hexadecimal digits and reads back as itself, leading zeros and all")
    func nodeID() {
        let id = NodeID(high: 0x1, low: 0xABC)
        #expect(id.description == "00000000000000010000000000000abc")
        #expect(NodeID(hex: id.description) == id)
        #expect(NodeID(hex: "00000000000000010000000000000ABC") == id)
    }

    @Test(
        "what is not hexadecimal, or not of the length, is no id",
        arguments: [
            "", "1", "0000000000000001000000000000000", "000000000000000100000000000000000",
            "0000000000000001000000000000000g", "+000000000000001000000000000000a", "-000000000000001000000000000000a",
            "0000000000000001+00000000000000a", "é00000000000000100000000000000a", "0000000000000001 00000000000000a",
        ])
    func noNodeID(text: String) {
        #expect(NodeID(hex: text) == nil)
    }

    @Test("a log id is 16 hexadecimal digits and reads back as itself")
    func logID() {
        #expect(LogID(0x4BE1).description == "0000000000004be1")
        #expect(LogID(hex: "0000000000004be1") == LogID(0x4BE1))
        #expect(LogID(hex: "+000000000004be1") == nil)
        #expect(LogID(hex: "-000000000000000") == nil)
        #expect(LogID(hex: "ffffffffffffffff") == LogID(.max))
    }

    @Test("offsets order, advance and tell their distance in both directions")
    func offsets() {
        #expect(Offset.zero.advanced(by: 5) == Offset(5))
        #expect(Offset(5).distance(to: Offset(9)) == 4)
        #expect(Offset(9).distance(to: Offset(5)) == -4)
        #expect(Offset(5) < Offset(9))
    }

    @Test(
        "a device name has no spaces, wildcards or control characters, and a length",
        arguments: [
            ("soil-3", true), ("kitchen/lamp", true), ("gewächshaus", true), (String(repeating: "a", count: 128), true),
            (String(repeating: "a", count: 129), false), ("", false), ("a b", false), ("a+", false), ("#", false),
            ("a\n", false), ("a\u{7F}", false), (String(repeating: "ä", count: 65), false),
        ])
    func deviceID(name: String, isValid: Bool) {
        #expect((DeviceID(validating: name) != nil) == isValid)
    }

    @Test("a stamp's wall time is rounded down, before 1970 too")
    func wall() {
        func wall(_ uptime: Int64, _ offset: Int64) -> Int64 {
            Stamp(
                boot: BootID(high: 0, low: 0), uptime: Microseconds(uptime), wallOffset: Microseconds(offset),
                isTrusted: true
            ).wall.rawValue
        }
        #expect(wall(1_999, 0) == 1)
        #expect(wall(-1, 0) == -1)
        #expect(wall(-1000, 0) == -1)
        #expect(wall(500, 1_763_700_000_000_000) == 1_763_700_000_000)
    }
}
