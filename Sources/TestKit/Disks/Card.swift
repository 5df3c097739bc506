import Synchronization

/// A card: a small ext4 file system in a file, mounted at a folder. It can turn read-only as the kernel turns one after a failed write, fill
/// up, and be pulled and put in again. Needs root, and a kernel with loop devices and ext4.
package final class Card: Sendable {
    private let image: String
    /// Where it is mounted; `nil` while it is pulled.
    private let slot: Mutex<(device: String, folder: String)?>

    /// Makes the card and puts it in. `folder` is made, its parent must exist.
    package init(at folder: String, mebibytes: Int) throws(ChildFailure) {
        image = folder + ".card"
        slot = Mutex(nil)
        try LabTool.run("truncate", of: "coreutils", ["-s", "\(mebibytes)M", image])
        try LabTool.run("mkfs.ext4", of: "e2fsprogs", ["-q", "-F", image])
        try putIn(at: folder)
    }

    deinit {
        try? pull()
        _ = try? LabTool.run("rm", of: "coreutils", ["-f", image])
    }

    /// Mounts it at `folder`, after a check of the file system as any boot does one.
    package func putIn(at folder: String, readOnly: Bool = false) throws(ChildFailure) {
        try LabTool.run("mkdir", of: "coreutils", ["-p", folder])
        // It answers 1 where it mended something.
        _ = try? LabTool.run("e2fsck", of: "e2fsprogs", ["-p", image])
        // A device of its own each time: the one before may still be held by open files.
        let made = try LabTool.run("losetup", of: "mount", ["--show", "-f", image])
        let path = made.filter { !$0.isWhitespace }
        slot.withLock { $0 = (path, folder) }
        let options = "errors=remount-ro" + (readOnly ? ",ro" : "")
        try LabTool.run("mount", of: "mount", ["-t", "ext4", "-o", options, path, folder])
    }

    /// Takes it out whoever uses it: open files see the old file system until they are closed.
    package func pull() throws(ChildFailure) {
        guard let (device, folder) = slot.withLock({ $0 }) else { return }
        slot.withLock { $0 = nil }
        try LabTool.run("umount", of: "mount", ["-l", folder])
        // Where it is held by open files, it goes with them.
        _ = try? LabTool.run("losetup", of: "mount", ["-d", device])
    }

    /// What the kernel does when the card fails under its journal: from now on, nobody writes.
    package func failUnderJournal() throws(ChildFailure) {
        let name = try mounted().device.split(separator: "/").last.map(String.init) ?? ""
        try LabTool.run("sh", of: "dash", ["-c", "echo test > /sys/fs/ext4/\(name)/trigger_fs_error"])
    }

    package func remount(readOnly: Bool) throws(ChildFailure) {
        try LabTool.run("mount", of: "mount", ["-o", "remount,\(readOnly ? "ro" : "rw")", try mounted().folder])
    }

    /// Fills all that is left, the part that is kept for root as well; ``empty()`` takes it away.
    package func fill() throws(ChildFailure) {
        let filler = try filler
        // They end with the error that they are for.
        _ = try? LabTool.run("dd", of: "coreutils", ["if=/dev/zero", "of=\(filler)", "bs=64k"])
        _ = try? LabTool.run("dd", of: "coreutils", ["if=/dev/zero", "of=\(filler).rest", "bs=512"])
        try LabTool.run("sync", of: "coreutils", ["-f", try mounted().folder])
    }

    package func empty() throws(ChildFailure) {
        try LabTool.run("rm", of: "coreutils", ["-f", try filler, try filler + ".rest"])
    }

    private func mounted() throws(ChildFailure) -> (device: String, folder: String) {
        guard let slot = slot.withLock({ $0 }) else { throw ChildFailure(description: "\(image) is pulled") }
        return slot
    }

    private var filler: String {
        get throws(ChildFailure) { try mounted().folder + "/everything-else" }
    }
}
