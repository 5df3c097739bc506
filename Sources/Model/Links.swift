/// Which MQTT is spoken. Raw values are the words of the configuration.
package enum MQTTVersion: String, Hashable, Sendable, CaseIterable {
    /// 5, and 3.1.1 with a broker that refuses it.
    case automatic = "auto"
    case version5 = "5"
    case version311 = "3.1.1"
}

extension MQTTVersion: CustomStringConvertible {
    package var description: String { self == .automatic ? "MQTT" : "MQTT \(rawValue)" }
}

/// The files by which a TLS client knows the other side, and is known. Verification cannot be switched off.
package struct TLSFiles: Hashable, Sendable {
    /// PEM file of the authorities to trust; `nil` for those of the system.
    package var caFile: String?
    /// PEM files of the client's own certificate and its key: both or none.
    package var certFile: String?
    package var keyFile: String?

    package init(caFile: String? = nil, certFile: String? = nil, keyFile: String? = nil) {
        self.caFile = caFile
        self.certFile = certFile
        self.keyFile = keyFile
    }
}
