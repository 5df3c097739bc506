import Glibc

/// What the kernel says of this process; what it does not say is `nil`.
package struct ProcessFacts: Hashable, Sendable {
    /// User and system time since the start.
    package var cpuSeconds = 0.0
    package var residentBytes: UInt64?
    package var virtualBytes: UInt64?
    package var threads: Int?
    package var openDescriptors: Int?
    package var descriptorLimit: UInt64?
    /// Unix time; moves when the wall clock is set.
    package var startSeconds: Double?

    /// Reads `/proc/self`: some 30 µs.
    package static func read() -> ProcessFacts {
        var facts = ProcessFacts()
        facts.cpuSeconds = seconds(of: CLOCK_PROCESS_CPUTIME_ID)
        if let text = try? File.readText("/proc/self/stat", limit: 4096) { facts.take(text) }
        if let count = try? entries(of: "/proc/self/fd") { facts.openDescriptors = count }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            facts.descriptorLimit = UInt64(limit.rlim_cur)
        }
        return facts
    }

    /// The fields of proc(5), counted behind the name, which may hold spaces and brackets itself.
    private mutating func take(_ stat: String) {
        guard let end = stat.lastIndex(of: ")") else { return }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 21 else { return }
        threads = Int(fields[17])
        if let ticks = Double(fields[19]) {
            let boot = Self.seconds(of: CLOCK_REALTIME) - Self.seconds(of: CLOCK_BOOTTIME)
            startSeconds = boot + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
        virtualBytes = UInt64(fields[20])
        residentBytes = UInt64(fields[21]).map { $0 * UInt64(sysconf(Int32(_SC_PAGESIZE))) }
    }

    /// Entries of a folder, without itself, its parent and, of `/proc/self/fd`, the descriptor that reads it.
    private static func entries(of path: String) throws(SystemError) -> Int {
        guard let folder = opendir(path) else { throw SystemError("open", path) }
        defer { closedir(folder) }
        var count = -3
        while readdir(folder) != nil { count += 1 }
        return max(0, count)
    }

    private static func seconds(of clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
