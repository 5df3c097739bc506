import Model

/// An answer that is not the one asked for. It reaches the caller as `{"error":TEXT,"hint":TEXT}`.
package struct ControlError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of no; the raw value is the HTTP status.
    package enum Code: Int, Hashable, Sendable {
        case badRequest = 400
        case forbidden = 403
        case notFound = 404
        case methodNotAllowed = 405
        /// It is not as the order needs it to be.
        case conflict = 409
        case bodyTooLarge = 413
        case headTooLarge = 431
        case failed = 500
        case unavailable = 503
    }

    package let code: Code
    package let message: String
    /// What would help; `nil` where nobody can say.
    package let hint: String?

    package init(_ code: Code, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    /// The error itself, or a `failed` with its description.
    init(any error: any Error) {
        self = error as? ControlError ?? ControlError(.failed, "\(error)")
    }

    package var description: String { hint.map { "\(message) (\($0))" } ?? message }

    var json: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("error")
            writer.string(message)
            if let hint {
                writer.key("hint")
                writer.string(hint)
            }
        }
        return writer.bytes
    }
}

/// Why the server cannot listen.
package struct ListenError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// A Unix socket's path holds at most ``ControlEndpoint/longestPath`` bytes.
        case pathTooLong
        case noDirectory
        /// Something that is no socket lies at the path; it is left alone.
        case notASocket
        /// Somebody answers there.
        case inUse
        /// Only loopback addresses are served over TCP: the interface has no passwords.
        case notLoopback
        case system
    }

    package let code: Code
    package let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
