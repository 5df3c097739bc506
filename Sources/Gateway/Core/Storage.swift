import TOMLConfiguration
import Environment
import Glibc
import GatewayCore
import KeyValue
import LogFormat
import Logging
import Model
import Posix
import RingLog
import SQLiteStore

/// What a gateway keeps on its disk, opened: the ring and the key-value store. Opening never refuses over damaged data; what cannot be
/// used is set aside under another name, and said.
struct Storage: Sendable {
    let disk: FileDisk
    let ring: RingLog
    let store: any KeyValueStore
    let node: NodeID
    /// What was found and set aside, a sentence each.
    let findings: [String]

    static func open(
        _ configuration: GatewayConfiguration, now: MonotonicInstant, random: inout SystemRandomNumberGenerator
    ) async throws(GatewayError) -> Storage {
        let directory = configuration.gateway.dataDirectory
        var findings: [String] = []
        let store = await openStore(directory, &findings)
        let (disk, ring) = try openRing(configuration, now: now, &findings)
        let node = await identity(configuration, store: store, ring: ring, random: &random, &findings)
        return Storage(disk: disk, ring: ring, store: store, node: node, findings: findings)
    }

    private static func openStore(_ directory: String, _ findings: inout [String]) async -> any KeyValueStore {
        do {
            let store = try await SQLiteStore.open(at: directory + "/covey.db")
            findings.append(
                contentsOf: store.setAside.map {
                    "\(directory)/covey.db is damaged and was set aside as \($0.path); devices appear again as they speak"
                        + " (\($0.reason))"
                })
            return store
        } catch {
            findings.append("the key-value store cannot be opened, this run keeps it in memory: \(error.message)")
            return MemoryStore()
        }
    }

    /// Where there is no way to write, the gateway runs all the same: readings stay in memory and go to the sinks from there, what an
    /// earlier run left goes out as far as it can be read, and the disk is tried again and again.
    private static func openRing(
        _ configuration: GatewayConfiguration, now: MonotonicInstant, _ findings: inout [String]
    ) throws(GatewayError) -> (FileDisk, RingLog) {
        let path = configuration.gateway.dataDirectory + "/ring"
        do {
            return try openWritable(path, configuration.storage, &findings)
        } catch {
            findings.append("\(error); readings stay in memory until \(path) can be written")
            return try openClosed(path, configuration.storage, because: error.description, now: now, &findings)
        }
    }

    private static func openClosed(
        _ path: String, _ storage: StorageConfiguration, because reason: String, now: MonotonicInstant,
        _ findings: inout [String]
    ) throws(GatewayError) -> (FileDisk, RingLog) {
        let size = Int(storage.ringSize.rawValue)
        var failure: any Error = GatewayError.storage(reason)
        // What is there and is no ring of ours cannot be set aside: then without it.
        for isUnusable in [false, true] {
            do {
                let disk = try FileDisk(path: path, size: size, closedFor: reason, isUnusable: isUnusable)
                var (opened, ring) = try openRing(disk, at: path, storage, wasThere: disk.isThere, &findings)
                ring.enterMemoryOnly(reason, now: now)
                return (opened, ring)
            } catch {
                failure = error
            }
        }
        throw .storage("\(failure)")
    }

    private static func openWritable(
        _ path: String, _ storage: StorageConfiguration, _ findings: inout [String]
    ) throws(GatewayError) -> (FileDisk, RingLog) {
        do {
            return try openOnce(path, storage, &findings)
        } catch {
            guard case .unusable(let reason) = error else { throw error }
            let aside = setAsideName(path)
            guard rename(path, aside) == 0 else { throw .storage("\(path): \(reason); it cannot be set aside either") }
            findings.append("\(path): \(reason): set aside as \(aside), a new ring was made")
            return try openOnce(path, storage, &findings)
        }
    }

    private static func openOnce(
        _ path: String, _ storage: StorageConfiguration, _ findings: inout [String]
    ) throws(GatewayError) -> (FileDisk, RingLog) {
        let wasThere = access(path, F_OK) == 0
        let disk = try openDisk(path, storage, &findings)
        return try openRing(disk, at: path, storage, wasThere: wasThere, &findings)
    }

    private static func openRing(
        _ disk: FileDisk, at path: String, _ storage: StorageConfiguration, wasThere: Bool, _ findings: inout [String]
    ) throws(GatewayError) -> (FileDisk, RingLog) {
        if disk.size != Int(storage.ringSize.rawValue) {
            findings.append(
                "\(path) is \(ByteCount(Int64(disk.size))), not the configured \(storage.ringSize): a ring keeps its size"
            )
        }
        var options = RingOptions()
        options.retention =
            switch storage.whenFull {
            case .dropOldest: .dropOldest
            case .rejectNew: .rejectNew
            case .downsample: .downsample
            }
        // A quarter of these is sure to survive a crash: as many as a broker may have outstanding.
        options.marksKept = 4 * 4096
        var random = SystemRandomNumberGenerator()
        do {
            let (ring, report) = try RingLog.open(disk: disk, options: options, using: &random)
            findings.append(contentsOf: report.sentences)
            if wasThere, report.created {
                findings.append("\(path) was there and held nothing: it begins as a new ring")
            }
            return (disk, ring)
        } catch {
            switch error {
            case .disk(let failure): throw .storage(failure.message)
            default: throw .unusable(error.description)
            }
        }
    }

    /// A ring that does not fit is made smaller, down to the least that works: a small buffer beats none.
    private static func openDisk(
        _ path: String, _ storage: StorageConfiguration, _ findings: inout [String]
    ) throws(GatewayError) -> FileDisk {
        let least = 8 * Geometry.standard.segmentBytes
        var size = Int(storage.ringSize.rawValue)
        while true {
            do {
                return try FileDisk(path: path, size: size)
            } catch {
                // Something else lies there, or it is somebody else's: it goes aside, and the gateway runs.
                if [EISDIR, EACCES, EPERM, ELOOP, ENXIO].contains(error.number) {
                    throw .unusable("it cannot be opened (\(String(cString: strerror(error.number))))")
                }
                guard error.number == ENOSPC, size / 2 >= least else { throw .storage(error.description) }
                findings.append("\(error.description); trying half the size")
                size = size / 2 / Geometry.standard.segmentBytes * Geometry.standard.segmentBytes
            }
        }
    }

    private static func setAsideName(_ path: String) -> String {
        var number = 1
        while access("\(path).set-aside-\(number)", F_OK) == 0 { number += 1 }
        return "\(path).set-aside-\(number)"
    }

    /// The configured node id, or the one this data directory keeps, or a new one. The key-value store and the ring both keep it, so that
    /// one of them may be lost.
    private static func identity(
        _ configuration: GatewayConfiguration, store: any KeyValueStore, ring: RingLog,
        random: inout SystemRandomNumberGenerator, _ findings: inout [String]
    ) async -> NodeID {
        let kept = try? await store.text(for: "node", in: .identity)
        let writer = GatewayCore.keptNode(in: ring)
        let node =
            configuration.gateway.node ?? kept.flatMap { $0 }.flatMap { NodeID(hex: $0) } ?? writer
            ?? NodeID(using: &random)
        if let writer, writer != node {
            findings.append(
                "the ring was written as node \(writer) and this gateway is node \(node): is it another gateway's card?"
                    + " What it holds goes out under the name of this one")
        }
        do {
            try await store.put(text: node.description, for: "node", in: .identity)
        } catch {
            findings.append("the node id \(node) could not be kept: \(error.message)")
        }
        return node
    }
}

/// Why a gateway cannot start, in words that say what to do.
package enum GatewayError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The data directory, the ring or its file system.
    case storage(String)
    /// A ring that is there and cannot be used; it is set aside.
    case unusable(String)
    /// A part that the configuration names: which, and what is wrong with it.
    case part(String, String)

    package var description: String {
        switch self {
        case .storage(let text), .unusable(let text): text
        case .part(let name, let text): "\(name): \(text)"
        }
    }
}
