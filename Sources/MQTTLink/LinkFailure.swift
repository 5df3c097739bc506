import CMosquitto
import Glibc
import Model

/// Why there is no connection, in plain words.
package struct LinkFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: String, Hashable, Sendable {
        /// The name has no address.
        case unknownHost = "unknown-host"
        /// Nobody listens there, or no way leads there.
        case unreachable
        /// No answer in time, while connecting or later.
        case timeout
        case tls
        /// User name, password or client certificate.
        case credentials
        /// The broker said no for another reason.
        case refused
        case protocolVersion = "protocol-version"
        case protocolError = "protocol-error"
        /// The connection broke, or the broker ended it.
        case lost
        /// Another client came with our client id.
        case takenOver = "taken-over"
        /// The gateway could not make a batch durable: it was left to the broker.
        case notDurable = "not-durable"
        case resources
    }

    package let code: Code
    /// What happened and what to do about it, one line.
    package let message: String
    package var description: String { message }

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension LinkFailure {
    /// What a broker's answer to CONNECT, or its DISCONNECT, means. `code`: MQTT 5's reason, or 3.1.1's return code below 6.
    static func refusal(_ code: Int32, version: MQTTVersion, username: String?) -> LinkFailure {
        let who = username.map { "user \($0)" } ?? "a client without a user name"
        let wrong = "the broker does not accept \(who): check username, password_file and the broker's password list"
        if version == .version311, code < 6 {
            return switch code {
            case 1: LinkFailure(.protocolVersion, "the broker does not speak MQTT 3.1.1")
            case 2: LinkFailure(.refused, "the broker does not accept the client id: choose another one")
            case 3: LinkFailure(.refused, "the broker says that it is not available now")
            default: LinkFailure(.credentials, wrong)
            }
        }
        switch UInt32(bitPattern: code) {
        case MQTT_RC_BAD_USERNAME_OR_PASSWORD.rawValue, MQTT_RC_NOT_AUTHORIZED.rawValue,
            MQTT_RC_BAD_AUTHENTICATION_METHOD.rawValue:
            return LinkFailure(.credentials, wrong)
        case MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION.rawValue:
            return LinkFailure(.protocolVersion, "the broker does not speak MQTT 5")
        case MQTT_RC_CLIENTID_NOT_VALID.rawValue:
            return LinkFailure(.refused, "the broker does not accept the client id: choose another one")
        case MQTT_RC_SESSION_TAKEN_OVER.rawValue:
            return LinkFailure(
                .takenOver, "another client has connected with this client id: give each gateway a name of its own")
        case MQTT_RC_KEEP_ALIVE_TIMEOUT.rawValue:
            return LinkFailure(.timeout, "the broker heard nothing of this gateway for its keep-alive")
        case MQTT_RC_SERVER_SHUTTING_DOWN.rawValue:
            return LinkFailure(.lost, "the broker is shutting down")
        case MQTT_RC_BANNED.rawValue:
            return LinkFailure(.refused, "the broker has banned this client: ask its administrator")
        default:
            return LinkFailure(.refused, "the broker refused: \(String(cString: mosquitto_reason_string(code)))")
        }
    }

    /// What an error of the library means. `notes`: what it logged meanwhile; `systemError`: `errno` right after.
    static func library(_ result: Int32, systemError: Int32, notes: [String]) -> LinkFailure {
        switch mosq_err_t(result) {
        case MOSQ_ERR_CONN_LOST:
            LinkFailure(.lost, "the broker closed the connection")
        case MOSQ_ERR_KEEPALIVE:
            LinkFailure(
                .timeout, "the broker did not answer for the keep-alive: it hangs, or the network between has failed")
        case MOSQ_ERR_EAI:
            LinkFailure(.unknownHost, "the broker's name cannot be resolved: check the host and the DNS")
        case MOSQ_ERR_TLS, MOSQ_ERR_TLS_HANDSHAKE, MOSQ_ERR_OCSP:
            tls(notes: notes, verification: nil)
        case MOSQ_ERR_PROTOCOL, MOSQ_ERR_MALFORMED_PACKET, MOSQ_ERR_MALFORMED_UTF8, MOSQ_ERR_DUPLICATE_PROPERTY:
            LinkFailure(.protocolError, "the other side does not keep to MQTT: check that host and port are a broker's")
        case MOSQ_ERR_NOMEM:
            LinkFailure(.resources, "out of memory")
        case MOSQ_ERR_ERRNO where systemError == EPROTO:
            tls(notes: notes, verification: nil)
        case MOSQ_ERR_ERRNO:
            system(systemError)
        default:
            LinkFailure(.lost, "the MQTT library gave up: \(String(cString: mosquitto_strerror(result)))")
        }
    }

    /// A connection that ended before the other side had answered.
    static let wordless = LinkFailure(
        .lost, "the other side ended the connection without an answer: check that host and port are a broker's")

    static func system(_ code: Int32) -> LinkFailure {
        switch code {
        case ECONNREFUSED:
            LinkFailure(.unreachable, "nothing listens on the broker's port: check that it runs, and the port")
        case EHOSTUNREACH, ENETUNREACH, ENETDOWN, EADDRNOTAVAIL:
            LinkFailure(.unreachable, "no way leads to the broker (\(describe(code))): check the network")
        case ETIMEDOUT:
            LinkFailure(.timeout, "the broker's machine does not answer: check the host and the network")
        // The library also reports an end of the stream as a system error, and then there is none.
        case ECONNRESET, EPIPE, 0:
            LinkFailure(.lost, "the broker closed the connection")
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
            LinkFailure(.resources, "the system gives no more sockets (\(describe(code)))")
        default:
            LinkFailure(.lost, "the connection failed (\(describe(code)))")
        }
    }

    /// `verification`: OpenSSL's word on the broker's certificate, where it was asked.
    static func tls(notes: [String], verification: Int?) -> LinkFailure {
        let said = notes.joined(separator: " ")
        if said.contains("host name verification") || verification == 62 {
            return LinkFailure(
                .tls, "the broker's certificate is for another name than the host: use the name in the certificate")
        }
        switch verification ?? 0 {
        case 9: return LinkFailure(.tls, "the broker's certificate is not valid yet: check this machine's clock")
        case 10:
            return LinkFailure(
                .tls, "the broker's certificate has expired: renew it (or this machine's clock is wrong)")
        case 2, 18, 19, 20, 21, 27:
            return LinkFailure(
                .tls, "the broker's certificate is not signed by an authority that ca_file holds: check ca_file")
        case 1...:
            return LinkFailure(
                .tls, "the broker's certificate is not accepted (OpenSSL verify code \(verification ?? 0))")
        default: break
        }
        if said.contains("certificate verify failed") {
            return LinkFailure(
                .tls, "the broker's certificate is not accepted: check ca_file and the broker's certificate")
        }
        if said.contains("certificate required") || said.contains("bad certificate") || said.contains("unknown ca") {
            return LinkFailure(
                .credentials, "the broker does not accept the client certificate: check cert_file and key_file")
        }
        if said.contains("wrong version number") || said.contains("unexpected eof") {
            return LinkFailure(.tls, "the port does not speak TLS: use mqtt:// or the broker's TLS port")
        }
        return LinkFailure(.tls, "TLS failed: \(said.isEmpty ? "no detail given" : said)")
    }
}
