import FoundationEssentials

/// `covey status --json` as a tree, of which a row can name any member.
enum StatusTree: Decodable, Sendable {
    case object([String: StatusTree])
    case array([StatusTree])
    case number(Double)
    case string(String)
    case flag(Bool)
    case null

    init(parsing text: String) throws {
        self = try JSONDecoder().decode(StatusTree.self, from: Data(text.utf8))
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let members = try? container.decode([String: StatusTree].self) {
            self = .object(members)
        } else if let elements = try? container.decode([StatusTree].self) {
            self = .array(elements)
        } else if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .string(text)
        } else {
            self = .null
        }
    }

    /// By a dotted path; an element of an array by its `device`, `name` or place.
    subscript(path: String) -> StatusTree? {
        path.split(separator: ".").reduce(self as StatusTree?) { node, part in node?.member(String(part)) }
    }

    private func member(_ name: String) -> StatusTree? {
        switch self {
        case .object(let members): members[name]
        case .array(let elements):
            elements.first { $0.member("device")?.text == name || $0.member("name")?.text == name }
                ?? Int(name).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
        default: nil
        }
    }

    var integer: Int? { if case .number(let number) = self { Int(number) } else { nil } }

    /// All that it says, for a look at whether something is among it.
    var text: String {
        switch self {
        case .object(let members):
            members.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value.text)" }.joined(separator: ", ")
        case .array(let elements): elements.map(\.text).joined(separator: "\n")
        case .number(let number): number == number.rounded() ? String(Int(number)) : String(number)
        case .string(let text): text
        case .flag(let flag): String(flag)
        case .null: "null"
        }
    }
}
