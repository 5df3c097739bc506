package import Model

/// Everything that a configuration file says, with every default filled in: plain values, so that two of them can be compared and the
/// difference applied.
package struct GatewayConfiguration: Hashable, Sendable {
    package var gateway: IdentityConfiguration
    package var api: APIConfiguration
    package var storage: StorageConfiguration
    /// In the order of the file; names are distinct.
    package var brokers: [BrokerConfiguration]
    /// In the order of the file; ids are distinct.
    package var devices: [DeviceConfiguration]
    /// `nil` where there is no `[cluster]`.
    package var cluster: ClusterConfiguration?
    /// In the order of the file; names are distinct.
    package var uploads: [UploadConfiguration]
    package var log: LogConfiguration
    /// What is no fault and still worth saying, in the order of the file.
    package var notes: [Fault] = []
}

/// `[gateway]`.
package struct IdentityConfiguration: Hashable, Sendable {
    /// One topic level; the machine's host name where the file is silent.
    package var name: String
    /// Absolute.
    package var dataDirectory: String
    /// Set so that a re-flashed board returns as itself; `nil` takes the id kept in the data directory, or mints one.
    package var node: NodeID?
    package var clock: ClockTrust

    /// When the wall clock is believed. Raw values are the words of the configuration.
    package enum ClockTrust: String, Hashable, Sendable, CaseIterable {
        /// Believe it once the kernel says that it is synchronised, or where a hardware clock gives a plausible year.
        case auto
        /// Believe it at once: the machine is set by other means.
        case always
        /// Believe it only when the kernel says that it is synchronised.
        case ntp
    }
}

/// `[api]`.
package struct APIConfiguration: Hashable, Sendable {
    /// Absolute path of the Unix socket, at most 107 bytes.
    package var socket: String
    /// Where HTTP is served besides; `nil` for the socket alone.
    package var listen: HostPort?
}

/// `[storage]`.
package struct StorageConfiguration: Hashable, Sendable {
    /// A whole number of 4 MiB segments, 8 at least.
    package var ringSize: ByteCount
    /// How long a reading may wait before it is synced, unless its device says otherwise. Zero syncs at once.
    package var commitWindow: Duration
    /// On how many live gateways' disks a reading lies before its source is told.
    package var acks: Int
    package var whenFull: WhenFull
    /// With ``WhenFull/downsample``: what a window is, of which min, max, mean and count are kept.
    package var downsampleWindow: Duration
    /// How long readings under an untrusted clock wait for a trusted one before they leave as `clock-unsynced`.
    package var clockWait: Duration
    /// How old a reading may become that every required sink has; `nil`: it stays until its room is needed.
    package var keep: Duration?
    /// Within this time everything that the ring holds is read once, to see whether the card still has it; zero: it is not.
    package var scrubInterval: Duration
    /// What may be written to the card in all, as its maker says; `nil` where that is not known.
    package var cardEndurance: ByteCount?

    /// What happens when the ring is full of readings that no sink has. Raw values are the words of the configuration.
    package enum WhenFull: String, Hashable, Sendable, CaseIterable {
        case dropOldest = "drop-oldest"
        case rejectNew = "reject-new"
        case downsample
    }
}

/// `[cluster]`.
package struct ClusterConfiguration: Hashable, Sendable {
    package var listen: HostPort
    /// Where peers reach this gateway; `nil` where that is where it listens.
    package var advertise: HostPort?
    package var seeds: [HostPort]
    /// Whether gateways of the same network are found without seeds.
    package var mdns = false
    /// Absolute. `nil` on a loop address only, where no stranger is.
    package var keyFile: String?
    /// `nil` where each gateway mints its own from the key.
    package var certificates: Certificates?
    package var replicas: Replicas

    /// Absolute paths of PEM files.
    package struct Certificates: Hashable, Sendable {
        package var caFile: String
        package var certFile: String
        package var keyFile: String
    }

    package enum Replicas: Hashable, Sendable {
        case all
        /// 1 to 64 gateways hold each log.
        case count(Int)
    }
}

/// `[log]`.
package struct LogConfiguration: Hashable, Sendable {
    package var level: Level

    /// From the most to the least talkative. Raw values are the words of the configuration.
    package enum Level: String, Hashable, Sendable, CaseIterable {
        case trace
        case debug
        case info
        case notice
        case warning
        case error
    }
}

/// A host and a TCP or UDP port, as in `127.0.0.1:8470` or `[::1]:8470`.
package struct HostPort: Hashable, Sendable {
    /// A name or an address, IPv6 without its brackets.
    package var host: String
    /// 1 to 65535.
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// `true` where only this machine can reach it, as far as the text says.
    package var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }
}

extension HostPort: CustomStringConvertible {
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// How often something may happen.
package struct Rate: Hashable, Sendable {
    /// Above zero.
    package var perSecond: Double

    package init(perSecond: Double) {
        self.perSecond = perSecond
    }
}
