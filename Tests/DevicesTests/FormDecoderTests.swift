import Devices
import Model
import Testing

@Suite("The number decoder")
struct NumberDecoderTests {
    @Test(
        "one value as plain text is read, whatever white space is around it",
        arguments: [
            ("21.5", "value=21.5"), (" -3 \r\n", "value=-3.0"), ("+4", "value=4.0"), ("1e3", "value=1000.0"),
            (".5", "value=0.5"),
            ("21.", "value=21.0"), ("007", "value=7.0"), ("0", "value=0.0"), ("ON", "value=true"),
            ("off", "value=false"),
            ("True", "value=true"), ("open", "value=true"), ("CLOSED", "value=false"), ("online", "value=true"),
            ("no", "value=false"),
            ("9007199254740993", "value=9007199254740992.0"), ("0.1", "value=0.1"),
            ("123456.789e-3", "value=123.456789"),
        ])
    func values(payload: String, expected: String) {
        #expect(NumberDecoder().decode(message(payload)).lines == [expected])
    }

    @Test(
        "anything else is rejected by name",
        arguments: [
            ("", "empty: empty payload"), ("  \n", "empty: payload of 3 bytes of white space"),
            ("nan", #"not-a-number: "nan" is neither a finite number nor a state"#),
            ("inf", #"not-a-number: "inf" is neither a finite number nor a state"#),
            ("-Infinity", #"not-a-number: "-Infinity" is neither a finite number nor a state"#),
            ("1e400", #"not-a-number: "1e400" is beyond a double's range"#),
            ("21,5", #"not-a-number: "21,5" is neither a finite number nor a state"#),
            ("21.5 C", #"not-a-number: "21.5 C" is neither a finite number nor a state"#),
            ("null", #"not-a-number: "null" is neither a finite number nor a state"#),
            ("0x1F", #"not-a-number: "0x1F" is neither a finite number nor a state"#),
            ("1 2", #"not-a-number: "1 2" is neither a finite number nor a state"#),
            ("-", #"not-a-number: "-" is neither a finite number nor a state"#),
            (".", #"not-a-number: "." is neither a finite number nor a state"#),
            ("1e", #"not-a-number: "1e" is neither a finite number nor a state"#),
            ("a\u{1}b", #"not-a-number: "a\u{1}b" is neither a finite number nor a state"#),
            (#"{"a":1}"#, #"not-a-number: "{"a":1}" is neither a finite number nor a state"#),
        ])
    func rejections(payload: String, expected: String) {
        #expect(NumberDecoder().decode(message(payload)).lines == [expected])
    }

    @Test("metric and unit are the configuration's, and a state has no unit")
    func settings() {
        let decoder = NumberDecoder(DecoderSettings(metric: "level", unit: "cm"))
        #expect(decoder.decode(message("7")).lines == ["level=7.0 cm"])
        #expect(decoder.decode(message("ON")).lines == ["level=true"])
    }

    @Test("bytes that are not UTF-8, and too many, are rejected")
    func bytes() {
        #expect(
            NumberDecoder().decode(Message(topic: "t", payload: [0x31, 0xFF])).lines == [
                "invalid-utf8: byte 1: not UTF-8"
            ])
        let large = Message(topic: "t", payload: [UInt8](repeating: 0x31, count: 5 << 20))
        #expect(NumberDecoder().decode(large).lines == ["too-large: payload of 5242880 bytes; the limit is 262144"])
    }

    @Test("a number agrees with the C library's, digit for digit")
    func nearest() {
        var random = SeededBytes(seed: 7)
        for _ in 0..<20_000 {
            let digits = (0..<1 + Int(random.next() % 21)).map { _ in String(random.next() % 10) }.joined()
            let text = "\(digits).\(random.next() % 1000)e\(Int(random.next() % 60) - 30)"
            guard case .number(let found)? = NumberDecoder().decode(message(text)).measurements.first?.value,
                found == Double(text)
            else {
                Issue.record("\(text)")
                return
            }
        }
    }
}

@Suite("The tasmota decoder")
struct TasmotaDecoderTests {
    private func decode(_ topic: String, _ payload: String, _ settings: DecoderSettings = DecoderSettings()) -> [String]
    {
        TasmotaDecoder(settings).decode(message(payload, topic: topic)).lines
    }

    @Test(
        "each kind of message gives its values, with the device's time and the payload's units",
        arguments: [
            (
                "tele/tasmota/SENSOR", #"{"Time":"2017-02-16T10:13:52","DS18B20":{"Temperature":20.6}}"#,
                ["DS18B20.Temperature=20.6 @2017-02-16T10:13:52.000Z"]
            ),
            (
                "tasmota/tele/SENSOR",
                #"{"Time":"2024-01-01T00:00:00","BME280":{"Temperature":70.1,"Humidity":40,"Pressure":1001.2},"PressureUnit":"hPa","TempUnit":"F"}"#,
                [
                    "BME280.Temperature=70.1 °F @2024-01-01T00:00:00.000Z",
                    "BME280.Humidity=40.0 % @2024-01-01T00:00:00.000Z",
                    "BME280.Pressure=1001.2 hPa @2024-01-01T00:00:00.000Z",
                ]
            ),
            (
                "stat/t/STATUS8",
                #"{"StatusSNS":{"Time":"2024-01-01T00:00:00","SI7021":{"Temperature":20},"TempUnit":"C"}}"#,
                ["StatusSNS.SI7021.Temperature=20.0 °C @2024-01-01T00:00:00.000Z"]
            ),
            (
                "tele/t/STATE",
                #"{"UptimeSec":5,"POWER":"ON","POWER2":"OFF","Wifi":{"RSSI":80,"Signal":-60,"SSId":"home"}}"#,
                [
                    "UptimeSec=5.0 s", "POWER=true", "POWER2=false", "Wifi.RSSI=80.0 %", "Wifi.Signal=-60.0 dBm",
                    "Wifi.SSId='home'",
                ]
            ),
            (
                "tele/t/SENSOR", #"{"ENERGY":{"Total":1.5,"Power":7,"Voltage":[230,231],"Factor":0.9}}"#,
                [
                    "ENERGY.Total=1.5 kWh", "ENERGY.Power=7.0 W", "ENERGY.Voltage.0=230.0 V",
                    "ENERGY.Voltage.1=231.0 V", "ENERGY.Factor=0.9",
                ]
            ),
            ("stat/t/POWER", "ON", ["POWER=true"]), ("stat/t/POWER2", "OFF", ["POWER2=false"]),
            ("stat/t/RESULT", #"{"POWER":"OFF"}"#, ["POWER=false"]), ("tele/t/LWT", "Online", ["LWT=true"]),
            ("tele/t/LWT", "Offline", ["LWT=false"]),
        ])
    func forms(topic: String, payload: String, expected: [String]) {
        #expect(decode(topic, payload) == expected)
    }

    @Test(
        "what is no reading is rejected by name",
        arguments: [
            ("tele/t/SENSOR", "", ["empty: empty payload"]),
            ("tele/t/SENSOR", " ", ["empty: payload of 1 bytes of white space"]),
            ("tele/t/SENSOR", #"{"Time":"2017-02-16T10:13:52"}"#, ["empty: no value in the document"]),
            ("tele/t/SENSOR", #"{"AM2301":{"Temperature":null}}"#, ["empty: no value in the document"]),
            ("tele/t/SENSOR", #"{"Time":"yesterday","A":{"B":1}}"#, ["A.B=1.0", "wrong-type: $.Time: not a time"]),
            ("tele/t/SENSOR", #"{"Time":{"x":1},"A":1}"#, ["Time.x=1.0", "A=1.0"]),
            ("tele/t/SENSOR", #"{"Time":true,"A":1}"#, ["A=1.0", "wrong-type: $.Time: neither a time nor a unit"]),
            ("tele/t/SENSOR", #"{"A":1"#, ["malformed: byte 6: expected ',' or '}', the document ends"]),
            ("tele/t/LWT", "Sleeping", [#"not-a-number: "Sleeping" is neither a finite number nor a state"#]),
            ("cmnd/t/POWER", "ON", [#"unknown-topic: "cmnd/t/POWER" is an order to the device"#]),
            ("t/cmnd/POWER", "{", [#"unknown-topic: "t/cmnd/POWER" is an order to the device"#]),
            ("stat/t/", "1", [#"bad-name: the topic's last level, "", cannot name a metric"#]),
        ])
    func rejections(topic: String, payload: String, expected: [String]) {
        #expect(decode(topic, payload) == expected)
    }

    @Test("a time without a zone is taken in the zone of the settings, and a device decades off keeps its time")
    func zone() {
        let payload = #"{"Time":"1970-01-01T01:00:07","A":1}"#
        #expect(
            decode("tele/t/SENSOR", payload, DecoderSettings(zoneOffset: 3600)) == ["A=1.0 @1970-01-01T00:00:07.000Z"])
        #expect(decode("tele/t/SENSOR", #"{"Time":1700000000,"A":1}"#) == ["A=1.0 @2023-11-14T22:13:20.000Z"])
        #expect(decode("tele/t/SENSOR", #"{"Time":1e300,"A":1}"#) == ["A=1.0", "wrong-type: $.Time: not a time"])
    }

    @Test("named paths and units of the configuration win, and a named null is a rejection")
    func settings() {
        let settings = DecoderSettings(
            paths: [PathSetting(path: "A.Temperature", metric: "t"), PathSetting(path: "A.Humidity")],
            units: ["A.Humidity": "%RH"])
        #expect(
            decode(
                "tele/t/SENSOR", #"{"Time":"2024-01-01","A":{"Temperature":1,"Humidity":2,"X":3},"TempUnit":"C"}"#,
                settings)
                == ["t=1.0 @2024-01-01T00:00:00.000Z", "A.Humidity=2.0 %RH @2024-01-01T00:00:00.000Z"])
        #expect(
            decode("tele/t/SENSOR", #"{"A":{"Temperature":null,"Humidity":2}}"#, settings)
                == ["A.Humidity=2.0 %RH", "not-a-number: $.A.Temperature: null is no value"])
    }
}

@Suite("The zigbee2mqtt decoder")
struct Zigbee2MQTTDecoderTests {
    private func decode(_ topic: String, _ payload: String, _ settings: DecoderSettings = DecoderSettings()) -> [String]
    {
        Zigbee2MQTTDecoder(settings).decode(message(payload, topic: topic)).lines
    }

    @Test(
        "each kind of message gives its values",
        arguments: [
            (
                "zigbee2mqtt/kitchen", #"{"temperature":27.34,"humidity":44.72,"linkquality":120}"#,
                ["temperature=27.34 °C", "humidity=44.72 %", "linkquality=120.0 lqi"]
            ),
            (
                "zigbee2mqtt/kitchen/window", #"{"contact":true,"voltage":3000,"update":{"state":"idle"}}"#,
                ["contact=true", "voltage=3000.0", "update.state='idle'"]
            ),
            (
                "zigbee2mqtt/plug", #"{"state":"ON","power":7.5,"color":{"x":0.1}}"#,
                ["state=true", "power=7.5 W", "color.x=0.1"]
            ),
            (
                "zigbee2mqtt/a", #"{"battery":90,"last_seen":"2024-05-01T10:00:00+02:00"}"#,
                ["battery=90.0 % @2024-05-01T08:00:00.000Z"]
            ),
            (
                "zigbee2mqtt/a", #"{"last_seen":1714550400000,"battery":90}"#,
                ["battery=90.0 % @2024-05-01T08:00:00.000Z"]
            ),
            ("zigbee2mqtt/a", #"{"battery":90,"last_seen":null,"temperature":null}"#, ["battery=90.0 %"]),
            ("zigbee2mqtt/a/availability", "online", ["availability=true"]),
            ("zigbee2mqtt/a/availability", " offline\n", ["availability=false"]),
            ("zigbee2mqtt/a/b/availability", #"{"state":"online"}"#, ["availability=true"]),
            ("zigbee2mqtt/bridge/state", #"{"state":"offline"}"#, ["state=false"]),
            ("zigbee2mqtt/bridge/state", "online", ["state=true"]),
            ("zigbee2mqtt/bridge", #"{"a":1}"#, ["a=1.0"]), ("zigbee2mqtt/set", #"{"a":1}"#, ["a=1.0"]),
        ])
    func forms(topic: String, payload: String, expected: [String]) {
        #expect(decode(topic, payload) == expected)
    }

    @Test(
        "what is no reading is rejected by name",
        arguments: [
            ("zigbee2mqtt/a", "", ["empty: empty payload"]),
            ("zigbee2mqtt/a", #"{"temperature":null}"#, ["empty: no value in the document"]),
            ("zigbee2mqtt/a", #"{"action":"","battery":5}"#, ["battery=5.0 %", "empty: $.action: empty text"]),
            ("zigbee2mqtt/a", #"{"a":1,"last_seen":"soon"}"#, ["a=1.0", "wrong-type: $.last_seen: not a time"]),
            ("zigbee2mqtt/a", "online", ["malformed: byte 0: expected a value"]),
            ("zigbee2mqtt/a/availability", "", ["empty: empty payload"]),
            ("zigbee2mqtt/a/availability", " ", ["empty: no word in the payload"]),
            ("zigbee2mqtt/a/availability", "away", [#"wrong-type: "away" is neither online nor offline"#]),
            ("zigbee2mqtt/a/availability", #"{"state":1}"#, ["wrong-type: $.state: neither online nor offline"]),
            ("zigbee2mqtt/a/availability", "{}", ["missing-path: $.state: not in the document"]),
            (
                "zigbee2mqtt/bridge/info", #"{"a":1}"#,
                [#"unknown-topic: "zigbee2mqtt/bridge/info" is news of the bridge"#]
            ),
            (
                "zigbee2mqtt/lamp/set", #"{"state":"ON"}"#,
                [#"unknown-topic: "zigbee2mqtt/lamp/set" is an order to the device"#]
            ),
            (
                "zigbee2mqtt/lamp/get", #"{"state":""}"#,
                [#"unknown-topic: "zigbee2mqtt/lamp/get" is an order to the device"#]
            ),
            ("other/lamp", #"{"a":1}"#, [#"unknown-topic: "other/lamp" is not below "zigbee2mqtt""#]),
        ])
    func rejections(topic: String, payload: String, expected: [String]) {
        #expect(decode(topic, payload) == expected)
    }

    @Test("the base topic may have several levels, and units of the configuration win")
    func settings() {
        let settings = DecoderSettings(units: ["voltage": "mV", "temperature": "K"], baseTopic: "home/zigbee")
        #expect(
            decode("home/zigbee/a", #"{"voltage":3000,"temperature":300}"#, settings) == [
                "voltage=3000.0 mV", "temperature=300.0 K",
            ])
    }
}

@Suite("The decoders by name")
struct DecoderKindTests {
    @Test("every name of the list makes a decoder, and no other does")
    func names() {
        #expect(DecoderKind.names == ["json", "number", "tasmota", "zigbee2mqtt"])
        for name in DecoderKind.names { #expect(makeDecoder(named: name) != nil) }
        #expect(makeDecoder(named: "tasmoto") == nil)
    }
}
