import Environment
import Glibc
import Posix
import Synchronization

/// A chip of the kernel's gpio-sim, made through configfs: to everything above the kernel it is a chip like any other.
final class SimulatedChip: Sendable {
    /// `gpiochip0`.
    var device: String { names.withLock(\.chip) }
    let label: String

    private let folder: String
    private let folders: [String]
    private let names = Mutex((device: "", chip: ""))
    private static let serial = Atomic(0)

    /// - Parameter hogs: lines that the kernel keeps for itself, and under which name.
    init(lines: Int = 8, names lineNames: [Int: String] = [:], hogs: [Int: String] = [:]) throws {
        let number = Self.serial.wrappingAdd(1, ordering: .relaxed).newValue
        label = "simulated-\(number)"
        folder = "/sys/kernel/config/gpio-sim/chip\(number)"
        let bank = folder + "/bank"
        var made: [String] = []
        func make(_ path: String) throws {
            guard mkdir(path, 0o755) == 0 else { throw LabError("mkdir \(path)") }
            made.append(path)
        }
        try make(folder)
        try make(bank)
        try Self.write(String(lines), to: bank + "/num_lines")
        try Self.write(label, to: bank + "/label")
        for line in Set(lineNames.keys).union(hogs.keys).sorted() {
            try make(bank + "/line\(line)")
            if let name = lineNames[line] { try Self.write(name, to: bank + "/line\(line)/name") }
            guard let hog = hogs[line] else { continue }
            try make(bank + "/line\(line)/hog")
            try Self.write(hog, to: bank + "/line\(line)/hog/name")
            try Self.write("input", to: bank + "/line\(line)/hog/direction")
        }
        folders = made
        Workbench.add(self)
        try plugIn()
    }

    func remove() {
        try? unplug()
        for path in folders.reversed() { rmdir(path) }
    }

    func plugIn() throws {
        try Self.write("1", to: folder + "/live")
        let device = try Self.read(folder + "/dev_name")
        let chip = try Self.read(folder + "/bank/chip_name")
        names.withLock { $0 = (device, chip) }
    }

    /// Takes the chip away, whoever uses it.
    func unplug() throws { try Self.write("0", to: folder + "/live") }

    /// What is outside the line pulls it up or down.
    func pull(_ line: Int, up: Bool) throws {
        let (device, chip) = names.withLock { $0 }
        try Self.write(up ? "pull-up" : "pull-down", to: "/sys/devices/platform/\(device)/\(chip)/sim_gpio\(line)/pull")
    }

    /// gpio-sim raises its interrupts at the kernel's next tick, 10 ms apart: an edge that does not last over one
    /// cannot be told from none, as with any interrupt that is not served in time.
    private static let edgeWidth = Duration.milliseconds(20)

    /// Moves the line up and down again, `count` times, each edge wide enough to be an interrupt of its own.
    func pulse(_ line: Int, count: Int) async throws {
        for level in (0..<count).flatMap({ _ in [true, false] }) {
            try pull(line, up: level)
            try await RunningDriver.clock.sleep(for: Self.edgeWidth)
        }
    }

    private static func write(_ text: String, to path: String) throws {
        let file = open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { throw LabError("open \(path)") }
        defer { close(file) }
        guard Glibc.write(file, text, text.utf8.count) == text.utf8.count else { throw LabError("write \(path)") }
    }

    private static func read(_ path: String) throws -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw LabError("open \(path)") }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = Glibc.read(file, &bytes, bytes.count)
        guard count > 0 else { throw LabError("read \(path)") }
        return String(decoding: bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
}

/// What the running test has made. A chip must outlive the drivers that use it: one that is taken from under them
/// leaves its interrupts behind, and the next chip cannot have them.
enum Workbench {
    private static let things = Mutex<(chips: [SimulatedChip], drivers: [RunningDriver])>(([], []))

    static func add(_ chip: SimulatedChip) { things.withLock { $0.chips.append(chip) } }
    static func add(_ driver: RunningDriver) { things.withLock { $0.drivers.append(driver) } }

    static func clear() async {
        let left = things.withLock { things in
            defer { things = ([], []) }
            return things
        }
        for driver in left.drivers { await driver.end() }
        for chip in left.chips { chip.remove() }
    }
}

/// A step of the tests' own that the system refused.
struct LabError: Error, CustomStringConvertible {
    let description: String

    init(_ step: String) { description = step + ": " + String(cString: strerror(errno)) }
}
