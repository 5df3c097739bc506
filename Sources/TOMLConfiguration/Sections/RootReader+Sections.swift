import Model

/// The sections that stand once.
extension RootReader {
    func identity(_ reader: TableReader) -> IdentityConfiguration {
        let name = reader.value("name", Names.topicLevel)?.value ?? Paths.hostName
        let directory = reader.path("data_dir")?.value ?? Defaults.dataDirectory
        let node = reader.value("node") { (item) throws(Unfit) in
            let text = try Read.text(item)
            guard let node = NodeID(hex: text) else {
                throw Unfit(
                    "must be 32 hexadecimal digits, not \(quoted(text))",
                    suggestion: text.utf8.count == 32 ? nil : "it has \(text.utf8.count)")
            }
            return node
        }
        let clock = reader.choice("clock", default: IdentityConfiguration.ClockTrust.auto)
        reader.finish()
        return IdentityConfiguration(name: name, dataDirectory: directory, node: node?.value, clock: clock)
    }

    func api(_ reader: TableReader) -> APIConfiguration {
        let socket = reader.path("socket")
        if let socket, socket.value.utf8.count > Bounds.socketPathBytes {
            findings.fault(
                at: socket.position,
                "`socket` has \(socket.value.utf8.count) bytes; a Unix socket's path has \(Bounds.socketPathBytes) at most"
            )
        }
        let listen = reader.value("listen", Read.hostPort)
        if let listen, !listen.value.isLoopback {
            findings.fault(
                at: listen.position,
                "`listen`: \(listen.value) is not a loopback address, and the interface has no passwords",
                suggestion: "write \"127.0.0.1:\(listen.value.port)\" and put a proxy before it")
        }
        reader.finish()
        return APIConfiguration(socket: socket?.value ?? Defaults.socket, listen: listen?.value)
    }

    func storage(_ reader: TableReader, isClustered: Bool) -> StorageConfiguration {
        let size = reader.size("ring_size", in: Bounds.ringSize, default: Defaults.ringSize)
        let window = reader.duration(
            "commit_window", in: Bounds.commitWindow, words: [("sync", .zero)])
        let acks = reader.integer("acks", in: Bounds.acks, default: 1)
        if acks > 1, !isClustered {
            findings.note(
                at: reader.keyPosition("acks"), "`acks` = \(acks) has no effect without [cluster]",
                suggestion: "there are no peers to wait for")
        }
        let whenFull = reader.value("when_full") { (item) throws(Unfit) in
            try Read.choice(item, StorageConfiguration.WhenFull.self)
        }
        let downsampleWindow = reader.duration("downsample_window", in: Bounds.downsampleWindow)
        if downsampleWindow != nil, whenFull?.value != .downsample {
            findings.note(
                at: reader.keyPosition("downsample_window"), "`downsample_window` has no effect",
                suggestion: "write `when_full` = \"downsample\" as well")
        }
        let keep = reader.duration("keep", in: Bounds.keep)
        let clockWait = reader.duration("clock_wait", in: Bounds.clockWait)
        let scrub = reader.duration("scrub_interval", in: Bounds.scrubInterval, words: [("off", .zero)])
        let endurance = reader.value("card_endurance") { (item) throws(Unfit) in
            try Read.size(item, in: Bounds.cardEndurance)
        }
        reader.finish()
        return StorageConfiguration(
            ringSize: ByteCount(size.rawValue / Bounds.segmentBytes * Bounds.segmentBytes),
            commitWindow: window ?? Defaults.commitWindow, acks: acks, whenFull: whenFull?.value ?? .dropOldest,
            downsampleWindow: downsampleWindow ?? Defaults.downsampleWindow, clockWait: clockWait ?? Defaults.clockWait,
            keep: keep, scrubInterval: scrub ?? Defaults.scrubInterval,
            cardEndurance: endurance?.value)
    }

    func log(_ reader: TableReader) -> LogConfiguration {
        let level = reader.choice("level", default: LogConfiguration.Level.info)
        reader.finish()
        return LogConfiguration(level: level)
    }

    func cluster(_ reader: TableReader) -> ClusterConfiguration {
        let listen = reader.value("listen", Read.hostPort)
        let advertise = reader.value("advertise", Read.hostPort)
        let seeds = reader.value("seeds") { (item) throws(Unfit) in
            guard case .array(let items) = item.value else {
                throw Unfit("must be an array of HOST:PORT, not \(item.description)", suggestion: "[\"10.0.0.2:8472\"]")
            }
            guard items.count <= Bounds.seeds else { throw Unfit("may hold \(Bounds.seeds) addresses at most") }
            var seeds: [HostPort] = []
            for item in items { seeds.append(try Read.hostPort(item)) }
            return seeds
        }
        let mdns = reader.flag("mdns", default: false)
        let keyFile = reader.path("key_file")?.value
        let certificates = certificates(reader)
        let replicas = reader.value("replicas") { (item) throws(Unfit) -> ClusterConfiguration.Replicas in
            switch item.value {
            case .string("all"): return .all
            case .integer(let count) where (1...64).contains(count): return .count(Int(count))
            default: throw Unfit("must be \"all\" or a whole number from 1 to 64, not \(item.description)")
            }
        }
        reader.finish()
        let address = listen?.value ?? HostPort(host: "0.0.0.0", port: Defaults.clusterPort)
        if !reader.has("key_file"), !address.isLoopback {
            findings.fault(
                at: reader.position, "[cluster] needs `key_file`: whoever has no key could join",
                suggestion: "make one with: covey key generate FILE")
        }
        if mdns, address.isLoopback {
            findings.note(
                at: reader.keyPosition("mdns"), "`mdns` has no use where only this machine is listened to",
                suggestion: "listen = \"0.0.0.0:\(address.port)\"")
        }
        return ClusterConfiguration(
            listen: address, advertise: advertise?.value, seeds: seeds?.value ?? [], mdns: mdns, keyFile: keyFile,
            certificates: certificates, replicas: replicas?.value ?? .all)
    }

    /// All three, or none: streams are known by certificates on both sides.
    private func certificates(_ reader: TableReader) -> ClusterConfiguration.Certificates? {
        let keys = ["ca_file", "cert_file", "cert_key_file"]
        let paths = keys.map { reader.file($0, isSecret: $0 == "cert_key_file") }
        guard let present = keys.first(where: { reader.has($0) }) else { return nil }
        for key in keys where !reader.has(key) {
            findings.fault(
                at: reader.keyPosition(present), "`\(present)` needs `\(key)` beside it",
                suggestion: "the authority's certificate, this gateway's, and its key go together")
        }
        guard let authority = paths[0], let certificate = paths[1], let key = paths[2] else { return nil }
        let found = ClusterConfiguration.Certificates(caFile: authority, certFile: certificate, keyFile: key)
        if findings.files == .fault, paths.allSatisfy({ $0.map { Paths.readability(of: $0) } == .some(nil) }) {
            for finding in findings.inspect(found) {
                let position = reader.keyPosition(finding.key)
                if finding.isFault {
                    findings.fault(at: position, "`\(finding.key)`: \(finding.text)")
                } else {
                    findings.note(at: position, "`\(finding.key)`: \(finding.text)")
                }
            }
        }
        return found
    }
}
