import FoundationEssentials
import TestKit

/// What `strace` wrote down of a program's system calls. `-f -ttt -yy -xx`: all threads, times, what each descriptor is, data in hexadecimal
/// digits.
struct StraceLog {
    /// One system call. Lines are counted over the whole log; the tracer sees one thing after the other, so their order is that of the deeds.
    struct Call {
        let name: String
        /// The path of the file, or `TCP:[FROM->TO]`, behind the first argument.
        let target: String
        /// All arguments behind the first.
        let arguments: String
        let firstLine: Int
        var lastLine: Int
        /// Seconds since 1970, at its start.
        let time: Double
        /// What it gave back; -1 where it failed.
        var result: Int
        /// The error's name, such as `EIO`.
        var error: String?

        /// The bytes of the first string among the arguments.
        var bytes: [UInt8] {
            let parts = arguments.split(separator: "\"", maxSplits: 2, omittingEmptySubsequences: false)
            return parts.count < 3 ? [] : StraceLog.unescape(parts[1])
        }

        /// The last argument: the position of a `pwrite64`.
        var position: Int? {
            arguments.split(separator: ",").last.flatMap { Int($0.drop { $0 == " " }) }
        }
    }

    /// In the order of their ends.
    let calls: [Call]

    private static let reads = "read,recvfrom,recvmsg"
    private static let writes = "write,writev,sendto,sendmsg,pwrite64,fdatasync"

    /// The words that start a program under strace, which tampers with its calls as `injections` say. The program stays our own child (`-D`),
    /// so that signals reach it and not the tracer.
    static func command(output: String, injections: [String]) -> [String] {
        ["/usr/bin/strace", "-D", "-f", "--seccomp-bpf", "-ttt", "-yy", "-xx", "-s", "256", "-o", output]
            + ["-e", "trace=\(reads),\(writes)"] + injections.flatMap { ["-e", "inject=\($0)"] }
    }

    /// The same, but only for calls that name `path`, of which nothing is written down.
    static func command(path: String, injections: [String]) -> [String] {
        ["/usr/bin/strace", "-D", "-f", "-o", "/dev/null", "-P", path] + injections.flatMap { ["-e", "inject=\($0)"] }
    }

    init(contentsOf path: String) throws {
        self.init(text: String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self))
    }

    init(text: String) {
        var calls: [Call] = []
        var open: [Substring: (line: Int, time: Double, text: Substring)] = [:]
        for (number, line) in text.split(separator: "\n").enumerated() {
            let words = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: true)
            guard words.count == 3, let time = Double(words[1]) else { continue }
            let (thread, what) = (words[0], words[2])
            if what.hasSuffix(Self.unfinished) {
                open[thread] = (number, time, what.dropLast(Self.unfinished.count))
            } else if what.hasPrefix("<... ") {
                guard let begun = open.removeValue(forKey: thread), let end = what.firstRange(of: "resumed>") else {
                    continue
                }
                let whole = begun.text + what[end.upperBound...]
                if let call = Self.call(whole[...], from: begun.line, to: number, begun.time) { calls.append(call) }
            } else if let call = Self.call(what, from: number, to: number, time) {
                calls.append(call)
            }
        }
        self.calls = calls
    }

    private static let unfinished = " <unfinished ...>"

    private static func call(_ text: Substring, from first: Int, to last: Int, _ time: Double) -> Call? {
        guard let open = text.firstIndex(of: "("), let close = text.range(ofLast: ")", before: " = ") else {
            return nil
        }
        let answer = text[close.upperBound...].drop { $0 == " " || $0 == "=" }.split(separator: " ")
        guard let result = answer.first.flatMap({ Int($0) }) else { return nil }
        let inner = text[text.index(after: open)..<close.lowerBound]
        let (target, arguments) = descriptor(inner)
        return Call(
            name: String(text[..<open]), target: target, arguments: arguments, firstLine: first, lastLine: last,
            time: time, result: result, error: result < 0 && answer.count > 1 ? String(answer[1]) : nil)
    }

    /// Splits `9<…>, rest` into what the descriptor is and the rest.
    private static func descriptor(_ inner: Substring) -> (target: String, arguments: String) {
        guard let open = inner.firstIndex(of: "<") else { return ("", String(inner)) }
        // A connection's ends have an arrow between them.
        let end =
            inner[open...].firstRange(of: "]>")?.upperBound
            ?? inner[open...].firstIndex(of: ">").map(inner.index(after:))
        guard let end else { return ("", String(inner)) }
        let target = inner[inner.index(after: open)..<inner.index(before: end)]
        let text = String(decoding: target.hasPrefix("\\x") ? unescape(target) : Array(target.utf8), as: UTF8.self)
        return (text, String(inner[end...].drop { $0 == "," || $0 == " " }))
    }

    /// `\x41\x42` as bytes.
    static func unescape(_ text: Substring) -> [UInt8] {
        text.split(separator: "\\").compactMap { UInt8($0.dropFirst(), radix: 16) }
    }
}

extension Substring {
    /// Where `mark` stands for the last time right before `next` (spaces between them aside).
    fileprivate func range(ofLast mark: Character, before next: String) -> Range<Index>? {
        var end = endIndex
        while let place = self[..<end].lastIndex(of: mark) {
            let rest = self[index(after: place)...].drop { $0 == " " }
            if (" " + rest).hasPrefix(next) { return place..<index(after: place) }
            end = place
        }
        return nil
    }
}
