import CMosquitto

/// The library calls back with the pointer that it was given: the connection, which outlives its client.
private func connection(_ pointer: UnsafeMutableRawPointer?) -> Connection? {
    pointer.map { Unmanaged<Connection>.fromOpaque($0).takeUnretainedValue() }
}

extension Connection {
    func setCallbacks() {
        mosquitto_connect_v5_callback_set(client) { _, pointer, code, flags, _ in
            connection(pointer)?.answer = Answer(code: code, isSessionPresent: flags & 1 == 1)
        }
        mosquitto_disconnect_v5_callback_set(client) { _, pointer, code, _ in
            connection(pointer)?.farewell = code
        }
        mosquitto_message_callback_set(client) { _, pointer, message in
            guard let message else { return }
            connection(pointer)?.owner?.received(message.pointee)
        }
        mosquitto_subscribe_callback_set(client) { _, pointer, messageID, count, granted in
            let codes = Array(UnsafeBufferPointer(start: granted, count: Int(count)))
            connection(pointer)?.owner?.subscribed(messageID: messageID, codes: codes)
        }
        mosquitto_publish_v5_callback_set(client) { _, pointer, messageID, code, _ in
            connection(pointer)?.owner?.published(messageID: messageID, code: code)
        }
    }

    /// The library formats every line of its log as soon as somebody listens, which costs more than a message does.
    func listenToLog(_ isOn: Bool) {
        guard isOn else { return mosquitto_log_callback_set(client, nil) }
        mosquitto_log_callback_set(client) { _, pointer, level, line in
            guard let line, let connection = connection(pointer) else { return }
            if level == MOSQ_LOG_DEBUG {
                connection.owner?.logged(line)
            } else if level == MOSQ_LOG_ERR || level == MOSQ_LOG_WARNING {
                connection.note(String(cString: line))
            }
        }
    }

    /// Asks for these filters at QoS 1; gives the packet's id. Retained messages come only where the subscription is new, not at every
    /// reconnect (MQTT 5; 3.1.1 knows no other way).
    func subscribe(_ filters: [String]) -> Result<Int32, LinkFailure> {
        request(filters) { messageID, count, pointers in
            mosquitto_subscribe_multiple(
                client, messageID, count, pointers, 1, Int32(MQTT_SUB_OPT_SEND_RETAIN_NEW.rawValue), nil)
        }
    }

    func unsubscribe(_ filters: [String]) -> Result<Int32, LinkFailure> {
        request(filters) { messageID, count, pointers in
            mosquitto_unsubscribe_multiple(client, messageID, count, pointers, nil)
        }
    }

    /// Queues one message at QoS 1; gives its id. The library copies topic and payload.
    func publish(topic: String, payload: [UInt8], retain: Bool) -> Result<Int32, LinkFailure> {
        var messageID: Int32 = 0
        let result = mosquitto_publish(client, &messageID, topic, Int32(payload.count), payload, 1, retain)
        guard result == MOSQ_ERR_SUCCESS.result else { return .failure(rejected(result)) }
        return .success(messageID)
    }

    /// Queues DISCONNECT, behind everything else that is queued.
    func sendDisconnect() {
        mosquitto_disconnect(client)
    }

    private func request(
        _ filters: [String],
        _ call: (UnsafeMutablePointer<Int32>, Int32, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Int32
    ) -> Result<Int32, LinkFailure> {
        var copies = filters.map { filter in
            let bytes = UnsafeMutablePointer<CChar>.allocate(capacity: filter.utf8.count + 1)
            for (index, byte) in filter.utf8.enumerated() { bytes[index] = CChar(bitPattern: byte) }
            bytes[filter.utf8.count] = 0
            return Optional(bytes)
        }
        defer { copies.forEach { $0?.deallocate() } }
        var messageID: Int32 = 0
        let result = copies.withUnsafeMutableBufferPointer { call(&messageID, Int32($0.count), $0.baseAddress!) }
        guard result == MOSQ_ERR_SUCCESS.result else { return .failure(rejected(result)) }
        return .success(messageID)
    }

    private func rejected(_ result: Int32) -> LinkFailure {
        switch mosq_err_t(result) {
        case MOSQ_ERR_OVERSIZE_PACKET, MOSQ_ERR_PAYLOAD_SIZE:
            LinkFailure(.refused, "larger than the broker takes: raise its max_packet_size")
        case MOSQ_ERR_INVAL, MOSQ_ERR_MALFORMED_UTF8:
            LinkFailure(.refused, "not a valid MQTT topic: wildcards stand alone between slashes, and # comes last")
        case MOSQ_ERR_QOS_NOT_SUPPORTED:
            LinkFailure(.refused, "the broker takes no QoS 1")
        default:
            LinkFailure(.refused, String(cString: mosquitto_strerror(result)))
        }
    }
}
