import TOMLConfiguration
import Devices
import Environment
import GPIODriver
import HTTPSinks
import LocalSinks
import MQTTLink
import Model
import Posix
import Sinks

/// Translates what the configuration says into the parts of the floors below. No part knows the configuration; here they meet.

extension DeviceConfiguration {
    var policy: DevicePolicy {
        DevicePolicy(
            expectedInterval: expectedInterval, quota: maximumRate.map { Quota(readingsPerSecond: $0.perSecond) },
            priority: Priority(priority))
    }
}

extension DeviceConfiguration.GPIOSource {
    var driver: GPIODriver {
        let line: GPIOSettings.Line =
            switch self.line {
            case .number(let number): .number(UInt32(number))
            case .name(let name): .name(name)
            }
        let mode: GPIOSettings.Mode =
            switch self.mode {
            case .level: .level
            case .count: .count
            case .frequency: .frequency
            }
        let edge: GPIOSettings.Edge =
            switch self.edge {
            case .rising: .rising
            case .falling: .falling
            case .both: .both
            case .none: .none
            }
        let bias: GPIOSettings.Bias =
            switch self.bias {
            case .asIs: .asIs
            case .disabled: .disabled
            case .pullUp: .pullUp
            case .pullDown: .pullDown
            }
        return GPIODriver(
            GPIOSettings(
                chip: chip, line: line, mode: mode, edge: edge, bias: bias, activeLow: activeLow, debounce: debounce,
                interval: interval))
    }
}

extension BrokerConfiguration {
    /// - Parameter window: How long a message may wait for its commit: the shortest of the broker's devices.
    func settings(commitWindow window: Duration, clientSuffix: String = "") -> BrokerSettings {
        var settings = BrokerSettings(
            name: name, host: address.host, port: address.port,
            tls: tls, clientID: clientID + clientSuffix)
        settings.username = username
        settings.passwordFile = passwordFile
        settings.keepAlive = keepAlive
        settings.sessionExpiry = sessionExpiry
        settings.receiveMaximum = receiveMaximum
        settings.silentAlarm = silentAlarm
        settings.commitWindow = window
        settings.version = version
        return settings
    }
}

extension UploadConfiguration {
    /// The same on every gateway that is configured with the same kind and target, whatever it calls it: what one of them brings there
    /// need not be brought by another.
    var sinkID: SinkID {
        switch target {
        case .http(let target): SinkID("http \(target.url)".stableHash)
        // Another broker under the same name is another sink; brokers of one site are configured alike.
        case .mqtt(let target): SinkID("mqtt \(target.broker) \(target.topic)".stableHash)
        // A file is on one gateway's disk.
        case .file(let target): SinkID("file \(target.path)".stableHash)
        }
    }

    var settings: UploadSettings {
        var settings = UploadSettings()
        settings.chunksInFlight = chunksInFlight
        settings.linger = linger
        settings.readingsPerSecond = maximumRate.map { Int($0.perSecond.rounded(.up)) }
        return settings
    }

    func makeSink(gateway: String, transport: HTTPTransport, publishers: [String: PublishLink]) throws(GatewayError)
        -> any Sink
    {
        do {
            switch target {
            case .http(let target):
                var configuration = HTTPSinkConfiguration(url: target.url)
                configuration.headers = target.headers.map { .init(name: $0.name, value: $0.value) }
                configuration.tokenFile = target.tokenFile
                configuration.caFile = target.tls.caFile
                configuration.certFile = target.tls.certFile
                configuration.keyFile = target.tls.keyFile
                configuration.timeout = target.timeout
                configuration.gzip = target.gzip
                return try HTTPSink(configuration, transport: transport)
            case .mqtt(let target):
                guard let link = publishers[target.broker] else {
                    throw GatewayError.part("upload \(name)", "there is no broker \(target.broker)")
                }
                return try MQTTSink(topic: target.topic) { topic, payload in
                    await link.publish(topic: topic, payload: payload).result
                }
            case .file(let target): return FileSink(path: target.path, rotateAt: target.rotateAt)
            }
        } catch let error as GatewayError {
            throw error
        } catch {
            throw .part("upload \(name)", "\(error)")
        }
    }
}

extension PublishOutcome {
    var result: Result<Void, PublishFailure> {
        switch self {
        case .acknowledged: .success(())
        case .refused(let reason): .failure(PublishFailure("the broker refused it: \(reason)"))
        case .queueFull: .failure(PublishFailure("too many messages wait for the broker already"))
        case .timedOut: .failure(PublishFailure("no acknowledgement came in time"))
        case .disconnected(let reason): .failure(PublishFailure("not connected: \(reason)"))
        case .cancelled: .failure(PublishFailure("stopped"))
        }
    }
}

extension IdentityConfiguration.ClockTrust {
    var rule: Posix.ClockTrust {
        switch self {
        case .auto: .auto
        case .always: .always
        case .ntp: .ntp
        }
    }
}
