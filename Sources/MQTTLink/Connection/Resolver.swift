import CMosquitto
import Environment
import Glibc
import Model

/// Which of a name's addresses to connect to.
///
/// libmosquitto's asynchronous connect tries only the first address of a name: `localhost` is often `::1` first, and a broker that
/// listens on 127.0.0.1 would never be reached. So a name with several addresses is tried out here before.
struct Resolver {
    struct Target: Hashable {
        /// What libmosquitto is given. With TLS the name, which the certificate is checked against; else an address.
        var host: String
        /// Whether it must go through the addresses itself, blocking.
        var needsSearch = false
    }

    struct Address {
        var text: String
        var storage: sockaddr_storage
        var length: socklen_t
    }

    let thread: LinkThread
    let settings: BrokerSettings

    /// Blocks its thread in the system's resolver.
    func target(deadline: MonotonicInstant) throws(LinkEnd) -> Target {
        let addresses = try resolve()
        guard addresses.count > 1 else {
            return Target(host: settings.tls == nil ? addresses[0].text : settings.host)
        }
        var timedOut = false
        var firstFailure: LinkFailure?
        for (index, address) in addresses.enumerated() {
            let now = monotonicNow()
            let share = now.duration(to: deadline) / (addresses.count - index + 1)
            guard let failure = try probe(address, until: now.advanced(by: share)) else {
                guard settings.tls != nil else { return Target(host: address.text) }
                guard !timedOut else { break }
                return Target(host: settings.host, needsSearch: index > 0)
            }
            firstFailure = firstFailure ?? failure
            timedOut = timedOut || failure.code == .timeout
        }
        throw .failure(firstFailure ?? LinkFailure(.unreachable, "no address of \(settings.host) answers"))
    }

    private func resolve() throws(LinkEnd) -> [Address] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let result = thread.blocking { getaddrinfo(settings.host, String(settings.port), &hints, &list) }
        if thread.isStopping { throw .stopped }
        guard result == 0, let list else {
            throw .failure(
                LinkFailure(
                    .unknownHost,
                    "the name \(settings.host) cannot be resolved (\(String(cString: gai_strerror(result)))): check it, and the DNS"
                ))
        }
        defer { freeaddrinfo(list) }
        // Four are plenty; a name with more is spread over machines, any of which will do.
        let addresses = sequence(first: list, next: { $0.pointee.ai_next }).prefix(4).compactMap(Self.address)
        guard !addresses.isEmpty else {
            throw .failure(LinkFailure(.unknownHost, "the name \(settings.host) has no address"))
        }
        return addresses
    }

    private static func address(_ info: UnsafeMutablePointer<addrinfo>) -> Address? {
        guard let pointer = info.pointee.ai_addr,
            info.pointee.ai_family == AF_INET || info.pointee.ai_family == AF_INET6
        else { return nil }
        let length = info.pointee.ai_addrlen
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: min(Int(length), $0.count)))
        }
        var text = [CChar](repeating: 0, count: 64)
        guard getnameinfo(pointer, length, &text, socklen_t(text.count), nil, 0, Int32(NI_NUMERICHOST)) == 0 else {
            return nil
        }
        let end = text.firstIndex(of: 0) ?? text.endIndex
        return Address(
            text: String(decoding: text[..<end].map(UInt8.init(bitPattern:)), as: UTF8.self), storage: storage,
            length: length)
    }

    /// Connects and closes again; `nil` when that worked.
    private func probe(_ address: Address, until deadline: MonotonicInstant) throws(LinkEnd) -> LinkFailure? {
        let family = Int32(address.storage.ss_family)
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else { return LinkFailure.system(errno) }
        defer { _ = close(descriptor) }
        let result = withUnsafePointer(to: address.storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, address.length) }
        }
        if result == 0 { return nil }
        guard errno == EINPROGRESS else { return LinkFailure.system(errno) }
        while monotonicNow() < deadline {
            let ready = thread.wait(socket: descriptor, read: false, write: true, until: deadline)
            if thread.isStopping { throw .stopped }
            guard ready.isWritable || ready.isBroken else { continue }
            let error = covey_socket_error(descriptor)
            return error == 0 ? nil : LinkFailure.system(error)
        }
        return LinkFailure(.timeout, "the address \(address.text) of \(settings.host) does not answer")
    }
}

/// Why a link's thread left what it was doing.
enum LinkEnd: Error {
    case stopped
    case failure(LinkFailure)
    case configuration(LinkConfigurationError)
}
