import BenchmarkKit
import Glibc
import Model
import TestKit

/// Lines of text on their way to a server, by the ten thousands.
final class LinePost {
    private let path: String
    private let url: String
    private var lines = ""
    private var count = 0

    init(folder: String, url: String) {
        path = folder + "/lines"
        self.url = url
    }

    func add(_ line: String) throws {
        lines += line
        lines += "\n"
        count += 1
        if count == 20_000 { try flush() }
    }

    func flush() throws {
        guard count > 0 else { return }
        try Files.write(lines, to: path)
        try Shell.run("curl -sSf -X POST '\(url)' --data-binary '@\(path)' 2>&1")
        (lines, count) = ("", 0)
    }

    /// Returns once a server answers there.
    static func wait(for url: String) throws {
        try Shell.run("curl -sSf -o /dev/null --retry 60 --retry-delay 1 --retry-all-errors '\(url)' 2>&1")
    }
}

extension Reading {
    fileprivate var wallMicroseconds: Int64 { stamp.uptime.rawValue + stamp.wallOffset.rawValue }
    /// For stores of numbers alone.
    fileprivate var number: Double? {
        switch value {
        case .number(let number): number
        case .flag(let flag): flag ? 1 : 0
        case .text: nil
        }
    }
    fileprivate var name: String { series.metric.map { $0 == "-" ? "_" : String($0) }.joined() }
}

/// InfluxDB 1.6 with times in microseconds; devices' times are left out.
final class InfluxPeer: Peer {
    let name = "InfluxDB 1.6, its TSM files (no times of devices)"
    private(set) var readings = 0
    private let folder: String
    private let process: ChildProcess
    private let post: LinePost

    init(folder: String) throws {
        self.folder = folder
        let (port, other) = (try MosquittoBroker.freePort(), try MosquittoBroker.freePort())
        try Files.write(
            """
            reporting-disabled = true
            bind-address = "127.0.0.1:\(other)"
            [meta]
              dir = "\(folder)/meta"
            [data]
              dir = "\(folder)/data"
              wal-dir = "\(folder)/wal"
              cache-snapshot-write-cold-duration = "2s"
              compact-full-write-cold-duration = "2s"
            [http]
              bind-address = "127.0.0.1:\(port)"
              log-enabled = false
            [monitor]
              store-enabled = false

            """, to: folder + "/influxdb.conf")
        process = try ChildProcess("/usr/bin/influxd", ["run", "-config", folder + "/influxdb.conf"])
        let url = "http://127.0.0.1:\(port)"
        try LinePost.wait(for: url + "/ping")
        try Shell.run("curl -sSf -X POST '\(url)/query' --data-urlencode 'q=CREATE DATABASE site' 2>&1")
        post = LinePost(folder: folder, url: url + "/write?db=site&precision=u")
    }

    func commit(_ readings: [Reading]) throws {
        for reading in readings {
            let value =
                switch reading.value {
                case .number(let number): "\(number)"
                case .flag(let flag): "\(flag)"
                case .text(let text): "\"\(text)\""
                }
            try post.add("\(reading.name),device=\(reading.series.device) value=\(value) \(reading.wallMicroseconds)")
            self.readings += 1
        }
    }

    /// Its files, once they change no more.
    func settle() throws -> Int {
        try post.flush()
        var last = -1
        while case let size = try tables(), size != last || size == 0 {
            last = size
            sleep(12)
        }
        return last
    }

    /// Its series file has a fixed size of some 30 MB, which would say nothing of readings.
    private func tables() throws -> Int {
        let text = try Shell.run("find '\(folder)/data' -name '*.tsm' -printf '%s\\n' | awk '{s+=$1} END {print s+0}'")
        return Int(text.prefix { $0.isNumber }) ?? 0
    }
}

/// Blocks that promtool makes of numbers with times in milliseconds.
final class PrometheusPeer: Peer {
    let name = "Prometheus 2.42 (milliseconds; no words, no times of devices)"
    private(set) var readings = 0
    private let folder: String
    private var samples: [Series: [(time: Int64, value: Double)]] = [:]

    init(folder: String) { self.folder = folder }

    func commit(_ readings: [Reading]) {
        for reading in readings {
            guard let number = reading.number else { continue }
            let time = reading.stamp.wall.rawValue
            // It takes one sample of a series per millisecond.
            if let last = samples[reading.series]?.last, last.time >= time { continue }
            samples[reading.series, default: []].append((time, number))
            self.readings += 1
        }
    }

    func settle() throws -> Int {
        var text = ""
        var metric = ""
        for series in samples.keys.sorted(by: { ($0.metric, $0.device) < ($1.metric, $1.device) }) {
            if series.metric != metric {
                metric = series.metric
                text += "# TYPE \(name(metric)) gauge\n"
            }
            for (time, value) in samples[series] ?? [] {
                let digits = String(time % 1000 + 1000).dropFirst()
                text += "\(name(metric)){device=\"\(series.device)\"} \(value) \(time / 1000).\(digits)\n"
            }
        }
        try Files.write(text + "# EOF\n", to: folder + "/metrics")
        try Shell.run(
            "promtool tsdb create-blocks-from openmetrics --max-block-duration=48h '\(folder)/metrics' '\(folder)/data' 2>&1"
        )
        return try Shell.size(folder + "/data")
    }

    private func name(_ metric: String) -> String { metric.map { $0 == "-" ? "_" : String($0) }.joined() }
}

/// VictoriaMetrics with times in milliseconds, merged into one part.
final class VictoriaPeer: Peer {
    let name =
        "VictoriaMetrics 1.79 (milliseconds, 15 digits; no words, no times of devices; whole blocks compressed with zstd)"
    private(set) var readings = 0
    private let folder: String
    private let process: ChildProcess
    private let post: LinePost
    private let url: String

    init(folder: String) throws {
        self.folder = folder
        let port = try MosquittoBroker.freePort()
        process = try ChildProcess(
            "/usr/bin/victoria-metrics",
            ["-storageDataPath=\(folder)/data", "-httpListenAddr=127.0.0.1:\(port)", "-retentionPeriod=100y"])
        url = "http://127.0.0.1:\(port)"
        try LinePost.wait(for: url + "/health")
        post = LinePost(folder: folder, url: url + "/api/v1/import/prometheus")
    }

    func commit(_ readings: [Reading]) throws {
        for reading in readings {
            guard let number = reading.number else { continue }
            try post.add(
                "\(reading.name){device=\"\(reading.series.device)\"} \(number) \(reading.stamp.wall.rawValue)")
            self.readings += 1
        }
    }

    func settle() throws -> Int {
        try post.flush()
        try Shell.run("curl -sSf '\(url)/internal/force_flush' 2>&1")
        sleep(5)
        try Shell.run("curl -sSf '\(url)/internal/force_merge' 2>&1")
        var last = -1
        while case let size = try Shell.size(folder + "/data/data", folder + "/data/indexdb"), size != last {
            last = size
            sleep(10)
        }
        return last
    }
}
