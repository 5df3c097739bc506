import Model

/// Short forms for the keys that most sections have. Each gives the default where the key is missing or faulty.
extension TableReader {
    func text(_ key: String) -> Located<String>? { value(key, Read.text) }

    func flag(_ key: String, default fallback: Bool) -> Bool { value(key, Read.flag)?.value ?? fallback }

    func integer(_ key: String, in range: ClosedRange<Int64>, default fallback: Int) -> Int {
        value(key) { (item) throws(Unfit) in try Read.integer(item, in: range) }?.value ?? fallback
    }

    func number(_ key: String, in range: ClosedRange<Double>, default fallback: Double) -> Double {
        value(key) { (item) throws(Unfit) in try Read.number(item, in: range) }?.value ?? fallback
    }

    func choice<Choice: CaseIterable & RawRepresentable>(
        _ key: String, default fallback: Choice, later: [String] = []
    ) -> Choice where Choice.RawValue == String {
        value(key) { (item) throws(Unfit) in try Read.choice(item, Choice.self, later: later) }?.value ?? fallback
    }

    func duration(
        _ key: String, in range: ClosedRange<Duration>, words: [(word: String, meaning: Duration)] = []
    ) -> Duration? {
        value(key) { (item) throws(Unfit) in try Read.duration(item, in: range, words: words) }?.value
    }

    func size(_ key: String, in range: ClosedRange<ByteCount>, default fallback: ByteCount) -> ByteCount {
        value(key) { (item) throws(Unfit) in try Read.size(item, in: range) }?.value ?? fallback
    }

    func rate(_ key: String) -> Rate? { value(key, Read.rate)?.value }

    /// An absolute path, of whatever is or is not there.
    func path(_ key: String) -> Located<String>? {
        text(key).map { Located(value: Paths.absolute($0.value, in: folder), position: $0.position) }
    }

    /// The absolute path of a file that must be there and readable.
    func file(_ key: String, isSecret: Bool = false) -> String? {
        guard let path = path(key) else { return nil }
        report(Paths.readability(of: path.value), of: key, at: path.position)
        if isSecret, findings.files != .none, Paths.isReadableByOthers(path.value) {
            findings.note(
                at: path.position, "`\(key)`: every user of this machine can read \(path.value)",
                suggestion: "chmod 640 and chgrp covey")
        }
        return path.value
    }

    private func report(_ problem: String?, of key: String, at position: TextPosition) {
        guard findings.files != .none, let problem else { return }
        if findings.files == .fault {
            findings.fault(at: position, "`\(key)`: \(problem)")
        } else {
            findings.note(at: position, "`\(key)`: \(problem)")
        }
    }

    /// `ca_file`, `cert_file`, `key_file`: a certificate goes with its key.
    func tlsFiles() -> TLSFiles {
        let files = TLSFiles(
            caFile: file("ca_file"), certFile: file("cert_file"), keyFile: file("key_file", isSecret: true))
        for (present, absent) in [("cert_file", "key_file"), ("key_file", "cert_file")]
        where table[present] != nil && table[absent] == nil {
            findings.fault(
                at: keyPosition(present), "`\(present)` needs `\(absent)` beside it",
                suggestion: "a client certificate and its key go together")
        }
        return files
    }

    /// Reports the TLS keys that are there although the connection is plain.
    func rejectTLSKeys(scheme: String) {
        for key in ["ca_file", "cert_file", "key_file"] where has(key) {
            findings.fault(
                at: keyPosition(key), "`\(key)` has no meaning without TLS",
                suggestion: "did you mean \(scheme) in `url`?")
        }
    }
}
