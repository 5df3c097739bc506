package import Model
package import Sinks
import Synchronization

/// Appends each batch as one line of JSON to a file, on a thread of its own, synced before it counts as accepted.
///
/// A full file is renamed to `PATH.1`, `PATH.2`, … and never removed: what was delivered belongs to its reader. A batch whose sync failed
/// may stand there twice; readers remove doubles by (node, log, offset), as every receiver does.
package final class FileSink: Sink {
    private let thread: SerialThread?
    private let file: Mutex<LineFile>

    /// - Parameters:
    ///   - path: a file, or a directory that gets a `readings.jsonl`.
    ///   - rotateAt: the size that a file does not grow beyond, but for a single larger batch.
    package init(path: String, rotateAt: ByteCount = .mebibytes(64)) {
        thread = SerialThread()
        file = Mutex(LineFile(path: path, rotateAt: rotateAt.rawValue))
    }

    deinit {
        thread?.stop()
    }

    package func send(_ batch: NativeBatch) async -> SendOutcome {
        await withCheckedContinuation { continuation in
            let isTaken = thread?.run { [self] in continuation.resume(returning: append(batch)) }
            if isTaken != true {
                continuation.resume(returning: .unavailable(reason: "the file's thread is busy", retryAfter: nil))
            }
        }
    }

    /// Waits for batches under way, closes the file and ends the thread. Later sends are `unavailable`.
    package func close() async {
        await withCheckedContinuation { continuation in
            let isTaken = thread?.run { [self] in
                file.withLock { $0.close() }
                continuation.resume()
            }
            if isTaken != true { continuation.resume() }
        }
        thread?.stop()
    }

    private func append(_ batch: NativeBatch) -> SendOutcome {
        file.withLock { file in
            do throws(FileFailure) {
                try file.append(batch.json)
                return .accepted
            } catch {
                return .unavailable(reason: error.message, retryAfter: nil)
            }
        }
    }
}
