import Glibc

/// A folder of one test, gone with it.
final class Folder: Sendable {
    let path: String

    struct Failed: Error { let what: String }

    init() throws {
        var template = Array("/tmp/covey-store-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failed(what: "mkdtemp: \(errno)") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        for name in names { unlink(file(name)) }
        rmdir(path)
    }

    func file(_ name: String) -> String { path + "/" + name }

    /// Sorted.
    var names: [String] { (try? Self.entries(of: path)) ?? [] }

    static func entries(of path: String) throws -> [String] {
        guard let folder = opendir(path) else { throw Failed(what: "opendir \(path): \(errno)") }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix(while: { $0 != 0 }), as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    func read(_ name: String) throws -> [UInt8] {
        guard let stream = fopen(file(name), "rb") else { throw Failed(what: "open \(name): \(errno)") }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, stream), count > 0 { bytes += chunk[..<count] }
        return bytes
    }

    func write(_ bytes: [UInt8], to name: String) throws {
        try put(bytes, to: name, at: 0, mode: "wb")
    }

    func overwrite(_ name: String, from position: Int, with bytes: [UInt8]) throws {
        try put(bytes, to: name, at: position, mode: "r+b")
    }

    private func put(_ bytes: [UInt8], to name: String, at position: Int, mode: String) throws {
        guard let stream = fopen(file(name), mode) else { throw Failed(what: "open \(name): \(errno)") }
        defer { fclose(stream) }
        guard fseek(stream, position, SEEK_SET) == 0, fwrite(bytes, 1, bytes.count, stream) == bytes.count else {
            throw Failed(what: "write \(name): \(errno)")
        }
    }
}
