package import Model

/// One `[[broker]]`.
package struct BrokerConfiguration: Hashable, Sendable {
    package var name: String
    package var address: HostPort
    /// `nil` where the URL says `mqtt://`.
    package var tls: TLSFiles?
    package var username: String?
    /// Absolute; read at each connect, its last line end is not part of the password.
    package var passwordFile: String?
    package var clientID: String
    package var version: MQTTVersion
    /// 5 s to 18 h.
    package var keepAlive: Duration
    /// How long the broker keeps the session, and with it what was sent meanwhile, while the gateway is away.
    package var sessionExpiry: Duration
    /// 10 to 65535 messages that the broker may send without an acknowledgement.
    package var receiveMaximum: Int
    /// Connected, and no message for so long: an alarm. `nil` never.
    package var silentAlarm: Duration?
    /// Whether the retained local topics `covey/GATEWAY/…` are published here.
    package var publish: Bool
    /// Whether gateways of one covey that read this broker share its messages among them.
    package var shared: Bool
}

/// One `[[upload]]`.
package struct UploadConfiguration: Hashable, Sendable {
    package var name: String
    package var target: Target
    /// Whether its receipts are needed before data may go.
    package var required: Bool
    /// How long a part of a chunk waits for the rest.
    package var linger: Duration
    /// Readings; `nil` without a limit.
    package var maximumRate: Rate?
    /// 1 to 4 chunks.
    package var chunksInFlight: Int

    package enum Target: Hashable, Sendable {
        case http(HTTPTarget)
        case mqtt(MQTTTarget)
        case file(FileTarget)

        /// The word of the configuration.
        package var sink: SinkKind {
            switch self {
            case .http: .http
            case .mqtt: .mqtt
            case .file: .file
            }
        }
    }

    /// Raw values are the words of the configuration.
    package enum SinkKind: String, Hashable, Sendable, CaseIterable {
        case http
        case mqtt
        case file
    }

    package struct HTTPTarget: Hashable, Sendable {
        /// `http://` or `https://`, a host, perhaps a port and a path.
        package var url: String
        /// In the order of the file.
        package var headers: [Header]
        /// Absolute; its first line goes out as `Authorization: Bearer`.
        package var tokenFile: String?
        package var tls: TLSFiles
        package var gzip: Bool
        /// From the start of a request to the end of the answer.
        package var timeout: Duration
    }

    package struct Header: Hashable, Sendable {
        package var name: String
        package var value: String
    }

    package struct MQTTTarget: Hashable, Sendable {
        /// The name of a ``BrokerConfiguration``.
        package var broker: String
        /// Where batches go; `{gateway}`, `{node}` and `{log}` stand for themselves.
        package var topic: String
    }

    package struct FileTarget: Hashable, Sendable {
        /// Absolute; one batch a line.
        package var path: String
        /// The file is renamed and begun anew at this size.
        package var rotateAt: ByteCount
    }
}
