/// A place in the configuration's text. Lines and columns count from 1, columns in characters.
package struct TextPosition: Hashable, Comparable, Sendable {
    package let line: Int
    package let column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package static func < (left: TextPosition, right: TextPosition) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// One thing that is wrong with a configuration, or worth saying about it.
package struct Fault: Hashable, Sendable {
    package let line: Int
    package let column: Int
    /// One line, without the place: ``unknown key `brocker` ``.
    package let message: String
    /// What was probably meant, if there is a guess: ``did you mean `broker`?``.
    package let suggestion: String?

    package init(line: Int, column: Int, message: String, suggestion: String? = nil) {
        self.line = line
        self.column = column
        self.message = message
        self.suggestion = suggestion
    }

    init(at position: TextPosition, _ message: String, suggestion: String? = nil) {
        self.init(line: position.line, column: position.column, message: message, suggestion: suggestion)
    }

    package var position: TextPosition { TextPosition(line: line, column: column) }

    /// `FILE:LINE:COL: message (suggestion)`.
    package func text(path: String) -> String {
        "\(path):\(line):\(column): \(message)" + (suggestion.map { " (\($0))" } ?? "")
    }
}

/// Every fault of one configuration, in the order of the text. Never empty.
package struct ConfigurationFaults: Error, Hashable, Sendable {
    /// As the caller named the file.
    package let path: String
    package let faults: [Fault]

    package init(path: String, faults: [Fault]) {
        self.path = path
        self.faults = faults
    }

    /// One line per fault, as `covey check` prints them.
    package var lines: [String] { faults.map { $0.text(path: path) } }
}

extension ConfigurationFaults: CustomStringConvertible {
    package var description: String { lines.joined(separator: "\n") }
}

/// Collects what the readers of the sections find. One per load; never leaves it.
final class Findings {
    private(set) var faults: [Fault] = []
    private(set) var notes: [Fault] = []
    /// How much weight a missing file has.
    let files: FileCheck
    /// Lines whose statement is reported already: what the syntax pass put there in its place is not to be judged again.
    let repairedLines: Set<Int>

    let inspect: CertificateInspection

    init(
        files: FileCheck, inspect: @escaping CertificateInspection = { _ in [] }, repairedLines: Set<Int> = [],
        faults: [Fault] = []
    ) {
        self.files = files
        self.inspect = inspect
        self.repairedLines = repairedLines
        self.faults = faults
    }

    func fault(at position: TextPosition, _ message: String, suggestion: String? = nil) {
        faults.append(Fault(at: position, message, suggestion: suggestion))
    }

    func note(at position: TextPosition, _ message: String, suggestion: String? = nil) {
        notes.append(Fault(at: position, message, suggestion: suggestion))
    }

    static func inOrder(_ faults: [Fault]) -> [Fault] {
        faults.enumerated().sorted { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) }.map(
            \.element)
    }
}

/// Looks into certificates, which this target cannot read: what is wrong with which of `ca_file`, `cert_file` and `cert_key_file`, and
/// whether it is a fault.
package typealias CertificateInspection =
    (ClusterConfiguration.Certificates) -> [(key: String, text: String, isFault: Bool)]

/// What a file that the configuration names and that cannot be read amounts to.
package enum FileCheck: Hashable, Sendable {
    /// A fault: for `covey check` and for a reload, where someone is there to mend it.
    case fault
    /// A note: at the start of the daemon a lost certificate shall cost one link, not the gateway.
    case note
    /// Nothing: no file is looked at.
    case none
}
