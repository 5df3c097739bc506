import Foundation

/// Certificates of one run, made by the openssl program in a folder of their own.
struct Certificates: ~Copyable {
    let folder: String
    var ca: String { folder + "/ca.pem" }

    struct Pair {
        let cert: String
        let key: String
    }

    init() throws {
        folder = NSTemporaryDirectory() + "covey-certificates-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 30 "
                + "-subj /CN=test-authority")
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// A certificate signed by the authority.
    /// - Parameter dates: first and last second, `YYYYMMDDHHMMSSZ`; `nil` is from now on for a month.
    func issue(_ file: String, for name: String, dates: (String, String)? = nil) throws -> Pair {
        try openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout \(file).key -out \(file).csr "
                + "-subj /CN=\(name) -addext subjectAltName=DNS:\(name)")
        if let dates {
            try write("index.txt", "")
            try write("serial", "1000\n")
            try write(
                "ca.cnf",
                """
                [ca]
                default_ca = own
                [own]
                new_certs_dir = \(folder)
                database = \(folder)/index.txt
                serial = \(folder)/serial
                default_md = sha256
                policy = any
                copy_extensions = copy
                [any]
                commonName = supplied

                """)
            try openssl(
                "ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca.key -in \(file).csr -out \(file).pem "
                    + "-startdate \(dates.0) -enddate \(dates.1)")
        } else {
            try openssl(
                "x509 -req -in \(file).csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -copy_extensions copy "
                    + "-out \(file).pem")
        }
        return Pair(cert: "\(folder)/\(file).pem", key: "\(folder)/\(file).key")
    }

    private func write(_ file: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(file)"))
    }

    private func openssl(_ arguments: String) throws {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments.split(separator: " ").map(String.init)
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardError = output
        process.standardOutput = output
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw OpenSSLFailure(message: "openssl \(arguments): " + String(decoding: text, as: UTF8.self))
        }
    }
}

struct OpenSSLFailure: Error {
    let message: String
}
