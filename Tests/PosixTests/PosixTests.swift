import Environment
import Glibc
import Model
import Posix
import Testing

/// A directory that is gone when the test is.
private final class Scratch {
    let path: String

    init() {
        var template = Array("/tmp/covey-test-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
    }

    deinit {
        for name in ["ring", "lock", "notify"] { unlink(path + "/" + name) }
        rmdir(path)
    }
}

@Suite("Files and locks of this machine")
struct PosixTests {
    private let scratch = Scratch()

    @Test("A new disk has the asked size, and gives back what was written after it is opened again")
    func diskKeepsBytes() throws {
        let path = scratch.path + "/ring"
        do {
            let disk = try FileDisk(path: path, size: 65536)
            #expect(disk.size == 65536)
            try disk.write([1, 2, 3], at: 4096)
            try disk.sync()
        }
        let again = try FileDisk(path: path, size: 1 << 20)
        #expect(again.size == 65536)
        #expect(try again.read(at: 4095, count: 5) == [0, 1, 2, 3, 0])
    }

    @Test("A disk refuses to read or write beyond its end, and says where the end is")
    func diskChecksRange() throws {
        let disk = try FileDisk(path: scratch.path + "/ring", size: 8192)
        #expect(throws: DiskError.self) { try disk.read(at: 8000, count: 500) }
        #expect(throws: DiskError.self) { try disk.write([0], at: 8192) }
    }

    @Test("A disk whose space cannot be had names the path and the size, and leaves no file behind")
    func diskNamesFullFileSystem() {
        let path = scratch.path + "/ring"
        let error = #expect(throws: SystemError.self) { try FileDisk(path: path, size: 1 << 60) }
        #expect(error?.description.contains(path) == true)
        #expect(access(path, F_OK) != 0)
    }

    @Test("A second gateway on one data directory is told which process holds it")
    func lockNamesItsHolder() throws {
        let first = try InstanceLock(directory: scratch.path)
        let error = #expect(throws: InstanceLockError.self) { try InstanceLock(directory: scratch.path) }
        #expect(error == .held(directory: scratch.path, process: String(getpid())))
        withExtendedLifetime(first) {}
    }

    @Test("The lock is free again when its holder is gone")
    func lockIsReleased() throws {
        do { _ = try InstanceLock(directory: scratch.path) }
        _ = try InstanceLock(directory: scratch.path)
    }

    @Test("The wall clock of a stamp is the uptime plus the offset, and the monotonic clock never goes back")
    func clocksAgree() {
        let clock = SystemClock(trust: .always)
        let first = clock.now
        let stamp = clock.stamp
        #expect(stamp.isTrusted)
        #expect(abs(stamp.wall.rawValue - Int64(time(nil)) * 1000) < 5000)
        #expect(clock.now >= first)
    }

    @Test("A cancelled sleep ends with an error at once")
    func sleepIsCancellable() async {
        let clock = SystemClock(trust: .always)
        let sleeper = Task { try await clock.sleep(for: .seconds(3600)) }
        sleeper.cancel()
        await #expect(throws: CancellationError.self) { try await sleeper.value }
    }
}
