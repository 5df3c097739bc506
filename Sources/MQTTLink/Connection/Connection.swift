import CMosquitto
import Environment
import Glibc
import Model

/// What a connection tells its owner, always on the link's thread and from within ``Connection/read()`` or ``Connection/write()``.
protocol ConnectionOwner: AnyObject {
    func received(_ message: mosquitto_message)
    /// A line of the library's debug log, while ``Connection/listenToLog(_:)`` is on.
    func logged(_ line: UnsafePointer<CChar>)
    func subscribed(messageID: Int32, codes: [Int32])
    /// The broker's answer to a publish; `code` is 0 or a reason of MQTT 5.
    func published(messageID: Int32, code: Int32)
}

/// One MQTT connection through libmosquitto, from its opening to its end; never reused. Belongs to one thread.
///
/// The library is told that it is threaded, so that it queues what it has to send until ``write()``: above all the PUBACK, which
/// it makes before it even shows the message. Who does not call ``write()`` acknowledges nothing.
final class Connection {
    struct Will {
        var topic: String
        var payload: [UInt8]
    }

    enum Session {
        /// Kept by the broker while the client is away.
        case persistent
        case clean
    }

    /// The broker's answer to CONNECT.
    struct Answer {
        var code: Int32
        var isSessionPresent: Bool
    }

    /// Lines of the library's log that explain a failure; more say nothing new.
    private static let noteLimit = 8

    let client: OpaquePointer
    let settings: BrokerSettings
    let version: MQTTVersion
    weak var owner: (any ConnectionOwner)?
    var answer: Answer?
    var farewell: Int32?
    private(set) var notes: [String] = []
    /// Until the broker has answered.
    private var handshake: TLSHandshake?

    /// Prepares a connection; nothing goes out yet.
    init(settings: BrokerSettings, version: MQTTVersion, session: Session, will: Will?) throws(LinkEnd) {
        Self.startLibrary
        guard let client = mosquitto_new(settings.clientID, session == .clean, nil) else {
            throw .failure(LinkFailure.system(errno))
        }
        self.client = client
        self.settings = settings
        self.version = version
        mosquitto_user_data_set(client, Unmanaged.passUnretained(self).toOpaque())
        setCallbacks()
        mosquitto_threaded_set(client, true)
        let number = version == .version311 ? MQTT_PROTOCOL_V311 : MQTT_PROTOCOL_V5
        try set(MOSQ_OPT_PROTOCOL_VERSION, number)
        try set(MOSQ_OPT_TCP_NODELAY, 1)
        // Whoever publishes keeps a window of its own; the broker's Receive Maximum still counts.
        try set(MOSQ_OPT_SEND_MAXIMUM, 65_535)
        if version != .version311 { try set(MOSQ_OPT_RECEIVE_MAXIMUM, Int32(settings.receiveMaximum)) }
        try setCredentials()
        if let will {
            let result = mosquitto_will_set(client, will.topic, Int32(will.payload.count), will.payload, 1, true)
            guard result == MOSQ_ERR_SUCCESS.result else {
                throw unusable("the last will's topic \(will.topic)", result)
            }
        }
        if version != .version311, session == .persistent { try keepSessionExpiry() }
    }

    deinit { mosquitto_destroy(client) }

    /// -1 once the connection is gone.
    var socket: Int32 { mosquitto_socket(client) }
    var wantsWrite: Bool { mosquitto_want_write(client) }
    var roundTrip: Duration { .microseconds(Int64(covey_round_trip_microseconds(socket))) }

    /// Reads about one packet; none where nothing is there.
    func read() throws(LinkEnd) {
        watchHandshake()
        try check(mosquitto_loop_read(client, 1))
    }

    /// Sends what is queued, all of it unless the socket is full.
    func write() throws(LinkEnd) {
        watchHandshake()
        try check(mosquitto_loop_write(client, 1))
    }

    /// Keep-alive: to be called about every second.
    func tick() throws(LinkEnd) {
        try check(mosquitto_loop_misc(client))
    }

    /// Joins small packets into full segments while held. Thousands of acknowledgements of four bytes each cost the broker a wake-up each.
    func hold(_ isHeld: Bool) {
        _ = covey_set_tcp_option(socket, TCP_CORK, isHeld ? 1 : 0)
    }

    func note(_ line: String) {
        if notes.count < Self.noteLimit { notes.append(line) }
    }

    /// What the end of this connection means, after a call gave `result`.
    func failure(_ result: Int32, systemError: Int32) -> LinkFailure {
        if let answer, answer.code != 0 {
            return LinkFailure.refusal(answer.code, version: version, username: settings.username)
        }
        if let farewell, result == MOSQ_ERR_SUCCESS.result, farewell != 0 {
            return LinkFailure.refusal(farewell, version: version, username: settings.username)
        }
        let isWordless = answer == nil && settings.tls == nil
        if result == MOSQ_ERR_SUCCESS.result {
            return isWordless ? .wordless : LinkFailure(.lost, "the broker closed the connection")
        }
        let failed = LinkFailure.library(result, systemError: systemError, notes: notes)
        guard settings.tls != nil else { return isWordless && failed.code == .lost ? .wordless : failed }
        let isAfterHandshake = result != MOSQ_ERR_TLS.result
        if notes.isEmpty, answer == nil, isAfterHandshake, failed.code == .lost || failed.code == .tls {
            return LinkFailure(
                .lost,
                "the broker ended the connection right after the TLS handshake: most often it wants a client certificate that it knows; check cert_file and key_file"
            )
        }
        guard failed.code == .tls || !notes.isEmpty else { return failed }
        return LinkFailure.tls(notes: notes, verification: handshake?.verdict)
    }

    private func check(_ result: Int32) throws(LinkEnd) {
        let systemError = errno
        if result == MOSQ_ERR_SUCCESS.result, socket >= 0 { return }
        throw .failure(failure(result, systemError: systemError))
    }

    private func watchHandshake() {
        guard settings.tls != nil else { return }
        handshake = answer == nil ? handshake ?? TLSHandshake(of: client) : nil
    }

    private func set(_ option: mosq_opt_t, _ value: Int32) throws(LinkEnd) {
        let result = mosquitto_int_option(client, option, value)
        guard result == MOSQ_ERR_SUCCESS.result else { throw unusable("option \(option.rawValue)", result) }
    }

    private func setCredentials() throws(LinkEnd) {
        if let username = settings.username {
            let password: String?
            do { password = try settings.password() } catch { throw .configuration(error) }
            let result = mosquitto_username_pw_set(client, username, password)
            guard result == MOSQ_ERR_SUCCESS.result else { throw unusable("the username \(username)", result) }
        }
        guard let tls = settings.tls else { return }
        if tls.caFile == nil {
            try set(MOSQ_OPT_TLS_USE_OS_CERTS, 1)
        }
        guard tls.caFile != nil || tls.certFile != nil else { return }
        // The library wants some authority named with a client certificate; the usual folder adds none to those of the system.
        let result = mosquitto_tls_set(
            client, tls.caFile, tls.caFile == nil ? "/etc/ssl/certs" : nil, tls.certFile, tls.keyFile, nil)
        guard result == MOSQ_ERR_SUCCESS.result else { throw unusable("the TLS files", result) }
    }

    private func keepSessionExpiry() throws(LinkEnd) {
        var properties: OpaquePointer?
        defer { mosquitto_property_free_all(&properties) }
        let seconds = UInt32(settings.sessionExpiry.components.seconds)
        var result = mosquitto_property_add_int32(
            &properties, Int32(MQTT_PROP_SESSION_EXPIRY_INTERVAL.rawValue), seconds)
        if result == MOSQ_ERR_SUCCESS.result {
            result = covey_mosquitto_keep_properties(client, settings.host, properties)
        }
        guard result == MOSQ_ERR_SUCCESS.result else { throw unusable("the session expiry", result) }
    }

    private func unusable(_ what: String, _ result: Int32) -> LinkEnd {
        .configuration(
            LinkConfigurationError(
                message:
                    "broker \(settings.name): \(what) cannot be used: \(String(cString: mosquitto_strerror(result)))"))
    }

    /// Once per process. The library writes to sockets that may be closed; without this such a write would end the process.
    private static let startLibrary: Void = {
        signal(SIGPIPE, SIG_IGN)
        mosquitto_lib_init()
    }()
}

extension mosq_err_t {
    /// As the library's functions return it.
    var result: Int32 { rawValue }
}
