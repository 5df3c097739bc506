/// The members of `covey status --json` that tests and benchmarks look at.
package struct Status: Decodable, Sendable {
    package struct Ledger: Decodable, Sendable {
        package struct Sink: Decodable, Sendable {
            package let stored: Int
            package let uploaded: Int
            package let pending: Int
            package let refused: Int
            package let evicted: [String: Int]
            package let damaged: Int

            package var balances: Bool {
                stored == uploaded + pending + refused + evicted.values.reduce(0, +) + damaged
            }
        }

        package let received: Int
        package let waiting: Int
        package let stored: Int
        package let duplicate: Int
        package let rejected: [String: Int]
        package let dropped: [String: Int]
        package let sinks: [String: Sink]
        package let streams: [Stream]
        /// The gateway's own word.
        package let balanced: Bool

        /// Readings that a sink still has to get, of all sinks.
        package var pending: Int { sinks.values.reduce(0) { $0 + $1.pending } }

        package struct Stream: Decodable, Sendable {
            package let device: String
            package let received: Int
            package let stored: Int
            package let dropped: [String: Int]
            package let sinks: [String: Sink]
        }

        package subscript(device: String) -> Stream? { streams.first { $0.device == device } }

        /// Both equations, of the gateway and of every stream, and the streams add up to the sinks.
        package var balances: Bool {
            sinks.allSatisfy { name, sink in
                let own = streams.compactMap { $0.sinks[name] }
                return sink.balances && own.count == streams.count && own.allSatisfy(\.balances)
                    && sink.stored == own.map(\.stored).reduce(0, +)
                    && sink.uploaded == own.map(\.uploaded).reduce(0, +)
                    && sink.pending == own.map(\.pending).reduce(0, +)
            } && received == waiting + stored + duplicate + rejected.values.reduce(0, +) + dropped.values.reduce(0, +)
        }
    }

    package let gateway: String
    package let node: String
    package let health: String
    package let reasons: [String]
    package let configuration: Configuration
    package let ledger: Ledger
    package let tree: Node
    package let ring: Ring
    package let uploads: [Upload]
    package let peers: [Peer]
    /// `nil` where there is no `[cluster]`.
    package let covey: Covey?

    /// Readings that some sink still has to get from this gateway, those of peers included.
    package var pendingUploads: Int { uploads.reduce(0) { $0 + $1.pending } }
    package var alivePeers: [Peer] { peers.filter { $0.state == "alive" } }

    package struct Upload: Decodable, Sendable {
        package let name: String
        package let pending: Int
    }

    package struct Peer: Decodable, Sendable {
        private enum CodingKeys: String, CodingKey {
            case name, state
            case since = "since_s"
        }

        package let name: String
        package let state: String
        /// Seconds in that state.
        package let since: Int
    }

    package struct Covey: Decodable, Sendable {
        package struct UnderReplicated: Decodable, Sendable {
            package let logs: Int
            package let readings: Int
        }

        /// The covey's key and the change of it.
        package struct Key: Decodable, Sendable {
            package struct Change: Decodable, Sendable {
                package let number: Int
                package let stage: String
            }

            package let id: String
            package let known: Int
            package let change: Change?
        }

        package struct Link: Decodable, Sendable {
            private enum CodingKeys: String, CodingKey {
                case refused
                case datagramsReceived = "datagrams_received"
                case certificates = "refused_certificates"
            }

            package let datagramsReceived: Int
            /// By reason.
            package let refused: [String: Int]
            /// Those that were refused last, in words.
            package let certificates: [String]
        }

        package struct MDNS: Decodable, Sendable {
            package let announced: Bool
            /// Announcements of this covey.
            package let found: Int
            /// Those of others.
            package let foreign: Int
            package let error: String?
        }

        private enum CodingKeys: String, CodingKey {
            case linked, link, mdns, ignored, key
            case underReplicated = "under_replicated"
        }

        package let linked: Bool
        package let underReplicated: UnderReplicated
        package let link: Link?
        /// `nil` where it is not configured.
        package let mdns: MDNS?
        package let ignored: [String: Int]
        /// `nil` where the covey has none of its own.
        package let key: Key?
    }

    package struct Configuration: Decodable, Sendable {
        private enum CodingKeys: String, CodingKey {
            case faults
            case waiting = "waits_for_restart"
        }

        package let faults: [String]
        package let waiting: [String]
    }

    package struct Ring: Decodable, Sendable {
        package struct Retired: Decodable, Sendable {
            package let segment: Int
            package let reason: String
        }

        package struct Scrub: Decodable, Sendable {
            package let passes: Int
            package let damaged: Int
        }

        private enum CodingKeys: String, CodingKey {
            case segments, readings, retired, damaged, restored, lost, scrub
            case bytesWritten = "bytes_written"
            case retiredSegments = "retired_segments"
        }

        package let segments: Int
        /// Readings on its disk, those of peers included.
        package let readings: Int
        package let bytesWritten: Int
        package let retired: Int
        /// Readings found damaged since the start, and own ones of them that came back from peers.
        package let damaged: Int
        package let restored: Int
        /// Own readings that damage has taken and that have not come back.
        package let lost: Int
        package let retiredSegments: [Retired]
        /// `nil` where the ring is not scrubbed.
        package let scrub: Scrub?
    }

    package struct Node: Decodable, Sendable {
        package let id: String
        package let state: String
        package let restarts: Int
        package let stuck: Int
        package let abandoned: Int
        package let children: [Node]?

        package subscript(path: String...) -> Node? {
            path.reduce(self as Node?) { node, id in node?.children?.first { $0.id == id } }
        }
    }
}
