package import Model
package import Sinks

/// Why a message was not published, in plain words.
package struct PublishFailure: Error, Hashable, Sendable {
    package let message: String

    package init(_ message: String) {
        self.message = message
    }
}

/// A topic template that no broker would take, in words for `covey check`.
package struct TopicTemplateError: Error, Hashable, Sendable, CustomStringConvertible {
    package let message: String

    package var description: String { message }
}

/// Publishes each batch as one message. The link to the broker is handed in.
package struct MQTTSink: Sink {
    /// Publishes at QoS 1 and returns when the broker has acknowledged.
    package typealias Publish =
        @Sendable (_ topic: String, _ payload: [UInt8]) async -> Result<Void, PublishFailure>

    private let parts: [Part]
    private let publish: Publish

    private enum Part: Hashable, Sendable {
        case text(String)
        case gateway, node, log
    }

    /// - Parameter topic: a topic with `{gateway}`, `{node}` and `{log}` where those names belong; no wildcards.
    package init(topic: String, publish: @escaping Publish) throws(TopicTemplateError) {
        parts = try Self.parse(topic)
        self.publish = publish
    }

    package func send(_ batch: NativeBatch) async -> SendOutcome {
        switch await publish(topic(for: batch), batch.json) {
        case .success: .accepted
        case .failure(let failure): .unavailable(reason: failure.message, retryAfter: nil)
        }
    }

    /// The topic of a batch. A name cannot add levels or wildcards to it.
    package func topic(for batch: NativeBatch) -> String {
        parts.reduce(into: "") { topic, part in
            switch part {
            case .text(let text): topic += text
            case .gateway: topic += String(batch.gateway.map { "/+#\0".contains($0) ? "_" : $0 })
            case .node: topic += batch.node.description
            case .log: topic += batch.log.description
            }
        }
    }

    private static func parse(_ template: String) throws(TopicTemplateError) -> [Part] {
        // MQTT counts topic bytes in 16 bits; names take some of them.
        guard (1...1024).contains(template.utf8.count) else {
            throw TopicTemplateError(message: "a topic has 1 to 1024 bytes")
        }
        guard !template.contains(where: { "+#\0".contains($0) }) else {
            throw TopicTemplateError(message: "topic \"\(template)\" holds a wildcard; it is published to")
        }
        var parts: [Part] = []
        var rest = template[...]
        while let open = rest.firstIndex(of: "{") {
            guard let close = rest[open...].firstIndex(of: "}") else { break }
            if open > rest.startIndex { parts.append(.text(String(rest[..<open]))) }
            switch rest[rest.index(after: open)..<close] {
            case "gateway": parts.append(.gateway)
            case "node": parts.append(.node)
            case "log": parts.append(.log)
            case let name:
                throw TopicTemplateError(
                    message: "topic \"\(template)\": no {\(name)}, there are {gateway}, {node} and {log}")
            }
            rest = rest[rest.index(after: close)...]
        }
        guard !rest.contains(where: { $0 == "{" || $0 == "}" }) else {
            throw TopicTemplateError(message: "topic \"\(template)\": a brace without its partner")
        }
        return rest.isEmpty ? parts : parts + [.text(String(rest))]
    }
}
