import Environment
import Simulator
import Testing

@Suite("The simulated disk")
struct SimulatedDiskTests {
    private let size = 64 << 10

    private func bytes(_ value: UInt8, _ count: Int) -> [UInt8] { [UInt8](repeating: value, count: count) }

    @Test("What is written is read at once, and is gone with the power until a sync has kept it")
    func pending() throws {
        let disk = SimulatedDisk(size: size)
        try disk.write(bytes(1, 5000), at: 3000)
        #expect(try disk.read(at: 2999, count: 5002) == [0] + bytes(1, 5000) + [0])
        #expect(try disk.afterPowerCut { _ in false }.read(at: 0, count: size) == bytes(0, size))
        try disk.sync()
        let kept = disk.afterPowerCut { _ in false }
        #expect(try kept.read(at: 3000, count: 5000) == bytes(1, 5000))
        #expect(kept.pendingSectors == 0)
    }

    @Test("A power cut keeps any of the sectors, a later one without an earlier one too, and tears some")
    func sectors() throws {
        let disk = SimulatedDisk(size: size)
        try disk.write(bytes(1, 512 * 4), at: 512)
        #expect(disk.pendingSectors == 4)
        let reordered = disk.afterPowerCut { $0 == 3 }
        #expect(try reordered.read(at: 512 * 4, count: 512) == bytes(1, 512))
        #expect(try reordered.read(at: 512, count: 512 * 3) == bytes(0, 512 * 3))
        let torn = disk.afterPowerCut(fates: { $0 == 1 ? .torn(100) : .lost })
        #expect(try torn.read(at: 1024, count: 512) == bytes(1, 100) + bytes(0, 412))
    }

    @Test("Two writes to one place may each have been the last to reach the medium")
    func rewrites() throws {
        let disk = SimulatedDisk(size: size)
        try disk.write(bytes(1, 512), at: 0)
        try disk.write(bytes(2, 512), at: 0)
        #expect(try disk.afterPowerCut { $0 == 0 }.read(at: 0, count: 512) == bytes(1, 512))
        #expect(try disk.afterPowerCut { _ in true }.read(at: 0, count: 512) == bytes(2, 512))
        #expect(try disk.read(at: 0, count: 512) == bytes(2, 512))
    }

    @Test("After a failed sync readers see what the medium does not have, and no later sync brings it there")
    func failedSync() throws {
        let disk = SimulatedDisk(size: size)
        disk.failSync(number: 0)
        try disk.write(bytes(1, 1024), at: 0)
        #expect(throws: DiskError.self) { try disk.sync() }
        try disk.write(bytes(2, 512), at: 4096 * 3)
        try disk.sync()
        #expect(try disk.read(at: 0, count: 1024) == bytes(1, 1024))
        let found = disk.afterPowerCut { _ in false }
        #expect(try found.read(at: 0, count: 1024) == bytes(1, 512) + bytes(0, 512))
        #expect(try found.read(at: 4096 * 3, count: 512) == bytes(2, 512))
        try disk.write(bytes(3, 1024), at: 0)
        try disk.sync()
        #expect(try disk.afterPowerCut { _ in false }.read(at: 0, count: 1024) == bytes(3, 1024))
    }

    @Test("What a failed sync gave up is seen until the cache is dropped; what is pending stays")
    func dropCache() throws {
        let disk = SimulatedDisk(size: size)
        disk.failSync(number: 0)
        try disk.write(bytes(1, 1024), at: 0)
        #expect(throws: DiskError.self) { try disk.sync() }
        try disk.write(bytes(2, 512), at: 4096 * 3)
        #expect(try disk.read(at: 0, count: 1024) == bytes(1, 1024))
        disk.dropCache()
        #expect(try disk.read(at: 0, count: 1024) == bytes(1, 512) + bytes(0, 512))
        #expect(try disk.read(at: 4096 * 3, count: 512) == bytes(2, 512))
    }

    @Test("A kill keeps what is pending as it is: a power cut may yet take it")
    func kill() throws {
        let disk = SimulatedDisk(size: size)
        try disk.write(bytes(1, 512), at: 0)
        disk.reopen()
        #expect(try disk.read(at: 0, count: 512) == bytes(1, 512))
        #expect(try disk.afterPowerCut { _ in false }.read(at: 0, count: 512) == bytes(0, 512))
    }

    @Test("A lying sync keeps nothing")
    func lies() throws {
        let disk = SimulatedDisk(size: size)
        disk.lie(true)
        try disk.write(bytes(1, 512), at: 0)
        try disk.sync()
        #expect(try disk.afterPowerCut { _ in false }.read(at: 0, count: 512) == bytes(0, 512))
    }

    @Test("Rot is laid over the contents: it can be lifted, survives a power cut, and ends where a write comes")
    func rot() throws {
        let disk = SimulatedDisk(size: size)
        try disk.write(bytes(7, 1024), at: 0)
        try disk.sync()
        disk.flip(at: 100, mask: 0x80)
        #expect(try disk.read(at: 100, count: 1) == [0x87])
        let cut = disk.afterPowerCut { _ in false }
        #expect(try cut.read(at: 100, count: 1) == [0x87])
        try cut.write(bytes(1, 512), at: 0)
        #expect(try cut.read(at: 100, count: 1) == [1])
        disk.healBits()
        #expect(try disk.read(at: 100, count: 1) == [7])
    }

    @Test("A misdirected write says that all is well, lands elsewhere, and stays on the disk")
    func misdirected() throws {
        let disk = SimulatedDisk(size: size)
        disk.misdirectWrite(number: 0, by: 8192)
        try disk.write(bytes(1, 512), at: 0)
        try disk.sync()
        #expect(try disk.read(at: 0, count: 512) == bytes(0, 512))
        #expect(try disk.read(at: 8192, count: 512) == bytes(1, 512))
        disk.misdirectWrite(number: 1, by: -1 << 20)
        try disk.write(bytes(2, 512), at: 4096)
        #expect(try disk.read(at: 0, count: 512) == bytes(2, 512))
    }

    @Test("A disk that refuses, fails or cannot be read says so, and takes nothing")
    func refusals() throws {
        let disk = SimulatedDisk(size: size)
        disk.refuse(.full)
        #expect(throws: DiskError.self) { try disk.write(bytes(1, 1), at: 0) }
        #expect(throws: DiskError.self) { try disk.sync() }
        disk.refuse(nil)
        disk.failWrite(number: 1)
        #expect(throws: DiskError.self) { try disk.write(bytes(1, 1), at: 0) }
        disk.makeUnreadable(512..<1024)
        #expect(throws: DiskError.self) { try disk.read(at: 1000, count: 100) }
        disk.makeAllReadable()
        #expect(try disk.read(at: 0, count: 2048) == bytes(0, 2048))
        #expect(throws: DiskError.self) { try disk.read(at: size - 1, count: 2) }
    }

    @Test("An image is what was durable, and knows nothing of what comes later")
    func image() throws {
        let disk = SimulatedDisk(size: size)
        try disk.write(bytes(1, 512), at: 0)
        try disk.sync()
        try disk.write(bytes(2, 512), at: 0)
        let image = disk.image()
        try disk.sync()
        #expect(try image.read(at: 0, count: 512) == bytes(1, 512))
        #expect(try disk.read(at: 0, count: 512) == bytes(2, 512))
    }

    @Test("Against a model of plain arrays, any history of writes, syncs and cuts reads the same", arguments: 1...20)
    func model(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var disk = SimulatedDisk(size: size)
        var seen = bytes(0, size)
        var durable = seen
        for step in 0..<200 {
            switch random.draw(0, 9) {
            case 0...5:
                let count = Int(random.draw(1, 9000))
                let position = Int(random.draw(0, Int64(size - count)))
                let new = bytes(UInt8(step), count)
                try disk.write(new, at: position)
                seen.replaceSubrange(position..<position + count, with: new)
            case 6...8:
                try disk.sync()
                durable = seen
            default:
                disk = disk.afterPowerCut { _ in false }
                seen = durable
            }
            #expect(disk.contents == seen)
        }
    }
}
