import CGPIOD
import Glibc
import Model

/// An open GPIO chip, found by name, label or path.
struct Chip: ~Copyable {
    let name: String
    let lineCount: UInt32
    private let handle: OpaquePointer

    /// - Parameter text: as in ``GPIOSettings/chip``.
    init(opening text: String) throws(GPIOError) {
        let path = try Self.path(of: text)
        guard let handle = covey_gpio_chip_open(path) else { throw Self.openError(errno, chip: text) }
        var info = covey_gpio_chip_info()
        guard covey_gpio_chip_get_info(handle, &info) == 0 else {
            let code = errno
            covey_gpio_chip_close(handle)
            throw Self.openError(code, chip: text)
        }
        self.handle = handle
        name = cString(info.name)
        lineCount = info.line_count
    }

    deinit { covey_gpio_chip_close(handle) }

    /// Requests the line that `settings` names as an input.
    func request(_ settings: GPIOSettings, bufferedEdges: Int) throws(GPIOError) -> RequestedLine {
        let place = settings.place
        let number = try number(of: settings.line, place: place)
        var request = covey_gpio_settings()
        request.edge = settings.watchedEdge.inC
        request.bias = settings.bias.inC
        request.is_active_low = settings.activeLow
        request.debounce_us = UInt32(settings.debounce.nanoseconds / 1000)
        request.event_buffer_size = UInt32(clamping: bufferedEdges)
        let line = "covey".withCString { consumer in
            request.consumer = consumer
            return covey_gpio_line_request(handle, number, &request)
        }
        guard let line else { throw requestError(errno, number: number, settings) }
        return RequestedLine(line, place: place)
    }
}

// MARK: Finding

extension Chip {
    private static func path(of text: String) throws(GPIOError) -> String {
        if text.hasPrefix("/") { return text }
        let path = "/dev/" + text
        if access(path, F_OK) == 0 { return path }
        let labelled = present().filter { $0.label == text }
        if labelled.count > 1 {
            let names = labelled.map(\.name).joined(separator: ", ")
            throw GPIOError(
                .ambiguousChip, place: text, message: "several chips bear this label: say which of \(names) is meant")
        }
        guard let chip = labelled.first else { throw openError(ENOENT, chip: text) }
        return "/dev/" + chip.name
    }

    /// The chips of this machine, by number. The label is empty where the chip may not be opened.
    private static func present() -> [(name: String, label: String)] {
        guard let folder = opendir("/dev") else { return [] }
        defer { closedir(folder) }
        var numbers: [UInt32] = []
        while let entry = readdir(folder) {
            let name = cString(entry.pointee.d_name)
            guard name.hasPrefix(prefix), let number = UInt32(name.dropFirst(prefix.count)) else { continue }
            numbers.append(number)
        }
        return numbers.sorted().map { number in
            let name = prefix + String(number)
            guard let handle = covey_gpio_chip_open("/dev/" + name) else { return (name, "") }
            defer { covey_gpio_chip_close(handle) }
            var info = covey_gpio_chip_info()
            return (name, covey_gpio_chip_get_info(handle, &info) == 0 ? cString(info.label) : "")
        }
    }

    private static let prefix = "gpiochip"

    private func number(of line: GPIOSettings.Line, place: String) throws(GPIOError) -> UInt32 {
        switch line {
        case .number(let number):
            guard number < lineCount else {
                throw GPIOError(
                    .noLine, place: place, message: "line \(number) is out of range 0…\(Int(lineCount) - 1) of \(name)")
            }
            return number
        case .name(let wanted):
            let found = covey_gpio_chip_find_line(handle, wanted)
            if found >= 0 { return UInt32(found) }
            guard errno == ENOENT else { throw GPIOError(.system, place: place, message: describe(errno: errno)) }
            throw GPIOError(.noLine, place: place, message: "\(name) has no line named \(wanted); \(namedLines())")
        }
    }

    /// A board of some dozens of lines can be listed; beyond that the message would be longer than anybody reads.
    private static let listedNames = 40

    private func namedLines() -> String {
        var names: [String] = []
        for number in 0..<lineCount {
            guard let info = info(of: number) else { continue }
            let name = cString(info.name)
            if !name.isEmpty { names.append(name) }
            if names.count > Self.listedNames { break }
        }
        if names.isEmpty { return "none of its lines has a name: use a number" }
        let more = names.count > Self.listedNames ? ", …" : ""
        return "its names are " + names.prefix(Self.listedNames).joined(separator: ", ") + more
    }

    private func info(of number: UInt32) -> covey_gpio_line_info? {
        var info = covey_gpio_line_info()
        return covey_gpio_chip_get_line_info(handle, number, &info) == 0 ? info : nil
    }
}

// MARK: Errors

extension Chip {
    private static func openError(_ code: Int32, chip: String) -> GPIOError {
        switch code {
        case EACCES, EPERM:
            return GPIOError(
                .permissionDenied, place: chip,
                message: "permission denied: add the user that runs Covey to the group gpio")
        case ENOENT:
            let present = present().map { $0.label.isEmpty ? $0.name : "\($0.name) (\($0.label))" }
            let list = present.isEmpty ? "none" : present.joined(separator: ", ")
            return GPIOError(
                .noChip, place: chip, message: "no chip \(chip): is the overlay loaded? chips present: \(list)")
        case ENODEV, ENXIO, ENOTTY:
            return GPIOError(.noChip, place: chip, message: "\(chip) is not a GPIO chip")
        default:
            return GPIOError(.system, place: chip, message: "cannot open the chip: \(describe(errno: code))")
        }
    }

    private func requestError(_ code: Int32, number: UInt32, _ settings: GPIOSettings) -> GPIOError {
        let place = settings.place
        switch code {
        case EBUSY:
            let user = info(of: number).map { cString($0.consumer) } ?? ""
            let what = user.isEmpty ? "or its interrupt is in use by the kernel" : "is used by '\(user)'"
            return GPIOError(
                .lineUsed, place: place, message: "line \(settings.line) \(what): release it there first")
        case EACCES, EPERM:
            return GPIOError(
                .permissionDenied, place: place,
                message: "permission denied: add the user that runs Covey to the group gpio")
        case EINVAL, ENOTSUP, ENXIO:
            return GPIOError(
                .unsupported, place: place,
                message: "\(name) cannot do edge \"\(settings.edge.rawValue)\" with bias \"\(settings.bias.rawValue)\" "
                    + "on this line (\(describe(errno: code))): try edge \"none\" or bias \"as-is\"")
        default:
            return GPIOError(.system, place: place, message: "cannot request the line: \(describe(errno: code))")
        }
    }
}

extension GPIOSettings {
    /// Where errors of this line happen: `gpiochip0 line DOOR`.
    var place: String { "\(chip) line \(line)" }
}

extension GPIOSettings.Edge {
    fileprivate var inC: covey_gpio_edge {
        switch self {
        case .none: COVEY_GPIO_EDGE_NONE
        case .rising: COVEY_GPIO_EDGE_RISING
        case .falling: COVEY_GPIO_EDGE_FALLING
        case .both: COVEY_GPIO_EDGE_BOTH
        }
    }
}

extension GPIOSettings.Bias {
    fileprivate var inC: covey_gpio_bias {
        switch self {
        case .asIs: COVEY_GPIO_BIAS_AS_IS
        case .disabled: COVEY_GPIO_BIAS_DISABLED
        case .pullUp: COVEY_GPIO_BIAS_PULL_UP
        case .pullDown: COVEY_GPIO_BIAS_PULL_DOWN
        }
    }
}

/// The text of a C character array that ends in a zero.
private func cString<Characters>(_ characters: Characters) -> String {
    withUnsafeBytes(of: characters) { bytes in String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
}
