import Foundation
import LocalSinks
import Model
import Sinks
import Testing

@Suite struct FileSinkTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "covey-file-sink-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    private func batch(_ base: UInt64, _ count: Int = 3) -> NativeBatch {
        let items = (0..<UInt64(count)).map {
            NativeBatch.Item(
                offset: Offset(base + $0), series: Series(device: DeviceID("door"), metric: "level"),
                time: Milliseconds(1_763_700_000_000), value: .flag(true), quality: .good)
        }
        return NativeBatch(
            node: NodeID(high: 1, low: 2), gateway: "greenhouse-a", log: LogID(7), base: Offset(base), items: items)
    }

    private func lines(_ path: String) throws -> [String] {
        let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
        return text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    private func json(_ base: UInt64) -> String { String(decoding: batch(base).json, as: UTF8.self) }

    @Test func eachBatchIsALineOfJSON() async throws {
        let path = folder + "/out.jsonl"
        let sink = FileSink(path: path)
        #expect(await sink.send(batch(0)) == .accepted)
        #expect(await sink.send(batch(3)) == .accepted)
        #expect(try lines(path) == [json(0), json(3), ""])
        await sink.close()
        #expect(await sink.send(batch(6)) != .accepted)
    }

    @Test func aDirectoryGetsAFile() async throws {
        let sink = FileSink(path: folder)
        #expect(await sink.send(batch(0)) == .accepted)
        #expect(try lines(folder + "/readings.jsonl") == [json(0), ""])
        await sink.close()
    }

    @Test func batchesSentTogetherStayWhole() async throws {
        let path = folder + "/out.jsonl"
        let sink = FileSink(path: path)
        let outcomes = await withTaskGroup(of: SendOutcome.self) { group in
            for index in 0..<4 as Range<UInt64> {
                let made = batch(index * 3)
                group.addTask { await sink.send(made) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.allSatisfy { $0 == .accepted })
        #expect(try lines(path).dropLast().sorted() == (0..<4).map { json($0 * 3) }.sorted())
        await sink.close()
    }

    @Test func aLineThatACrashTearsSpoilsNoOther() async throws {
        let path = folder + "/out.jsonl"
        try Data((json(0) + "\n" + json(3).prefix(40)).utf8).write(to: URL(fileURLWithPath: path))
        let sink = FileSink(path: path)
        #expect(await sink.send(batch(3)) == .accepted)
        #expect(try lines(path) == [json(0), String(json(3).prefix(40)), json(3), ""])
        await sink.close()
    }

    @Test func aFullFileIsTurnedOverAndNothingIsOverwritten() async throws {
        let path = folder + "/out.jsonl"
        try Data("mine\n".utf8).write(to: URL(fileURLWithPath: path + ".1"))
        let sink = FileSink(path: path, rotateAt: ByteCount(Int64(batch(0).json.count) * 2 + 10))
        for base in 0..<5 as Range<UInt64> { #expect(await sink.send(batch(base)) == .accepted) }
        #expect(try lines(path + ".1") == ["mine", ""])
        #expect(try lines(path + ".2") == [json(0), json(1), ""])
        #expect(try lines(path + ".3") == [json(2), json(3), ""])
        #expect(try lines(path) == [json(4), ""])
        await sink.close()
    }

    @Test func aFileThatSomeoneMovedAwayIsBegunAnew() async throws {
        let path = folder + "/out.jsonl"
        let sink = FileSink(path: path)
        #expect(await sink.send(batch(0)) == .accepted)
        try FileManager.default.moveItem(atPath: path, toPath: path + ".taken")
        #expect(await sink.send(batch(3)) == .accepted)
        #expect(try lines(path) == [json(3), ""])
        #expect(try lines(path + ".taken") == [json(0), ""])
        await sink.close()
    }

    @Test func aFolderThatIsMissingIsUnavailableUntilItIsThere() async throws {
        let path = folder + "/later/out.jsonl"
        let sink = FileSink(path: path)
        guard case .unavailable(let reason, nil) = await sink.send(batch(0)) else {
            Issue.record("not unavailable")
            return
        }
        #expect(reason.contains("cannot open \(path): No such file or directory"))
        try FileManager.default.createDirectory(atPath: folder + "/later", withIntermediateDirectories: true)
        #expect(await sink.send(batch(0)) == .accepted)
        await sink.close()
    }

    /// `/dev/full` answers every write with ENOSPC.
    @Test func aFullDiskIsUnavailable() async throws {
        let sink = FileSink(path: "/dev/full")
        guard case .unavailable(let reason, nil) = await sink.send(batch(0)) else {
            Issue.record("not unavailable")
            return
        }
        #expect(reason.contains("No space left on device"), "\(reason)")
        await sink.close()
    }
}
