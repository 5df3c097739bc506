import Glibc

/// Why a key file cannot be used, in words that say what to do.
package struct KeyFileError: Error, Hashable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }

    /// - Parameter number: The system's.
    package init(_ path: String, _ number: Int32) {
        self.init("\(path): \(String(cString: strerror(number)))")
    }
}

/// The file that `covey key generate` makes: a line of 64 hexadecimal digits for each key, the one to speak with first. Empty lines, and
/// lines that begin with `#`, are passed over.
package enum KeyFile {
    private static let mostBytes = 4096

    /// Reads the keys. Throws where others than its owner may read or write the file: a key that others know protects nothing.
    package static func load(_ path: String) throws(KeyFileError) -> KeyRing {
        try parse(try text(path, limit: mostBytes), path)
    }

    /// Throws as ``load(_:)`` does where others than its owner may read or write it.
    package static func text(_ path: String, limit: Int) throws(KeyFileError) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let hint = errno == ENOENT ? "; make it with: covey key generate \(path)" : ""
            throw KeyFileError("\(path): \(String(cString: strerror(errno)))\(hint)")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw KeyFileError(path, errno)
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw KeyFileError("\(path) is not a file") }
        guard status.st_mode & 0o077 == 0 else {
            throw KeyFileError(
                "\(path) may be read or written by others than its owner; make it private: chmod 600 \(path)")
        }
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        let count = read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw KeyFileError(path, errno) }
        guard count <= limit, let text = String(validating: bytes[..<count], as: UTF8.self) else {
            throw KeyFileError("\(path) is not a key file: it is too long, or no text")
        }
        return text
    }

    package static func parse(_ text: String, _ path: String) throws(KeyFileError) -> KeyRing {
        var keys: [GroupKey] = []
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = line.filter { !$0.isWhitespace }
            if line.isEmpty || line.hasPrefix("#") { continue }
            // What stands there is a secret, or was meant to be one: it is not repeated.
            guard let key = GroupKey(hex: line) else {
                throw KeyFileError("\(path):\(number + 1): a key is 64 hexadecimal digits")
            }
            if !keys.contains(key) { keys.append(key) }
        }
        guard let ring = KeyRing(keys) else {
            throw KeyFileError(
                keys.isEmpty
                    ? "\(path) holds no key; make one with: covey key generate"
                    : "\(path) holds more than \(KeyRing.mostKeys) keys")
        }
        return ring
    }
}
