import Glibc

/// Why a line cannot be read, or no longer. A supervisor retries: an overlay may load later, a plugged chip may come
/// back.
package struct GPIOError: Error, Hashable, Sendable {
    package enum Code: String, Hashable, Sendable {
        case invalidSettings = "invalid-settings"
        case noChip = "no-chip"
        case ambiguousChip = "ambiguous-chip"
        case permissionDenied = "permission-denied"
        case noLine = "no-line"
        case lineUsed = "line-used"
        case unsupported
        case chipVanished = "chip-vanished"
        case system
    }

    package let code: Code
    /// The chip and line as configured: `gpiochip0 line DOOR`.
    package let place: String
    /// What happened and what to do about it, in one line.
    package let message: String

    package init(_ code: Code, place: String, message: String) {
        self.code = code
        self.place = place
        self.message = message
    }
}

extension GPIOError: CustomStringConvertible {
    package var description: String { "\(place): \(message)" }
}

/// The system's words for an error number.
func describe(errno code: Int32) -> String {
    strerror(code).map { String(cString: $0) } ?? "error \(code)"
}
