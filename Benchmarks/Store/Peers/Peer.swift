import BenchmarkKit
import Environment
import Glibc
import Model
import TestKit

/// A store that others use, with the readings of a site in it.
protocol Peer: AnyObject {
    /// What it is, and what it does not keep.
    var name: String { get }
    /// Readings that it took: some stores have no place for words.
    var readings: Int { get }
    /// Stores all of it, synced where the store is asked to.
    func commit(_ readings: [Reading]) throws
    /// Everything is in: settles what it does in the background, and returns the bytes of its files.
    func settle() throws -> Int
}

/// One row of a key-value store: a reading as bytes, under its offset.
struct Row {
    private var series: [Series: UInt16] = [:]
    private(set) var count: UInt64 = 0

    /// Key: the offset, so that rows come in order. Value: series 2 bytes, wall time in microseconds 8, quality 1, the value 1 to 8, and 8 for a
    /// time of the device.
    mutating func next(_ reading: Reading) -> (key: [UInt8], value: [UInt8]) {
        let index = series[reading.series] ?? UInt16(series.count)
        series[reading.series] = index
        defer { count += 1 }
        var key: [UInt8] = []
        key.append(fixed: count.byteSwapped)
        var value: [UInt8] = []
        value.append(fixed: index)
        value.append(
            fixed: UInt64(bitPattern: reading.stamp.uptime.rawValue + reading.stamp.wallOffset.rawValue))
        value.append(reading.quality.rawValue)
        switch reading.value {
        case .number(let number): value.append(fixed: number.bitPattern)
        case .flag(let flag): value.append(flag ? 1 : 0)
        case .text(let text): value.append(contentsOf: text.utf8)
        }
        if let time = reading.deviceTime { value.append(fixed: UInt64(bitPattern: time.rawValue)) }
        return (key, value)
    }
}

enum Shell {
    /// What the command prints; throws where it fails.
    @discardableResult
    static func run(_ command: String) throws -> String {
        guard let pipe = popen(command, "r") else { throw ChildFailure(description: "no shell: \(command)") }
        var text: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&bytes, 1, bytes.count, pipe), count > 0 { text += bytes[..<count] }
        let output = String(decoding: text, as: UTF8.self)
        guard pclose(pipe) == 0 else { throw ChildFailure(description: "\(command): \(output)") }
        return output
    }

    /// Bytes of all files below.
    static func size(_ paths: String...) throws -> Int {
        try paths.reduce(0) { sum, path in
            let text = try run("find '\(path)' -type f -printf '%s\\n' | awk '{s+=$1} END {print s+0}'")
            return sum + (Int(text.prefix { $0.isNumber }) ?? 0)
        }
    }
}

/// A function of a library that is opened while the program runs: so nobody needs it to build this one.
struct Library {
    private let handle: UnsafeMutableRawPointer

    init(_ name: String, package: String) throws {
        guard let handle = dlopen(name, RTLD_NOW) else {
            throw ChildFailure(description: "\(name) is not there: apt-get install \(package)")
        }
        self.handle = handle
    }

    func function<Function>(_ name: String, as _: Function.Type = Function.self) -> Function {
        guard let symbol = dlsym(handle, name) else { preconditionFailure("no function \(name)") }
        return unsafeBitCast(symbol, to: Function.self)
    }
}
