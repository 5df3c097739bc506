import Environment
import Testing

@testable import TOMLConfiguration

/// Whatever the bytes, there is a configuration or there are faults; never a trap.
@Suite struct TotalityTests {
    private func message(_ bytes: [UInt8]) -> String? {
        switch GatewayConfiguration.load(bytes: bytes, path: "x", files: .none) {
        case .success: nil
        case .failure(let faults): faults.faults.first?.message
        }
    }

    private func message(_ text: String) -> String? { message(Array(text.utf8)) }

    @Test func deepValuesAreRefusedWithoutRecursion() {
        let deep = String(repeating: "[", count: 10_000)
        #expect(
            message("[cluster]\nkey_file = \"/k\"\nseeds = " + deep)
                == "values are nested too deeply (16 levels at most)")
        #expect(
            message("[cluster]\nkey_file = \"/k\"\nseeds = " + String(repeating: "{a=", count: 10_000))
                == "values are nested too deeply (16 levels at most)")
    }

    @Test func longDottedKeysAreRefusedWithoutRecursion() {
        let dotted = String(repeating: "a.", count: 1_000_000)
        #expect(message(dotted + "b = 1") == "a dotted key has too many parts (16 at most)")
        #expect(message("[" + dotted + "b]") == "a dotted key has too many parts (16 at most)")
        #expect(message("x = { " + dotted + "b = 1 }") == "a dotted key has too many parts (16 at most)")
        #expect(
            message(String(repeating: "'a' . ", count: 20) + "b = 1") == "a dotted key has too many parts (16 at most)")
    }

    @Test func dotsInTextsAndCommentsAreNoKeys() throws {
        let dots = String(repeating: ".", count: 100)
        let text =
            "# \(dots)\n[gateway] # \(dots)\nname = \"\(dots)\" # \"\(dots)\ndata_dir = '\(dots)\\'\nnode = '''\(dots)''\(dots)'''\n"
        #expect(faults(text).map { $0.prefix(4) } == ["3:8:", "5:8:"])
    }

    @Test func manySectionsAreCountedNotKept() {
        #expect(message(String(repeating: "[[broker]]\n", count: 100_000))?.hasPrefix("[[broker]] needs") == true)
        guard case .failure(let faults) = load(String(repeating: "[[broker]]\n", count: 100_000)) else { return }
        #expect(faults.faults.count <= Bounds.faults + 1)
    }

    @Test func bytesThatAreNoTextAreNamed() {
        #expect(message([0x61, 0x3D, 0x22, 0xFF, 0xFE, 0x22]) == "this is not UTF-8 text")
        #expect(message([0]) != nil)
        #expect(message([0xEF, 0xBB, 0xBF]) == nil)
        #expect(message([0xC3]) != nil)
        #expect(message([UInt8](repeating: 0, count: 100_000)) != nil)
    }

    @Test func lettersThatResembleWhiteSpaceToTheParserAreLetters() {
        for scalar in stride(from: UInt32(0xA1), through: 0x3100, by: 7) {
            guard let letter = Unicode.Scalar(scalar) else { continue }
            #expect(message("[gateway]\nn\(Character(letter)) = 1\nd = \"\"\"\\\n\(Character(letter))\"\"\"") != nil)
        }
    }

    @Test func mutatedConfigurationsGiveFaultsOrConfigurations() {
        var random = SeededRandom(seed: 42)
        let seeds = [everything, broker, "[a]\nb = [1, { c = 2 }]\n[[d]]\ne.f = '''x'''\n"].map { Array($0.utf8) }
        let alphabet = Array("[]{}=\"'#.,\n\r\t \\-_019azTZ:+\u{0}\u{7f}é€😀".utf8) + [0xFF, 0xC3, 0x80]
        var successes = 0
        for _ in 0..<2000 {
            var bytes = seeds[Int(random.next() % UInt64(seeds.count))]
            for _ in 0...(random.next() % 3) { mutate(&bytes, alphabet: alphabet, using: &random) }
            switch GatewayConfiguration.load(bytes: bytes, path: "x", files: .none) {
            case .success(let configuration):
                successes += 1
                var again = try? load(configuration.describe()).get()
                again?.notes = configuration.notes
                #expect(again == configuration)
            case .failure(let faults):
                #expect(!faults.faults.isEmpty)
                #expect(faults.faults.allSatisfy { $0.line >= 1 && $0.column >= 1 && !$0.message.contains("\n") })
                #expect(zip(faults.faults, faults.faults.dropFirst()).allSatisfy { $0.position <= $1.position })
            }
        }
        #expect(successes > 20)
    }

    private func mutate(_ bytes: inout [UInt8], alphabet: [UInt8], using random: inout SeededRandom) {
        guard !bytes.isEmpty else { return }
        let position = Int(random.next() % UInt64(bytes.count))
        let length = Int(random.next() % 24)
        let end = min(bytes.count, position + length)
        switch random.next() % 5 {
        case 0: bytes[position] = alphabet[Int(random.next() % UInt64(alphabet.count))]
        case 1: bytes.insert(alphabet[Int(random.next() % UInt64(alphabet.count))], at: position)
        case 2: bytes.removeSubrange(position..<end)
        case 3: bytes.insert(contentsOf: bytes[position..<end], at: Int(random.next() % UInt64(bytes.count)))
        default: bytes[position] ^= UInt8(1 << (random.next() % 8))
        }
    }
}
